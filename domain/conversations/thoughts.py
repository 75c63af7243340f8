"""What a model thinks before it answers, told apart from the answer.

Some providers send it beside the answer, some models write it as the beginning of their answer between two marks.
"""

from dataclasses import dataclass, replace

from domain.ports import ChatDelta

OPENING, CLOSING = "<think>", "</think>"
MOST_CHARACTERS = 200_000
"""So much of it is kept; an answer does not suffer when there is more."""


@dataclass(slots=True)
class Thoughts:
    """Tells thoughts from the answer in the pieces of one call of a model."""

    _held: str = ""
    """What may yet become a mark."""
    _state: str = "beginning"

    def sort(self, delta: ChatDelta) -> ChatDelta:
        """The piece with what it holds of thoughts as such, and of the answer without the marks."""
        if self._state == "answer" or not delta.text:
            return delta
        text, self._held = self._held + delta.text, ""
        thought = ""
        if self._state == "beginning":
            start = text.lstrip()
            if start.startswith(OPENING):
                text, self._state = start[len(OPENING) :], "thinking"
            elif OPENING.startswith(start):
                text, self._held = "", text
            else:
                self._state = "answer"
        if self._state == "thinking":
            thought, closed, text = text.partition(CLOSING)
            if closed:
                self._state, self._held = "after", ""
            else:
                kept = _begun(thought, CLOSING)
                thought, self._held = thought[: len(thought) - kept], thought[len(thought) - kept :]
        if self._state == "after":
            # The answer begins where it begins, not with the lines between.
            text = text.lstrip()
            self._state = "answer" if text else "after"
        return replace(delta, text=text, thought=delta.thought + thought)

    def rest(self) -> ChatDelta:
        """What was held back when the call has ended."""
        held, self._held = self._held, ""
        return ChatDelta(thought=held) if self._state == "thinking" else ChatDelta(held)


def _begun(text: str, mark: str) -> int:
    """How many of the last characters of `text` may be the beginning of `mark`."""
    return next((length for length in range(len(mark) - 1, 0, -1) if text.endswith(mark[:length])), 0)
