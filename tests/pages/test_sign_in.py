"""Signing in through an identity provider in a real browser, and setting it up with the doctor's help."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.support.server import EMAIL, Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose organisations may have identity providers of their own."""
    data = tmp_path_factory.mktemp("sign-in") / "data"
    with installed(data, WORKERS="0", FEDERATION_PER_TENANT_ENABLED="true") as made:
        yield made


def test_three_mistakes_are_found_and_mended_and_people_sign_in(
    page: Page, installation: Installation, identity_provider: IdentityProvider
) -> None:
    identity_provider.redirect_uris = {"http://localhost/somewhere-else"}
    identity_provider.document = {"issuer": "https://evil.example"}
    identity_provider.person.update(email=EMAIL)
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/sign-in")
    ready(page)
    page.get_by_label("Name on the sign-in page").fill("Sundviks inloggning")
    page.get_by_label("Address of the provider").fill(identity_provider.issuer)
    page.get_by_label("Client id").fill(CLIENT)
    page.get_by_label("Client secret").fill("not the right secret")
    page.get_by_role("button", name="Examine").click()
    redirect = f"{installation.url}/login/callback"
    for mistake in ("is for the issuer https://evil.example", redirect, "refused the client id or the client secret"):
        expect(page.locator(".refused").filter(has_text=mistake)).to_be_visible()
    expect(page.locator(".refused")).to_have_count(3)

    identity_provider.document, identity_provider.redirect_uris = {}, {redirect}
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_text("No mistake was found.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Test sign-in").click()
    expect(page.get_by_text(f"The e-mail address is {EMAIL}.")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("button", name="Switch off")).to_be_visible()

    _usable_by_everybody(page)

    page.context.clear_cookies()
    page.goto(f"{installation.url}/sign-in?next=/account")
    assert grave(page) == []
    page.get_by_role("button", name=re.compile("Sundviks inloggning")).click()
    expect(page).to_have_url(f"{installation.url}/account")
    ready(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")


def _usable_by_everybody(page: Page) -> None:
    """The page with everything on it: axe in both themes, and a narrow screen."""
    page.get_by_role("button", name="Add a group").click()
    page.get_by_role("button", name="Preview").wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert grave(page) == [], scheme
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    ready(page)
    page.get_by_role("button", name="Add a group").click()
    page.get_by_label("Group", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_failure_is_told_with_a_reference(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.url}/login/callback?state=made-up&code=x")
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    expect(page.get_by_text("Reference for your administrator")).to_be_visible()
    page.get_by_role("link", name="Back to the sign-in page").click()
    expect(page).to_have_url(re.compile("/sign-in"))


def test_the_organisation_is_named_where_there_are_several(
    page: Page, tmp_path: Path, identity_provider: IdentityProvider
) -> None:
    """Two organisations: the page asks for one and shows no list."""

    from tests.support.browser import in_thread

    data = tmp_path / "data"
    with installed(data, WORKERS="0", FEDERATION_PER_TENANT_ENABLED="true", ENEO_SUPER_API_KEY="k" * 20) as made:
        in_thread(_second_organisation(data, identity_provider))
        page.goto(f"{made.url}/sign-in")
        field = page.get_by_label("Organisation")
        field.fill("finns-inte")
        page.get_by_role("button", name="Sign in with your organisation").click()
        expect(page.get_by_role("alert")).to_contain_text("No organisation that signs in this way")
        expect(page.get_by_text("Grannkommunen")).to_have_count(0)
        field.fill("chef@grannkommunen.se")
        page.get_by_role("button", name="Sign in with your organisation").click()
        expect(page).to_have_url(f"{made.url}/")
        ready(page)
        expect(page.get_by_text("Grannkommunen").first).to_be_visible()


async def _second_organisation(data: Path, provider: IdentityProvider) -> None:
    """An organisation with a provider and accounts at the first sign-in."""
    from app.bootstrap import build
    from app.config import Settings
    from domain.federation.service import FederationDraft
    from domain.tenants.administration import NewTenant
    from domain.tenants.operator import Operator
    from tests.support.server import MODEL

    settings = Settings(
        _env_file=None, data_dir=data, models_dir=MODEL, outbound_allow="127.0.0.0/8",
        federation_per_tenant_enabled=True,
    )  # type: ignore[call-arg]  # fmt: skip
    runtime = await build(settings, listen=False)
    try:
        new = NewTenant("Grannkommunen", provisioning=True, domain="grannkommunen.se")
        made = await runtime.services.tenants.create(Operator(), new)
        actor = Operator().within(made.tenant.id)
        draft = FederationDraft("Grannens inloggning", provider.issuer, CLIENT, SECRET)
        await runtime.services.federation.save(actor, draft, base="http://localhost", activate=True)
    finally:
        await runtime.close()
