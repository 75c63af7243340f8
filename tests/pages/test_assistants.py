"""Editors in a browser: what an assistant is made of, and how it goes out to others."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own."""
    with installed(tmp_path_factory.mktemp("assistants") / "data", WORKERS="0") as made:
        yield made


def assistant_of(installation: Installation, space: str = "Bygg", **changes: object) -> tuple[str, str]:
    """A new assistant in a new shared space: the ids of the space and the assistant."""
    with closing(installation.client()) as client:
        space_id = client.post("/api/v1/spaces/", json={"name": space}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space_id}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).raise_for_status().json()["id"]
        if changes:
            client.post(f"/api/v1/assistants/{assistant}/", json=changes).raise_for_status()
    return space_id, assistant


def test_what_must_be_mended_is_mended_before_publishing(page: Page, installation: Installation) -> None:
    _, assistant = assistant_of(installation)
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    panel = page.get_by_role("region", name="Before it is published")
    expect(panel.get_by_role("listitem")).to_have_count(3)
    assert grave(page) == []
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("alert").get_by_text("The assistant has no instruction.")).to_be_visible()
    panel.get_by_role("button", name="Mend: The assistant has no instruction. Write what its task is.").click()
    expect(page.get_by_label("Instruction", exact=True)).to_be_focused()
    page.keyboard.type("Svara om bygglov.")
    panel.get_by_role("button", name="Mend: There is no contact").click()
    expect(page.get_by_label("Contact", exact=True)).to_be_focused()
    page.keyboard.type("Byggenheten")
    page.get_by_test_id("save").click()
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(panel.get_by_text("It can be published. Some things could be better.")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Published", exact=True)).to_be_visible()


def test_two_who_change_different_things_do_not_undo_each_other(page: Page, installation: Installation) -> None:
    _, assistant = assistant_of(installation, description="Svarar.", contact="Växeln")
    sign_in(page, installation.url)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{installation.url}/assistants/{assistant}")
        ready(tab)
    for tab, field, text in ((page, "Description", "Svarar om bygglov."), (other, "Contact", "Byggenheten")):
        tab.get_by_label(field, exact=True).fill(text)
        tab.get_by_test_id("save").click()
        expect(tab.get_by_text("Saved.")).to_be_visible()
    with closing(installation.client()) as client:
        kept = client.get(f"/api/v1/assistants/{assistant}/").json()
    assert (kept["description"], kept["contact"]) == ("Svarar om bygglov.", "Byggenheten")


def test_who_edits_sees_what_somebody_else_has_changed(page: Page, installation: Installation) -> None:
    _, assistant = assistant_of(installation, description="Svarar.", contact="Växeln")
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("Description", exact=True).fill("Svarar om bygglov.")
    changed = page.get_by_text("anna@sundvik.se has changed this assistant meanwhile: Contact.", exact=True)
    with closing(installation.client()) as client:
        path = f"/api/v1/assistants/{assistant}/"
        client.post(path, json={"contact": "Byggenheten"}).raise_for_status()
        expect(changed).to_be_visible()
        client.post(path, json={"description": "Om tomter."}).raise_for_status()
        expect(page.get_by_text("You have changed the same: Description. Saving replaces it.")).to_be_visible()
        page.get_by_test_id("save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert grave(page) == []
        page.get_by_role("button", name="Show it").click()
        expect(page.get_by_label("Contact", exact=True)).to_have_value("Byggenheten")
        expect(page.get_by_label("Description", exact=True)).to_have_value("Svarar om bygglov.")
        expect(page.get_by_text("has changed this assistant meanwhile")).to_have_count(0)
        page.get_by_label("Contact", exact=True).fill("Växeln")
        page.get_by_test_id("save").click()
        expect(page.get_by_text("Changes to keep")).to_be_hidden()
        assert client.get(path).json()["contact"] == "Växeln"
    expect(page.get_by_text("has changed this assistant meanwhile")).to_have_count(0)


def test_everybody_who_may_ask_learns_what_the_assistant_is(page: Page, installation: Installation) -> None:
    space, assistant = assistant_of(installation, description="Svarar om <b>bygglov</b>.", contact="Byggenheten")
    with closing(installation.client()) as client:
        client.patch(f"/api/v1/spaces/{space}/", json={"data_retention_days": 30}).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    page.get_by_role("button", name="About this assistant").click()
    card = page.get_by_role("dialog", name="About Lovhjälpen")
    for text in (
        "Svarar om <b>bygglov</b>.", "Byggenheten", "Belongs to the space Bygg",
        "Runs inside this installation. Questions are sent to nobody.",
        "Until you delete them, at most 30 days after the last question.", "Only you.",
    ):  # fmt: skip
        expect(card.get_by_text(text)).to_be_visible()
    assert grave(page) == []
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_role("button", name="About this assistant").click()
    expect(card.get_by_text("Byggenheten")).to_be_visible()


def test_variables_are_inserted_where_the_cursor_stands(page: Page, installation: Installation) -> None:
    _, assistant = assistant_of(installation, prompt={"text": "Svara kort."})
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    box = page.get_by_label("Instruction", exact=True)
    box.focus()
    page.keyboard.press("Control+Home")
    page.get_by_role("button", name="Insert variable").click()
    assert grave(page) == []
    page.get_by_role("menuitem", name="The day of the question").click()
    expect(box).to_have_value("{{date}}Svara kort.")
    expect(box).to_be_focused()
    page.keyboard.type(" {{weeday}} ")
    expect(page.get_by_text("Stands for nothing and is sent as it is: {{weeday}}")).to_be_visible()
    page.get_by_test_id("save").click()
    expect(page.get_by_text("The instruction has variables that stand for nothing: weeday.")).to_be_visible()
    with closing(installation.client()) as client:
        prompt = client.get(f"/api/v1/assistants/{assistant}/").json()["prompt"]["text"]
    assert prompt == "{{date}} {{weeday}} Svara kort."


def test_an_assistant_is_copied_and_moved_after_its_losses_were_shown(page: Page, installation: Installation) -> None:
    space, assistant = assistant_of(installation, "Miljö", prompt={"text": "Svara kort."})
    with closing(installation.client()) as client:
        made = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Taxor"}).json()["id"]
        client.post(f"/api/v1/assistants/{assistant}/", json={"groups": [{"id": made}]}).raise_for_status()
        client.post("/api/v1/spaces/", json={"name": "Trafik"}).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_role("button", name="Duplicate").click()
    dialog = page.get_by_role("dialog", name="Duplicate “Lovhjälpen”")
    expect(dialog.get_by_label("Name")).to_have_value("Lovhjälpen (copy)")
    assert grave(page) == []
    dialog.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", name="Lovhjälpen (copy)")).to_be_visible()
    page.get_by_role("button", name="Move to another space").click()
    dialog = page.get_by_role("dialog", name="Move “Lovhjälpen (copy)”")
    dialog.get_by_label("To the space").click()
    page.get_by_role("option", name="Trafik").click()
    text = "Sources that do not go along, since that space may not use them: Taxor."
    expect(dialog.get_by_text(text)).to_be_visible()
    assert grave(page) == []
    dialog.get_by_text("Share the sources with that space").click()
    dialog.get_by_role("button", name="Move").click()
    expect(dialog).to_have_count(0)
    with closing(installation.client()) as client:
        found = [a for a in client.get("/api/v1/assistants/").json()["items"] if a["name"] == "Lovhjälpen (copy)"]
    assert [group["id"] for group in found[0]["groups"]] == [made]
    assert found[0]["space_id"] != space


def test_whoever_leaves_with_changes_is_asked(page: Page, installation: Installation) -> None:
    space, assistant = assistant_of(installation, prompt={"text": "Svara kort."})
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/assistants")
    ready(page)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    here = page.url
    page.get_by_label("Contact", exact=True).fill("Byggenheten")
    expect(page.get_by_text("Changes to keep", exact=True)).to_be_visible()
    dialog = page.get_by_role("dialog", name="Leave without saving?")
    for leave in (
        lambda: page.get_by_role("button", name="Try it").click(),
        lambda: page.get_by_role("link", name="Assistants").first.click(),
    ):
        leave()
        expect(dialog).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        expect(page).to_have_url(here)
        expect(page.get_by_label("Contact", exact=True)).to_have_value("Byggenheten")
    assert page.evaluate("!window.dispatchEvent(new Event('beforeunload', {cancelable: true}))")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Save your changes first.")).to_be_visible()
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Changes to keep", exact=True)).to_be_hidden()
    assert page.evaluate("window.dispatchEvent(new Event('beforeunload', {cancelable: true}))")
    page.get_by_label("Contact", exact=True).fill("Någon annan")
    expect(page.get_by_text("Changes to keep", exact=True)).to_be_visible()
    page.get_by_role("button", name="Try it").click()
    dialog.get_by_role("button", name="Leave", exact=True).click()
    expect(page).to_have_url(f"{installation.url}/chat/{assistant}")
    ready(page)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    expect(page.get_by_label("Contact", exact=True)).to_have_value("Byggenheten")
    page.get_by_role("button", name="History").click()
    expect(page).to_have_url(f"{installation.url}/assistants/{assistant}/history")


def test_only_what_the_model_takes_can_be_set(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:7")
    _, assistant = assistant_of(installation, prompt={"text": "Svara kort."})
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    expect(page.get_by_text("This model does not take a temperature.")).to_be_hidden()
    page.get_by_label("AI model").click()
    page.get_by_role("option", name="Quotes from the documents").click()
    expect(page.get_by_text("This model does not take a temperature.")).to_be_visible()
    expect(page.get_by_label("Reasoning", exact=True)).to_be_hidden()
    assert grave(page) == []
    with closing(installation.client()) as client:
        [model] = [m for m in client.get("/api/v1/completion-models/").json()["items"] if m["name"] == "ok:7"]
        client.put(
            f"/api/v1/admin/tenant-models/completion/{model['id']}/", json={"reasoning": True}
        ).raise_for_status()
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("Reasoning", exact=True).click()
    page.get_by_role("option", name="Little", exact=True).click()
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Saved.").first).to_be_visible()
    with closing(installation.client()) as client:
        kept = client.get(f"/api/v1/assistants/{assistant}/").json()["completion_model_kwargs"]
    assert kept["reasoning_effort"] == "low"


def test_what_answers_instead_and_what_is_asked_first_are_chosen(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "ok:9", "Ny server")
    _, assistant = assistant_of(installation, prompt={"text": "Svara kort."})
    with closing(installation.client()) as client:
        asked = {"assistant_id": assistant, "question": "Vad gäller?"}
        answer = client.post("/api/v1/conversations/", json=asked).raise_for_status().json()
        rating = {"value": 1, "message_id": answer["id"]}
        client.post(f"/api/v1/conversations/{answer['session_id']}/feedback/", json=rating).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    chosen = (
        ("When the model does not answer", "Quotes from the documents"),
        ("Which model is asked first", "The one whose answers people rate best"),
    )
    for label, option in chosen:
        page.get_by_label(label, exact=True).click()
        page.get_by_role("option", name=option).click()
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Saved.").first).to_be_visible()
    page.reload()
    ready(page)
    for label, option in chosen:
        expect(page.locator("label").filter(has=page.get_by_label(label, exact=True))).to_contain_text(option)
    page.goto(f"{installation.url}/admin/models")
    expect(page.get_by_text("1 of 1 rated answers were good in 90 days")).to_be_visible()


def test_what_has_changed_between_versions_of_the_instruction(page: Page, installation: Installation) -> None:
    _, assistant = assistant_of(installation, prompt={"text": "Svara kort."})
    with closing(installation.client()) as client:
        body = {"prompt": {"text": "Svara alltid kort.\nHänvisa till reglementet."}}
        client.post(f"/api/v1/assistants/{assistant}/", json=body).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_role("button", name="Earlier versions").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Svara kort.")).to_be_visible()
    dialog.get_by_role("switch", name="What has changed since the version before").click()
    # Whoever does not see the marks hears them.
    added = dialog.locator("ins")
    expect(added.first).to_contain_text("put in: alltid")
    expect(added.last).to_contain_text("Hänvisa till reglementet")
    assert grave(page) == []
    dialog.get_by_role("button", name="Use this version").click()
    expect(page.get_by_label("Instruction", exact=True)).to_have_value("Svara kort.")
