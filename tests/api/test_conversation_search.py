"""One's own conversations are found again by what was said in them."""

import pytest

from domain.conversations import looking_back
from domain.conversations.looking_back import Wanted
from domain.conversations.repository import Said
from domain.kernel.ids import new_id
from tests.api.test_conversations import with_documents
from tests.support.api import Api

QUESTIONS = ["Vad kostar bygglov?", "Hur överklagar man ett ÄRENDE?", "Vad kostar en skylt?", "När är ärendet klart?"]


async def test_texts_are_searched_page_by_page_and_only_ones_own(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "BATCH", 2)
    client = await api.client()
    assistant = await with_documents(api, client)
    for question in QUESTIONS:
        (await client.post("/api/v1/conversations/", json={"assistant_id": assistant, "question": question})).json()
    url = "/api/v1/conversations/search/"
    first = (await client.get(url, params={"query": "ärende", "limit": 1})).json()
    [found] = first["items"]
    [mark] = found["marks"]
    assert (found["conversation"]["name"], found["excerpt"]) == (QUESTIONS[3], QUESTIONS[3])
    assert found["excerpt"][mark["start"] : mark["end"]] == "ärende"
    more = {"query": "ärende", "limit": 1, "cursor": first["next_cursor"]}
    second = (await client.get(url, params=more)).json()
    assert [item["conversation"]["name"] for item in second["items"]] == [QUESTIONS[1]]
    assert second["next_cursor"] is None
    both = (await client.get(url, params={"query": "SKYLT kostar"})).json()["items"]
    assert [item["conversation"]["name"] for item in both] == [QUESTIONS[2]]
    said = (await client.get(url, params={"query": "4 300 kronor"})).json()["items"]
    assert any("300" in item["excerpt"] for item in said)
    assert (await client.get(url, params={"query": ".*"})).json() == {"items": [], "next_cursor": None}
    assert (await client.get(url, params={"query": "  "})).status_code == 422
    assert (await client.get(url, params={"query": "a", "cursor": "x"})).status_code == 422
    await api.user("anna@example.se")
    stranger = await api.client("anna@example.se")
    assert (await stranger.get(url, params={"query": "ärende"})).json()["items"] == []


def test_an_excerpt_is_one_line_around_the_words() -> None:
    said = Said(new_id(), new_id(), "Namn", "Fråga?", "x" * 500 + "\nHär står ordet och ORDET.")
    excerpt = Wanted.of("ordet").excerpt(said)
    assert "\n" not in excerpt.text
    assert [excerpt.text[start:end] for start, end in excerpt.marks] == ["ordet", "ORDET"]
    assert Wanted.of("namn").excerpt(said).text == "Fråga?"
