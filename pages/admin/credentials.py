"""Administration: the organisation's keys at AI providers, for model providers without one of their own."""

import functools
from collections.abc import Sequence

from nicegui import ui

from domain.credentials.entities import REQUIRED, TenantCredential
from domain.credentials.service import CredentialDraft
from domain.kernel.errors import N_
from pages.components.base import box, icon, icon_button, paragraph, quiet_button
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _
from pages.visit import act, toast, visit

NAMES = {
    "openai": "OpenAI",
    "azure": "Azure OpenAI",
    "anthropic": "Anthropic",
    "mistral": "Mistral",
    "gemini": "Google Gemini",
    "cohere": "Cohere",
    "hosted_vllm": N_("A server of one's own (vLLM)"),
    "berget": "Berget",
    "gdm": "GDM",
    "ovhcloud": "OVHcloud",
}


def credentials_card(found: Sequence[TenantCredential]) -> None:
    """The keys, each to be replaced or removed."""
    with box("card"):
        with box("rowline"):
            icon("key")
            with box("grow"):
                ui.label(_("Keys of the organisation")).classes("name")
                ui.label(_("Used for providers that have no key of their own.")).classes("sub")
            quiet_button(_("Add key"), functools.partial(edit_credential, None), icon="add").props("dense")
        for credential in found:
            _row(credential)


def _row(credential: TenantCredential) -> None:
    here, name = visit(), _(NAMES[credential.provider])

    async def remove() -> None:
        text = _("Providers without a key of their own are no longer called with the key for {name}.", name=name)
        if await confirm(_("Remove the key?"), text, _("Remove")):
            await here.services.credentials.delete(here.actor, credential.provider)

    with box("rowline"):
        icon("vpn_key")
        with box("grow"):
            ui.label(name).classes("name")
            parts = [_("key ending in {tail}", tail=credential.key_tail)] if credential.key_tail else []
            parts += [part for part in (credential.endpoint, credential.deployment_name) if part]
            ui.label(" · ".join(parts)).classes("sub").style("overflow-wrap:anywhere")
        quiet_button(_("Replace"), functools.partial(edit_credential, credential)).props("dense").props[
            "aria-label"
        ] = _("Replace the key for {name}", name=name)
        icon_button("delete_outline", _("Remove the key for {name}", name=name), act(remove))


def edit_credential(known: TenantCredential | None) -> None:
    """Enter a key in a dialog. The key is always entered anew, with the address it is for."""
    here = visit()
    made, card = dialog(_("Replace key") if known else _("Add key"))

    def fit() -> None:
        needed = REQUIRED[kind.value]
        version.set_visibility("api_version" in needed)
        deployment.set_visibility("deployment_name" in needed)

    async def save() -> None:
        async def work() -> None:
            draft = CredentialDraft(
                secret.value or "",
                address.value or None,
                version.value or None if version.visible else None,
                deployment.value or None if deployment.visible else None,
            )
            await here.services.credentials.save(here.actor, kind.value, draft)
            made.close()
            toast(_("Saved."))

        await inline(work, problem)

    with card:
        paragraph(_("The key is encrypted and never shown again. It is sent to this address alone."), "muted")
        names = {name: _(text) for name, text in NAMES.items()}
        kind = ui.select(names, value=known.provider if known else "openai", label=_("Provider"))
        kind.props("outlined stack-label options-dense").on_value_change(fit)
        if known:
            kind.disable()
        secret = ui.input(_("Key"), password=True).props("outlined stack-label autocomplete=off autofocus")
        address = ui.input(_("Address"), value=(known.endpoint if known else "") or "").props("outlined stack-label")
        version = ui.input(_("API version"), value=(known.api_version if known else "") or "")
        version.props("outlined stack-label")
        deployment = ui.input(_("Deployment"), value=(known.deployment_name if known else "") or "")
        deployment.props("outlined stack-label")
        problem = box("full-width")
        cancel_or(made, _("Save"), save)
    fit()
    made.open()
