"""When a conversation is summed up, and what a model is told of it then."""

from uuid import uuid4

from domain.conversations.context import Exchange, cost_of, room_for_history
from domain.conversations.entities import Message
from domain.conversations.mentions import MENTIONED, spoken
from domain.conversations.summaries import FULL_MESSAGES, KEPT_MESSAGES, RECALL, due, recalled

TENANT = uuid4()


def said(count: int, words: int = 50) -> list[Message]:
    return [
        Message(
            tenant_id=TENANT, conversation_id=TENANT, assistant_id=TENANT, question=f"Fråga {n}?",
            answer=f"Svar {n}. " + "ord " * words,
        )
        for n in range(count)
    ]  # fmt: skip


def summed_up(message: Message, text: str = "I korthet.") -> Message:
    message.summary = {"text": text, "spaces": [], "own": True}
    return message


def test_what_fits_is_told_word_for_word() -> None:
    messages = said(5)
    assert due(messages, 100_000) == []
    assert recalled(messages) == [Exchange(m.question, m.answer) for m in messages]


def test_the_newest_stays_word_for_word_when_the_room_is_nearly_full() -> None:
    messages = said(8)
    each = cost_of(Exchange(messages[0].question, messages[0].answer))
    room = 9 * each
    covered = due(messages, room)
    assert covered == messages[:5]
    summed_up(covered[-1])
    told = recalled(messages)
    assert told == [Exchange(RECALL, "I korthet."), *(Exchange(m.question, m.answer) for m in messages[5:])]
    assert due(messages, room) == []


def test_many_short_messages_are_summed_up_before_they_are_out_of_sight() -> None:
    messages = said(FULL_MESSAGES, words=1)
    assert due(messages[1:], 100_000) == []
    assert due(messages, 100_000) == messages[: FULL_MESSAGES - KEPT_MESSAGES]


def test_one_exchange_is_never_summed_up_alone() -> None:
    assert due(said(1, words=5_000), 100) == []
    assert due([], 100) == []
    two = said(2, words=5_000)
    assert due(two, 100) == two[:1]


def test_a_new_summary_builds_on_the_former_one() -> None:
    messages = said(12)
    summed_up(messages[3], "Det första.")
    room = 8 * cost_of(Exchange(messages[0].question, messages[0].answer))
    covered = due(messages, room)
    assert covered[0] is messages[4]
    assert recalled(messages[: messages.index(covered[-1]) + 1])[0] == Exchange(RECALL, "Det första.")


def test_the_room_grows_with_the_window() -> None:
    assert room_for_history(1_000, 500) == 0
    assert 0 < room_for_history(8_000, 500) < room_for_history(128_000, 500) < 128_000 * 0.3


def test_a_summary_knows_whose_words_it_holds() -> None:
    own, other, later = said(3)
    space, another = uuid4(), uuid4()
    other.trace[MENTIONED] = {"name": "Annan", "space_id": str(space)}
    later.trace[MENTIONED] = {"name": "Tredje", "space_id": str(another)}
    assert spoken([other, later]) == ({space, another}, False)
    later.summary = {"text": "I korthet.", "spaces": [str(space)], "own": True}
    assert spoken([later]) == ({space, another}, True)
    assert spoken([own]) == (set(), True)
