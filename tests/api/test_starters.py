"""Questions that an assistant offers to begin with."""

from tests.support.api import Api, make_assistant, make_space


async def test_questions_to_begin_with_are_kept_tidy_told_in_the_history_and_taken_back(api: Api) -> None:
    client = await api.client()
    url = f"/api/v1/assistants/{await make_assistant(client, await make_space(client))}/"
    assert (await client.get(url)).json()["starter_questions"] == []
    given = ["  Vad kostar\nbygglov? ", "", "Vem beslutar?", "Vem beslutar?"]
    kept = ["Vad kostar bygglov?", "Vem beslutar?"]
    assert (await client.post(url, json={"starter_questions": given})).json()["starter_questions"] == kept
    assert (await client.post(url, json={"name": "Nytt namn"})).json()["starter_questions"] == kept
    for wrong in ([f"Fråga {n}?" for n in range(7)], ["x" * 201]):
        refused = await client.post(url, json={"starter_questions": wrong})
        assert refused.status_code == 422, wrong
        assert refused.json()["message"]
    assert (await client.get(url)).json()["starter_questions"] == kept
    assert (await client.post(url, json={"starter_questions": []})).json()["starter_questions"] == []
    told = [e.changes for e in await api.entries(api.owner.tenant_id) if e.action == "assistant_updated"]
    assert [change["new"]["starter_questions"] for change in told if "starter_questions" in change["new"]] == [kept, []]
