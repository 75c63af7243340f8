"""What people do all day in a chat, from the first word to what they find again: in a real browser, with a real provider."""

import base64
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.pages.test_pages import grave
from tests.support import documents, more_documents
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own."""
    limits = {"UPLOAD_FILE_TO_SESSION_MAX_SIZE": "1000000", "RATE_LIMIT_QUESTIONS": "0"}
    with installed(tmp_path_factory.mktemp("flows") / "data", WORKERS="0", **limits) as made:
        yield made


def helper(installation: Installation, provider: Provider, model: str, **more: Any) -> tuple[str, str]:
    """An assistant in a space of its own that answers by `model`: the ids of both."""
    with closing(installation.client()) as client:
        server = {"name": str(uuid4()), "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        facts = {"provider_id": added, "name": model, "display_name": f"{model} {added[-6:]}", **more}
        made = client.post("/api/v1/admin/tenant-models/completion/", json=facts).raise_for_status().json()["id"]
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).raise_for_status().json()["id"]
        chosen = {"completion_model": {"id": made}}
        client.post(f"/api/v1/assistants/{assistant}/", json=chosen).raise_for_status()
    return space, assistant


def chat(page: Page, installation: Installation, assistant: str) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)


def ask(page: Page, question: str) -> None:
    page.get_by_label("Message", exact=True).fill(question)
    page.keyboard.press("Enter")


def test_the_first_chat(page: Page, installation: Installation, provider: Provider) -> None:
    _, assistant = helper(installation, provider, "rate:12:24")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat(page, installation, assistant)
    box, log = page.get_by_label("Message", exact=True), page.get_by_role("log")
    expect(box).to_be_focused()
    expect(page.get_by_test_id("send")).to_be_disabled()
    page.keyboard.type("Hej!")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Vad kan du?")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("message-question-0").locator(".bubble")).to_have_text("Hej!\nVad kan du?")
    expect(page.get_by_test_id("stop")).to_be_visible()
    for word in ("w1 ", "w8 ", "w16 "):
        expect(log).to_contain_text(word)
        expect(log).not_to_contain_text("w23")
    expect(log).to_contain_text("w23")
    expect(page.get_by_test_id("send")).to_be_visible()
    expect(box).to_be_focused()
    page.get_by_test_id("copy").click()
    said = "".join(f"w{n} " for n in range(24))
    assert page.evaluate("navigator.clipboard.readText()").strip() == said.strip()
    address = page.url
    assert "/conversations/" in address
    page.reload()
    ready(page)
    expect(log).to_contain_text(said.strip())
    page.get_by_role("navigation", name="Main").get_by_role("button", name="New chat").click()
    expect(page.get_by_test_id("message-question-0")).to_have_count(0)
    expect(page).not_to_have_url(address)
    expect(box).to_be_focused()
    page.keyboard.press("Tab")
    expect(box).not_to_be_focused()


def test_who_does_something_else_keeps_the_focus_when_an_answer_ends(
    page: Page, installation: Installation, provider: Provider
) -> None:
    provider.script = "Det kostar 4 300 kronor"
    provider.may_end.clear()
    _, assistant = helper(installation, provider, "script")
    chat(page, installation, assistant)
    ask(page, "Vad kostar det?")
    log = page.get_by_role("log")
    expect(log).to_contain_text("Det kostar")
    log.focus()
    provider.may_end.set()
    expect(log).to_contain_text("kronor")
    expect(page.get_by_test_id("send")).to_be_visible()
    expect(log).to_be_focused()


def test_what_goes_wrong_is_told_and_nothing_is_lost(
    page: Page, installation: Installation, provider: Provider
) -> None:
    _, assistant = helper(installation, provider, "cut:6")
    chat(page, installation, assistant)
    ask(page, "Bryts detta?")
    answer = page.get_by_test_id("message-answer-0")
    expect(answer).to_contain_text("w0 w1 w2 w3 w4 w5")
    expect(answer.get_by_role("status")).to_contain_text("broke off. What had arrived is kept.")
    expect(answer.get_by_role("button", name="Continue")).to_be_visible()
    assert grave(page) == []
    # Fails twice (it is asked once more by itself), then answers.
    other = Provider()
    other.start()
    try:
        _, assistant = helper(installation, other, "retry:2")
        page.goto(f"{installation.url}/chat/{assistant}")
        ready(page)
        ask(page, "Går det nu?")
        expect(answer.get_by_role("status")).to_contain_text("The AI provider has a problem of its own (status 500).")
        expect(page.get_by_test_id("message-question-0")).to_contain_text("Går det nu?")
        page.reload()
        ready(page)
        answer.get_by_role("button", name="Try again").click()
        expect(answer).to_contain_text("w0 w1")
        expect(answer.get_by_role("button", name="Try again")).to_have_count(0)
    finally:
        other.stop()


def test_an_answer_is_whole_and_there_once_after_the_network_was_away(
    page: Page, installation: Installation, provider: Provider
) -> None:
    words = [f"ord{n}" for n in range(60)]
    provider.script = " ".join(words)
    provider.may_end.clear()
    _, assistant = helper(installation, provider, "script:30")
    away, sockets = False, []

    def connect(socket: WebSocketRoute) -> None:
        if away:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route_web_socket(re.compile("_nicegui"), connect)
    page.route(re.compile(r"_nicegui_ws/"), lambda route: route.abort() if away else route.continue_())
    chat(page, installation, assistant)
    ask(page, "Berätta")
    expect(page.get_by_role("log")).to_contain_text("ord5 ")
    away = True
    for socket in sockets:
        socket.close()
    with closing(installation.client()) as client:
        session = page.url.rpartition("/")[2]
        provider.may_end.set()
        deadline = time.monotonic() + 60
        while client.get(f"/api/v1/conversations/{session}/").json()["messages"][0]["state"] == "running":
            assert time.monotonic() < deadline
            page.wait_for_timeout(100)
    away = False
    expect(page.get_by_role("log")).to_contain_text("ord59")
    expect(page.get_by_test_id("send")).to_be_visible()
    assert re.findall(r"ord\d+", page.get_by_test_id("message-answer-0").inner_text()) == words


def test_files_are_brought_by_button_drop_and_paste(page: Page, installation: Installation, provider: Provider) -> None:
    _, assistant = helper(installation, provider, "ok:3", vision=True)
    with closing(installation.client()) as client:
        server = {"name": "Lyssnare", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        model = {"provider_id": added, "name": "ok:4", "display_name": "Lyssnaren"}
        client.post("/api/v1/admin/tenant-models/transcription/", json=model).raise_for_status()
    chat(page, installation, assistant)
    composer = page.locator(".composer")
    chips = composer.get_by_role("listitem")
    picker = composer.locator("input[type=file]")
    picker.set_input_files([
        {"name": "taxa.pdf", "mimeType": "application/pdf", "buffer": documents.pdf(["Taxan är 4 300 kronor."])},
        {"name": "karta.png", "mimeType": "image/png", "buffer": PIXEL},
    ])  # fmt: skip
    bring = """(place, [kind, name, type, content]) => {
        const carried = new DataTransfer();
        carried.items.add(new File([content], name, {type}));
        const event = kind === 'paste' ? new ClipboardEvent('paste', {clipboardData: carried, bubbles: true})
            : new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true});
        place.dispatchEvent(event);
    }"""
    page.get_by_role("log").evaluate(bring, ["drop", "anteckning.txt", "text/plain", "Mötet är på tisdag."])
    page.get_by_label("Message", exact=True).evaluate(bring, ["paste", "klipp.txt", "text/plain", "Ur urklipp"])
    expect(page.get_by_test_id("send")).to_be_enabled()
    assert [chip.inner_text().split("\n")[1] for chip in chips.all()] == [
        "taxa.pdf", "karta.png", "anteckning.txt", "klipp.txt",
    ]  # fmt: skip
    picker.set_input_files([
        {"name": "spel.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
        {"name": "stor.txt", "mimeType": "text/plain", "buffer": b"a" * 1_000_001},
        {"name": "möte.wav", "mimeType": "audio/wav", "buffer": more_documents.wav(1)},
    ])  # fmt: skip
    expect(chips.filter(has_text="spel.exe")).to_contain_text("Files of this type cannot be read.")
    expect(chips.filter(has_text="stor.txt")).to_contain_text("The file is too large.")
    page.set_viewport_size({"width": 360, "height": 700})
    inside = "[...document.querySelectorAll('.composer li')].every(li => li.getBoundingClientRect().right <= 344)"
    assert page.evaluate(inside)
    page.set_viewport_size({"width": 1440, "height": 900})
    for name in ("spel.exe", "stor.txt", "klipp.txt"):
        composer.get_by_role("button", name=f"Remove {name}").click()
    expect(chips).to_have_count(4)
    expect(page.get_by_test_id("send")).to_be_enabled()
    assert grave(page) == []
    ask(page, "Vad står det?")
    question = page.get_by_test_id("message-question-0")
    expect(question.get_by_role("link")).to_have_count(4)
    expect(page.get_by_test_id("message-answer-0")).to_contain_text("w2")
    sent = str(provider.seen.requests[-1]["messages"])
    for part in ("4 300 kronor", "image_url", "tisdag", "Mening 3"):
        assert part in sent
    assert "Ur urklipp" not in sent
    with page.expect_download() as brought:
        question.get_by_role("link", name="anteckning.txt").click()
    assert brought.value.path().read_text(encoding="utf-8") == "Mötet är på tisdag."
    picker.set_input_files([{"name": f"{n}.txt", "mimeType": "text/plain", "buffer": b"Text"} for n in range(21)])
    expect(chips.filter(has_text="At most")).not_to_have_count(0)


def test_an_answer_is_rated_with_a_comment(page: Page, installation: Installation, provider: Provider) -> None:
    _, assistant = helper(installation, provider, "ok:3")
    chat(page, installation, assistant)
    ask(page, "Hjälper det?")
    answer = page.get_by_test_id("message-answer-0")
    answer.get_by_role("button", name="Bad answer").click()
    remark = answer.get_by_label("What was good or bad about it? (optional)")
    expect(remark).to_be_visible()
    assert grave(page) == []
    remark.fill("Svarar inte på frågan.")
    answer.get_by_role("button", name="Send the comment").click()
    expect(page.get_by_text("Your comment was saved.")).to_be_visible()
    expect(answer.get_by_role("button", name="Bad answer")).to_be_focused()
    session = page.url.rpartition("/")[2]
    with closing(installation.client()) as client:
        [message] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
    assert message["feedback"] == {"value": -1, "text": "Svarar inte på frågan."}
    page.reload()
    ready(page)
    expect(answer.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    answer.get_by_role("button", name="Bad answer").click()
    expect(remark).to_have_value("Svarar inte på frågan.")


def test_a_long_history_is_paged_sought_named_and_deleted(
    page: Page, installation: Installation, provider: Provider
) -> None:
    _, assistant = helper(installation, provider, "ok:2")
    with closing(installation.client()) as client:
        body: dict[str, Any] = {"assistant_id": assistant, "question": "Fråga 0"}
        oldest = client.post("/api/v1/conversations/", json=body).raise_for_status().json()["session_id"]
        follow = {"session_id": oldest, "question": "Får hönan Agda bo här?"}
        client.post("/api/v1/conversations/", json=follow).raise_for_status()
        for number in range(1, 120):
            body["question"] = f"Fråga {number}"
            client.post("/api/v1/conversations/", json=body).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/conversations")
    ready(page)
    main = page.get_by_role("main")
    rows = main.get_by_role("listitem")
    expect(rows.first).to_contain_text("Fråga 119")
    shown = rows.count()
    main.get_by_role("button", name="Next").click()
    expect(rows.first).to_contain_text(f"Fråga {119 - shown}")
    main.get_by_label("Search conversations").fill("hönan Agda")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    expect(page.get_by_test_id("message-question-1")).to_contain_text("Får hönan Agda bo här?")
    page.goto(f"{installation.url}/conversations/{oldest}")
    ready(page)
    page.get_by_role("main").get_by_role("button", name=re.compile("Options")).click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Om höns")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Om höns")
    expect(page).to_have_title("Om höns · Samråd")
    page.get_by_role("main").get_by_role("button", name=re.compile("Options")).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(f"/chat/{assistant}"))
    with closing(installation.client()) as client:
        assert client.get(f"/api/v1/conversations/{oldest}/").status_code == 404


def test_an_assistant_from_blank(page: Page, installation: Installation, provider: Provider) -> None:
    space, _ = helper(installation, provider, "ok:4")
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/assistants")
    ready(page)
    page.get_by_role("button", name="Create assistant").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Bygglov")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/assistants/"))
    instruction = page.get_by_label("Instruction", exact=True)
    page.get_by_label("AI model", exact=True).click()
    page.get_by_role("option", name=re.compile("ok:4")).first.click()
    for text in ("Svara om bygglov.", "Svara om bygglov, kort."):
        instruction.fill(text)
        page.get_by_test_id("save").click()
        expect(page.get_by_text("Changes to keep")).to_be_hidden()
    page.get_by_label("Description", exact=True).fill("Svarar om lov.")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Start").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Leave without saving?")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Earlier versions").click()
    expect(dialog.get_by_text("Svara om bygglov, kort.").first).to_be_visible()
    assert grave(page) == []
    dialog.get_by_role("button", name=re.compile("Use this")).last.click()
    expect(instruction).to_have_value("Svara om bygglov.")
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Changes to keep")).to_be_hidden()
    page.get_by_role("button", name="Try it").click()
    ask(page, "Vad gäller?")
    expect(page.get_by_role("log")).to_contain_text("w3")
    assert "Svara om bygglov." in str(provider.seen.requests[-1]["messages"][0])
