"""The card that says what an assistant is: who answers for it, what it reads, and what is kept."""

from collections.abc import Sequence
from uuid import UUID

from domain.assistants.transparency import Transparency
from domain.conversations.reuse import Reuse
from domain.models.choice import CompletionChoice
from domain.models.entities import ProviderType
from domain.spaces.entities import SpaceKind
from pages.components.base import box, chip, paragraph, quiet_button, text_element
from pages.dialogs import dialog
from pages.i18n import _, ngettext
from pages.names import assistant_name, hosting_name, model_name, space_name
from pages.visit import visit


async def show(assistant_id: UUID) -> None:
    """Open the card of an assistant that the actor may ask."""
    here = visit()
    card = await here.services.transparency.card(here.actor, assistant_id)
    made, place = dialog(_("About {name}", name=assistant_name(card.assistant, card.space)), wide=True)
    with place:
        if card.assistant.description:
            paragraph(card.assistant.description, "muted").style("white-space:pre-line")
        with box("facts", "dl"):
            _part(_("Responsible"), _responsible(card))
            _part(_("AI model"), _model(card.model), bad=card.model is None or not card.model.usable)
            if card.stand_ins:
                _part(_("When it does not answer"), [line for each in card.stand_ins for line in _model(each)])
            _part(_("Reads"), _read(card))
            _part(_("How long conversations are kept"), [_kept(card.keep_days)])
            _part(_("Who can read them"), _readers(card))
        paragraph(_("Answers are written by an AI model and may be wrong. Check the sources."), "muted small")
        with box("actions-row"):
            quiet_button(_("Close"), made.close).props("autofocus")
    made.open()


def _part(title: str, lines: Sequence[str], *, bad: bool = False) -> None:
    text_element("dt", title)
    with box(tag="dd"):
        for line in lines:
            paragraph(line).style("overflow-wrap:anywhere")
        if bad:
            chip(_("No usable model"), "bad")


def _responsible(card: Transparency) -> list[str]:
    lines = [card.assistant.contact] if card.assistant.contact else []
    if not card.assistant.is_default:
        lines.append(_("Made by {name}", name=card.owner.display_name if card.owner else _("Former user")))
    if card.space.kind != SpaceKind.PERSONAL:
        lines.append(_("Belongs to the space {space}", space=space_name(card.space)))
    return lines or [_("Yourself: it belongs to your personal space.")]


def _model(choice: CompletionChoice | None) -> list[str]:
    if choice is None:
        return []
    name = model_name(choice.model)
    lines = [_("{model}, made by {org}", model=name, org=choice.model.org) if choice.model.org else name]
    if choice.provider.type == ProviderType.BUILTIN:
        return [*lines, _("Runs inside this installation. Questions are sent to nobody.")]
    return [
        *lines,
        _("Runs in {place}", place=hosting_name(choice.model.hosting)),
        _("Questions are sent to {provider}.", provider=choice.provider.name),
    ]


def _read(card: Transparency) -> list[str]:
    named = (
        (_("Collections"), [collection.name for collection in card.collections]),
        (_("Websites"), [website.title for website in card.websites]),
        (_("Files with the instruction"), [file.name for file in card.files]),
    )
    lines = [f"{title}: {', '.join(names)}" for title, names in named if names]
    return lines or [_("No documents: it answers from what the model has learned.")]


def _kept(days: int | None) -> str:
    if days is None:
        return _("Until you delete them.")
    return ngettext(
        "Until you delete them, at most {n} day after the last question.",
        "Until you delete them, at most {n} days after the last question.",
        days,
    )


def _readers(card: Transparency) -> list[str]:
    lines = [_("Only you. Nobody else in the organisation can open your conversations.")]
    if card.assistant.insight_enabled:
        lines.append(_("Questions that no document fits are shown to the space's editors, without who asked."))
    if card.assistant.answer_reuse != Reuse.OFF:
        lines.append(_("Others who ask the same may get an answer that you got, without learning that you asked."))
    return lines
