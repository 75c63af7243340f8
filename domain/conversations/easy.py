"""Answers in easy language: the same question, asked again with an instruction that is added to the assistant's own."""

from domain.conversations.plan import Plan

EASY = "easy_language"
"""In the trace of a message: its answer is in easy language, also when it is continued or made again."""
INSTRUCTION = """Answer in easy language, in the language of the question. Write short sentences with common words.
Say one thing in each sentence, the most important first. Explain words of law and administration that cannot be avoided.
Address the reader directly and use lists for steps. Keep every fact, number, date, condition and reservation, and all
references to passages."""


def ask_easily(plan: Plan) -> None:
    """Let the answer be in easy language, and the message say so."""
    plan.prompt = "\n\n".join(part for part in (plan.prompt, INSTRUCTION) if part)
    plan.message.trace[EASY] = True
