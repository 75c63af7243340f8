"""People, roles and groups on the administrator's pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.test_pages import add_user, grave, open_page
from tests.support.browser import sign_in, somebody
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """A program with one organisation and its administrator, and Bo Ek."""
    with installed(tmp_path_factory.mktemp("people") / "data", WORKERS="0") as made:
        add_user(made, browser, "Bo Ek", "bo@sundvik.se")
        yield made


def test_a_role_is_made_given_explained_and_its_permissions_work(
    page: Page, installation: Installation, browser: Browser
) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/roles")
    page.get_by_role("button", name="New role").click()
    page.get_by_role("dialog").get_by_label("Name").fill("People keeper")
    page.get_by_role("checkbox", name="Administer the organisation").click()
    assert grave(page) == []
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("listitem").filter(has_text="People keeper")).to_contain_text("0 people")
    open_page(page, f"{installation.url}/admin/users")
    page.get_by_label("Roles of Bo Ek").click()
    page.get_by_role("option", name="People keeper").click()
    expect(page.get_by_text("The roles were changed.")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Options for Bo Ek").click()
    page.get_by_role("menuitem", name="Permissions").click()
    line = page.get_by_role("dialog").get_by_role("listitem").filter(has_text="Administer the organisation")
    expect(line).to_contain_text("People keeper")
    context = somebody(browser)
    theirs = context.new_page()
    sign_in(theirs, installation.url, "bo@sundvik.se")
    expect(theirs.get_by_role("link", name="Users")).to_be_visible()
    context.close()


def test_a_group_gets_members_by_address_and_loses_them(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/user-groups")
    page.get_by_role("button", name="New group").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Building permits")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Members of Building permits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill("nobody@sundvik.se")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert").get_by_text("The user was not found.")).to_be_visible()
    dialog.get_by_label("E-mail").fill("bo@sundvik.se")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("listitem")).to_contain_text("bo@sundvik.se")
    assert grave(page) == []
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("listitem").filter(has_text="Building permits")).to_contain_text("1 member")
    page.get_by_role("button", name="Members of Building permits").click()
    page.get_by_role("button", name="Remove Bo Ek").click()
    expect(page.get_by_text("Nobody yet.")).to_be_visible()


def test_a_deleted_account_can_be_restored(page: Page, installation: Installation, browser: Browser) -> None:
    add_user(installation, browser, "Siv Alm", "siv@sundvik.se")
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/users")
    page.get_by_role("button", name="Options for Siv Alm").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("listitem").get_by_text("Siv Alm")).to_have_count(0)
    page.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="Deleted").click()
    page.get_by_role("button", name="Options for Siv Alm").click()
    page.get_by_role("menuitem", name="Restore").click()
    expect(page.get_by_text("The account was restored.")).to_be_visible()
    context = somebody(browser)
    sign_in(context.new_page(), installation.url, "siv@sundvik.se")
    context.close()


def test_many_are_imported_and_changed_at_once(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/users")
    page.get_by_role("button", name="Import").click()
    table = (
        "email;namn;roll\nulla@sundvik.se;Ulla Ask;User\nper@sundvik.se;Per Ask;\ningen;Ingen;\n=x@sundvik.se;X;Nope\n"
    )
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": table.encode()}
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(file)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("2 people can be invited.")).to_be_visible()
    expect(dialog.get_by_text("2 lines are wrong and left out.")).to_be_visible()
    assert grave(page) == []
    dialog.get_by_role("button", name="Invite 2 people").click()
    expect(dialog.get_by_text("2 people were invited.")).to_be_visible()
    with page.expect_download() as downloaded:
        dialog.get_by_role("button", name="Download the links").click()
    links = downloaded.value.path().read_text("utf-8-sig")
    assert links.count("/invitation?token=") == 2
    dialog.get_by_role("button", name="Done").click()
    for name in ("Ulla Ask", "Per Ask"):
        page.get_by_role("checkbox", name=f"Choose {name}").click()
    bar = page.get_by_role("region", name="Chosen people")
    expect(bar.get_by_text("2 chosen")).to_be_visible()
    assert grave(page) == []
    bar.get_by_role("button", name="Give role").click()
    page.get_by_role("menuitem", name="AI configurator").click()
    expect(page.get_by_text("2 accounts were changed.")).to_be_visible()
    bar = page.get_by_role("region", name="Chosen people")
    expect(bar).to_be_hidden()
    page.get_by_label("Role", exact=True).click()
    page.get_by_role("option", name="AI configurator").click()
    expect(page.get_by_role("checkbox", name="Choose anna")).to_have_count(0)  # the owner holds another role
    page.get_by_role("checkbox", name="Choose Per Ask").click()
    page.get_by_role("region", name="Chosen people").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("listitem").get_by_text("Per Ask")).to_have_count(0)
    expect(page.get_by_role("listitem").get_by_text("Ulla Ask")).to_be_visible()
