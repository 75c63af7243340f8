"""The step after the set-up: which AI model is to answer."""

from nicegui import ui

from domain.kernel.actor import Permission
from pages.admin.models import ProviderForm
from pages.components.base import box, button, heading, icon, page_head, paragraph, quiet_button
from pages.i18n import _
from pages.visit import toast, visit


async def welcome() -> None:
    """Choose the built-in quoting, or connect a provider."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    def saved() -> None:
        toast(_("The provider is connected."))
        ui.navigate.to("/")

    def connect() -> None:
        place.clear()
        with place, box("card pad stack"):
            heading(_("Connect an AI model"))
            ProviderForm(saved).build()

    with box("page narrow"):
        page_head(_("Which model is to answer?"), _("You can change this at any time under Administration."))
        with box("card pad stack"):
            with box("line"):
                icon("format_quote").style("font-size:24px;color:var(--accent)")
                heading(_("Begin at once, without an AI model")).classes("grow")
            paragraph(
                _("The right passages of your documents are quoted, with their sources. Nothing leaves this server."),
                "muted",
            )
            button(_("Begin"), lambda: ui.navigate.to("/")).style("align-self:flex-start")
        place = box("full-width")
        with place, box("card pad stack"):
            with box("line"):
                icon("hub").style("font-size:24px;color:var(--accent)")
                heading(_("Connect an AI model")).classes("grow")
            paragraph(
                _("On your own server (Ollama, vLLM and others), or from a provider such as Mistral or OpenAI."),
                "muted",
            )
            quiet_button(_("Connect"), connect).style("align-self:flex-start")
