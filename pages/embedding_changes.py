"""Changing the embedding model: what it takes, and how it goes."""

import functools
from collections.abc import Callable
from uuid import UUID

from nicegui import ui

from domain.knowledge.embedding_changes import ChangeScope, ChangeView
from domain.knowledge.entities import ChangeState, EmbeddingChange
from domain.models.choice import EmbeddingChoice
from pages.components.base import box, chip, icon, icon_button, paragraph, quiet_button, text_element
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, ngettext, number
from pages.visit import News, act, toast, visit


async def changes(scope: ChangeScope, topic: str, done: Callable[[], object] | None = None) -> None:
    """The changes of a scope that are going on, live, and those that failed. `done` is called when one has ended."""
    here = visit()
    rows: dict[str, _Row] = {}

    async def draw() -> Callable[[], None]:
        found = await here.services.embedding_changes.running(here.actor, scope)

        def build() -> None:
            rows.clear()
            if found:
                with box("card").props("role=list"):
                    for view in found:
                        rows[str(view.change.collection_id)] = _Row(view)

        return build

    region = Region(draw)

    async def changed(news: News) -> None:
        if news.kind not in ("embedding_change", "resync"):
            return
        row = rows.get(str(news.data.get("id")))
        if row is None or not row.follow(news.data):
            await region.soon()
            if done is not None and news.data.get("state") in (ChangeState.CLEARING, ChangeState.DONE):
                done()

    # Before the first look, so that nothing that ends meanwhile is missed.
    here.listen(topic, changed)
    await region.refresh()


class _Row:
    """How the change of one collection goes."""

    def __init__(self, view: ChangeView) -> None:
        self.state, change = view.change.state, view.change
        with box("rowline").props("role=listitem"):
            icon("published_with_changes")
            with box("grow"):
                ui.label(view.collection.name).classes("name")
                ui.label(_("New embedding model: {name}", name=view.model.name)).classes("sub")
                if change.error:
                    text = _(change.error, **change.error_params)
                    text_element("div", text, "sub").style("color:var(--err)")
                if self.state == ChangeState.FAILED and change.done:
                    kept = _("{amount} are kept for another attempt.", amount=_amount(change.done, change.total))
                    ui.label(kept).classes("sub")
            if not ChangeState(self.state).open:
                failed = self.state == ChangeState.FAILED
                chip(_("Failed") if failed else _("Cancelled"), "bad" if failed else "")
                again = _("Try to change {name} again", name=view.collection.name)
                icon_button("refresh", again, act(functools.partial(_again, change)))
                label = _("Give up the change of {name}", name=view.collection.name)
                icon_button("close", label, act(functools.partial(_give_up, change)))
                return
            self.bar = ui.linear_progress(_share(change.done, change.total), show_value=False, size="6px")
            self.bar.props("rounded").style("width:120px")
            self.bar.props["aria-label"] = _("Progress of {name}", name=view.collection.name)
            self.chip = chip(_amount(change.done, change.total), "warn")
            label = _("Cancel the change of {name}", name=view.collection.name)
            icon_button("close", label, act(functools.partial(_cancel, change.collection_id)))

    def follow(self, data: dict[str, object]) -> bool:
        """Show progress within a state; False when the row must be drawn anew."""
        if data.get("state") != self.state or self.state != ChangeState.EMBEDDING or self.chip.is_deleted:
            return False
        done, total = int(str(data.get("done") or 0)), int(str(data.get("total") or 0))
        self.bar.set_value(_share(done, total))
        self.chip.set_text(_amount(done, total))
        return True


def _share(done: int, total: int) -> float:
    return round(done / total, 3) if total else 0.0


def _amount(done: int, total: int) -> str:
    return _("{done} of {total} passages", done=number(done), total=number(total))


async def _cancel(collection_id: UUID) -> None:
    here = visit()
    await here.services.embedding_changes.cancel(here.actor, collection_id)


async def _again(change: EmbeddingChange) -> None:
    here = visit()
    scope = ChangeScope(collection_id=change.collection_id)
    await here.services.embedding_changes.start(here.actor, scope, change.model_id)


async def _give_up(change: EmbeddingChange) -> None:
    here = visit()
    await here.services.embedding_changes.give_up(here.actor, change.collection_id)


async def ask(scope: ChangeScope, title: str) -> None:
    """Choose another model, see what the change takes, and begin it."""
    here = visit()
    offered = await here.services.embedding_changes.offered(here.actor, scope)
    made, card = dialog(title)
    with card:
        if not offered:
            paragraph(
                _("There is no other embedding model. An administrator can add one under Administration, AI models.")
            )
            with box("actions-row"):
                quiet_button(_("Close"), made.close)
        else:
            _Form(scope, offered, made).build()
    made.open()


class _Form:
    """Which model, and what it takes."""

    def __init__(self, scope: ChangeScope, offered: list[EmbeddingChoice], made: ui.dialog) -> None:
        self.visit, self.scope, self.offered, self.made = visit(), scope, offered, made

    def build(self) -> None:
        """The form in the present place."""
        text = _(
            "All passages are embedded anew beside the old ones. The search answers with the present model until that "
            "is done; then it changes over at once. Assistants need no change."
        )
        paragraph(text, "muted")
        names = {c.model.id: f"{c.model.name} · {c.provider.name}" for c in self.offered}
        self.model = ui.select(names, label=_("New embedding model"))
        self.model.props("outlined stack-label options-dense autofocus").on_value_change(self._chosen)
        self.cost = box("full-width").props("aria-live=polite")
        self.problem = box("full-width")
        cancel_or(self.made, _("Change model"), self._start).bind_enabled_from(self.model, "value", bool)

    async def _chosen(self) -> None:
        async def work() -> None:
            service = self.visit.services.embedding_changes
            found = await service.preview(self.visit.actor, self.scope, self.model.value)
            self.cost.clear()
            with self.cost:
                parts = [
                    ngettext("{n} collection", "{n} collections", len(found.collections)),
                    ngettext("{n} document", "{n} documents", found.volume.documents),
                    ngettext("{n} passage", "{n} passages", found.volume.chunks),
                    _("about {tokens} tokens", tokens=number(found.volume.tokens)),
                ]
                paragraph(_("What it takes: {parts}.", parts=", ".join(parts)))

        await inline(work, self.problem)

    async def _start(self) -> None:
        async def work() -> None:
            await self.visit.services.embedding_changes.start(self.visit.actor, self.scope, self.model.value)
            self.made.close()
            toast(_("The change has begun. You can follow it here and under Work in progress."))

        await inline(work, self.problem)
