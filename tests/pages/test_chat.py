"""The chat in a real browser: stopping, a second tab, and text that would like to be a program."""

import re
from collections.abc import Iterator
from contextlib import closing

import pypdfium2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in, somebody
from tests.support.provider import Provider
from tests.support.server import Installation, installed

HOSTILE = (
    "<img src=x onerror=window.owned=1> <script>window.owned=1</script> [here](javascript:window.owned=1) "
    "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>"
)


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation."""
    with installed(tmp_path_factory.mktemp("chat") / "data", WORKERS="0") as made:
        yield made


def ask(page: Page, url: str, question: str) -> None:
    page.goto(f"{url}/chat")
    ready(page)
    page.get_by_label("Message", exact=True).fill(question)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/conversations/"))


def test_a_stopped_answer_keeps_its_text_in_every_tab(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "rate:10:600")
    sign_in(page, installation.url)
    ask(page, installation.url, "Berätta länge")
    expect(page.get_by_role("log")).to_contain_text("w3 ")
    second = page.context.new_page()
    second.goto(page.url)
    ready(second)
    expect(second.get_by_role("log")).to_contain_text("w8 ")
    second.get_by_test_id("stop").click()
    for tab in (page, second):
        expect(tab.get_by_test_id("send")).to_be_visible()
        expect(tab.get_by_role("log")).to_contain_text("w8 ")
    assert provider.wait_for_disconnect()
    with closing(installation.client()) as client:
        session = client.get("/api/v1/conversations/").json()["items"][0]["id"]
        [message] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
    assert message["state"] == "stopped"
    words = message["answer"].split()
    assert words == [f"w{n}" for n in range(len(words))]
    assert 8 < len(words) < 600


def test_two_devices_and_many_reloads_show_the_identical_text(
    page: Page, browser: Browser, installation: Installation, provider: Provider
) -> None:
    words = [f"ord{n}å" for n in range(150)]
    provider.script = " ".join(words)
    provider.may_end.clear()
    installation.add_model(provider.url, "script:12")
    sign_in(page, installation.url)
    ask(page, installation.url, "Berätta länge")
    other = somebody(browser, viewport={"width": 360, "height": 700})
    phone = other.new_page()
    sign_in(phone, installation.url)
    phone.goto(page.url)
    ready(phone)
    for _ in range(5):
        expect(page.get_by_test_id("stop")).to_be_visible()
        shown = re.findall(r"ord\d+å", page.get_by_role("log").inner_text())
        # The last word may be cut by the moment; what is before it is whole and in its order.
        assert shown[:-1] == words[: len(shown[:-1])]
        page.reload()
        ready(page)
    provider.may_end.set()
    for device in (page, phone):
        expect(device.get_by_role("log")).to_contain_text(words[-1])
        expect(device.get_by_test_id("send")).to_be_visible()
        assert re.findall(r"ord\d+å", device.get_by_role("log").inner_text()) == words
    assert len(provider.seen.requests) == 1
    other.close()


def test_what_a_model_thinks_is_there_for_those_who_open_it(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "think:120:5:20")
    sign_in(page, installation.url)
    ask(page, installation.url, "Tänk efter!")
    thoughts = page.get_by_test_id("thoughts")
    summary = thoughts.locator("summary")
    expect(summary).to_contain_text("What the model thinks")
    expect(thoughts.locator(".thought")).to_be_hidden()
    summary.focus()
    page.keyboard.press("Enter")
    expect(thoughts.locator(".thought")).to_contain_text("t9 ")
    page.reload()
    ready(page)
    summary.click()
    expect(thoughts.locator(".thought")).to_contain_text(" ".join(f"t{n}" for n in range(120)))
    expect(page.get_by_role("log").locator(".prose")).to_have_text("w0 w1 w2 w3 w4")
    expect(summary).to_contain_text("The model thought for")
    assert grave(page) == []
    page.reload()
    ready(page)
    expect(thoughts.locator(".thought")).to_be_hidden()
    summary.click()
    expect(thoughts.locator(".thought")).to_contain_text("t118 t119")


def test_a_long_conversation_says_that_it_is_summed_up(
    page: Page, installation: Installation, provider: Provider
) -> None:
    with closing(installation.client()) as client:
        server = {"name": "Liten", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        model = {"provider_id": added, "name": "ok:150", "display_name": "Liten", "token_limit": 4_000}
        path = "/api/v1/admin/tenant-models/completion/"
        made = client.post(path, json=model | {"is_default": True}).raise_for_status().json()["id"]
        space = client.post("/api/v1/spaces/", json={"name": "Långt"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Den minnesgoda"}).json()["id"]
        body = {"completion_model": {"id": made}}
        client.post(f"/api/v1/assistants/{assistant}/", json=body).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    box = page.get_by_label("Message", exact=True)
    for number, question in enumerate(("Fråga ett?", "Fråga två?"), 1):
        box.fill(question)
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("why")).to_have_count(number)
    summary = page.get_by_test_id("summary")
    expect(summary).to_have_count(1)
    summary.locator("summary").click()
    expect(summary.locator(".thought")).to_contain_text("w0 w1")
    assert grave(page) == []
    page.reload()
    ready(page)
    expect(summary.locator("summary")).to_have_text(re.compile("summed up for the model"))


def test_another_model_stands_in_and_goes_on_when_asked(
    page: Page, installation: Installation, provider: Provider
) -> None:
    with closing(installation.client()) as client:
        server = {"name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        for name in ("ok:5", "cut:6", "err:401"):
            model = {
                "provider_id": added,
                "name": name,
                "display_name": f"Modell {name}",
                "is_default": name == "cut:6",
            }
            client.post("/api/v1/admin/tenant-models/completion/", json=model).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/models")
    for name in ("cut:6", "err:401"):
        ready(page)
        page.get_by_role("button", name=f"Facts and price of Modell {name}").click()
        page.get_by_role("dialog").get_by_label("Answers when it does not").click()
        page.get_by_role("option", name="Modell ok:5").click()
        page.keyboard.press("Escape")
        assert grave(page) == []
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved").first).to_be_visible()
        page.reload()
    ask(page, installation.url, "Bryts detta?")
    expect(page.get_by_text("broke off")).to_be_visible()
    page.get_by_role("button", name="Continue with Modell ok:5").click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("w5 w0 w1 w2 w3 w4")
    expect(log).to_contain_text("Modell ok:5")
    with closing(installation.client()) as client:
        models = client.get("/api/v1/completion-models/").json()["items"]
        refusing = next(m["id"] for m in models if m["name"] == "err:401")
        client.post(f"/api/v1/completion-models/{refusing}/", json={"is_org_default": True}).raise_for_status()
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).raise_for_status().json()["id"]
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    page.get_by_label("Message", exact=True).fill("Vem svarar?")
    page.keyboard.press("Enter")
    said = "Modell ok:5 answers, because Modell err:401 refused the key."
    expect(page.get_by_test_id("stood-in")).to_have_text(said)
    assert grave(page) == []
    page.reload()
    ready(page)
    expect(page.get_by_test_id("stood-in")).to_have_text(said)
    page.get_by_test_id("why").click()
    expect(page.get_by_text("Modell err:401 refused the key")).to_be_visible()


def test_an_answer_that_is_given_again_says_so(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).raise_for_status().json()["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("Earlier answers").click()
    page.get_by_role("option", name="Give them again when the model would be asked the very same").click()
    page.get_by_label("For so many hours").fill("3")
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    for _ in range(2):
        page.goto(f"{installation.url}/chat/{assistant}")
        ready(page)
        page.get_by_label("Message", exact=True).fill("Vad kostar bygglov?")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/conversations/"))
        expect(page.get_by_test_id("send")).to_be_visible()
    expect(page.get_by_test_id("stood-in")).to_contain_text("This answer was given before, to the same question")
    assert provider.seen.calls["echo"] == 1
    page.get_by_label("Answer again").click()
    expect(page.get_by_test_id("stood-in")).to_have_count(0)
    expect(page.get_by_test_id("send")).to_be_visible()
    assert provider.seen.calls["echo"] == 2


def test_a_question_to_begin_with_goes_into_the_box(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    with closing(installation.client()) as client:
        assistant = client.get("/api/v1/spaces/type/personal/").json()["default_assistant"]["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("Questions to begin with").fill("Vad kostar bygglov?\n\nVem <b>beslutar</b>?")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    starters = page.get_by_role("list", name="Questions to begin with").get_by_role("button")
    expect(starters).to_have_text(["Vad kostar bygglov?", "Vem <b>beslutar</b>?"])
    assert grave(page) == []
    starters.first.focus()
    page.keyboard.press("Enter")
    box = page.get_by_label("Message", exact=True)
    expect(box).to_have_value("Vad kostar bygglov?")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/conversations/"))
    expect(page.get_by_role("log")).to_contain_text("Vad kostar bygglov?")
    expect(starters).to_have_count(0)


def test_what_a_model_says_is_never_a_program(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, HOSTILE)
    log = page.get_by_role("log")
    expect(log).to_contain_text("Enligt underlaget")
    expect(page.get_by_test_id("send")).to_be_visible()
    assert page.evaluate("window.owned") is None
    assert log.locator("script, iframe, [onerror], a[href^='javascript']").count() == 0
    page.reload()
    ready(page)
    expect(log).to_contain_text("Enligt underlaget")
    assert page.evaluate("window.owned") is None


def test_a_conversation_is_taken_along_from_its_menu(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, "Får jag ta med mig åäö?")
    expect(page.get_by_test_id("send")).to_be_visible()
    page.get_by_role("main").get_by_label(re.compile("^Options for")).first.click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert "Får jag ta med mig åäö" in taken.value.path().read_text("utf-8")
    page.get_by_role("main").get_by_label(re.compile("^Options for")).first.click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name="Export as PDF").click()
    first = pypdfium2.PdfDocument(taken.value.path())[0]
    assert "Får jag ta med mig åäö?" in first.get_textpage().get_text_range()


def test_an_answer_is_found_again_by_its_words(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, "Var står ordet blåklint?")
    expect(page.get_by_test_id("send")).to_be_visible()
    page.get_by_role("link", name="All conversations").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/conversations$"))
    page.get_by_label("Search conversations").fill("BLÅKLINT")
    expect(page.get_by_test_id("excerpt").locator("mark").first).to_have_text("blåklint")
    page.get_by_label("Search conversations").fill("prästkrage")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_a_question_mark_shows_what_the_keyboard_does(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/conversations")
    ready(page)
    page.keyboard.press("Shift+?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_contain_text("New chat")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
