"""Copying an assistant, and moving it to another space, after what does not go along was shown."""

from collections.abc import Iterator, Sequence

from nicegui import ui

from domain.assistants.moving import Account
from domain.assistants.service import AssistantView
from domain.knowledge.entities import Collection
from pages.components.base import box, danger_button, field, note, paragraph, quiet_button
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _
from pages.names import assistant_name, model_name
from pages.sharing import space_select
from pages.visit import toast, visit

SHOWN = 12


async def ask_duplicate(view: AssistantView) -> None:
    """Ask for the name of the copy and its space, and make it."""
    here, source = visit(), view.assistant
    targets = await here.services.moving.targets(here.actor)
    made, card = dialog(_("Duplicate “{name}”", name=assistant_name(source, view.access.space)))

    async def chosen() -> None:
        await _tell(view, target.value, losses, problem, copied=True)

    async def submit() -> None:
        async def work() -> None:
            name = str(entry.value or "")
            copy = await here.services.moving.duplicate(here.actor, source.id, name=name, space_id=target.value)
            made.close()
            toast(_("The copy is a draft of your own."))
            ui.navigate.to(f"/assistants/{copy}")

        await inline(work, problem)

    with card:
        paragraph(_("With instruction, model, settings, files and sources. Conversations are not copied."), "muted")
        entry = field(_("Name"), _("{name} (copy)", name=source.name)).props("autofocus")
        target = space_select(targets, _("In the space"), chosen, present=view.access.space.id)
        losses, problem = box("full-width").props("aria-live=polite"), box("full-width")
        cancel_or(made, _("Duplicate"), submit).bind_enabled_from(target, "value", bool)
    made.open()


async def ask_move(view: AssistantView) -> None:
    """Choose another space, see what becomes of the assistant there, and move it."""
    here, source = visit(), view.assistant
    targets = [s for s in await here.services.moving.targets(here.actor) if s.id != source.space_id]
    made, card = dialog(_("Move “{name}”", name=source.name))

    async def chosen() -> None:
        account = await _tell(view, target.value, losses, problem, copied=False)
        share.set_visibility(bool(account and account.shareable))

    async def submit() -> None:
        async def work() -> None:
            shared = bool(share.visible and share.value)
            await here.services.moving.transfer(here.actor, source.id, target.value, share_sources=shared)
            made.close()
            toast(_("Moved."))
            ui.navigate.to(f"/assistants/{source.id}")

        await inline(work, problem)

    with card:
        if not targets:
            paragraph(_("There is no other space where you may make assistants."))
        else:
            target = space_select(targets, _("To the space"), chosen).props("autofocus")
            paragraph(
                _("Who is not a member there can read old conversations with it, but not go on with them."), "muted"
            )
        losses = box("full-width").props("aria-live=polite")
        share = ui.switch(_("Share the sources with that space, so that they go along"), value=False)
        share.set_visibility(False)
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            if targets:
                danger_button(_("Move"), submit).bind_enabled_from(target, "value", bool)
    made.open()


async def _tell(
    view: AssistantView, space_id: object, place: ui.element, problem: ui.element, *, copied: bool
) -> Account | None:
    """Show what becomes of the assistant in the chosen space."""
    here, told = visit(), []
    place.clear()
    target = next((s for s in await here.services.moving.targets(here.actor) if s.id == space_id), None)
    if target is None:
        return None

    async def work() -> None:
        account = await here.services.moving.account(here.actor, view.assistant.id, target.id)
        models = {c.model.id: model_name(c.model) for c in await here.services.models.completion_models(here.actor)}
        told.append(account)
        lines = list(_losses(account, models.get(account.model_id) if account.model_id else None, copied=copied))
        with place:
            for line in lines:
                note(line, "warn")
            if not lines:
                paragraph(_("Everything goes along."), "muted")

    await inline(work, problem)
    return told[0] if told else None


def _losses(account: Account, model: str | None, *, copied: bool) -> Iterator[str]:
    beside = [*account.shareable, *account.left]
    if beside:
        yield _("Sources that do not go along, since that space may not use them: {names}.", names=_names(beside))
    if account.model_changes and model:
        yield _("Its AI model may not be used there. {model} answers instead.", model=model)
    elif account.model_changes:
        yield _("None of the AI models may be used there. The assistant does not answer until one is chosen.")
    if account.becomes_draft and not copied:
        yield _("It becomes a draft there, until it is published.")
    if account.insight_ends and not copied:
        yield _("Questions without an answer are not kept there any more.")


def _names(collections: Sequence[Collection]) -> str:
    names = [collection.name for collection in collections]
    return ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])])
