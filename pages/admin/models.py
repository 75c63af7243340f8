"""Administration: providers and the models they offer."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.credentials.resolver import NEEDS_KEY
from domain.kernel.actor import Permission
from domain.kernel.errors import N_, Invalid
from domain.knowledge.embedding_changes import ChangeScope
from domain.models.capacity import PARALLEL, RATE
from domain.models.choice import AnyChoice, CompletionChoice, EmbeddingChoice, RerankChoice, TranscriptionChoice
from domain.models.entities import ModelProvider, ProviderType
from domain.models.rating import UNRATED, Rating
from domain.models.rerank import SPEAKING as RERANKING
from domain.models.rerank import RerankModelService
from domain.models.service import NEEDS_ADDRESS, ProviderDraft
from domain.models.transcription import SPEAKING, TranscriptionModelService
from domain.ports import ConnectionReport
from pages import embedding_changes
from pages.admin.credentials import credentials_card
from pages.admin.model_facts import edit_facts
from pages.admin.model_moves import moves, replace_model
from pages.components.base import box, button, chip, icon, icon_button, page_head, paragraph, quiet_button
from pages.components.region import Region
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, number
from pages.names import PROVIDERS, facts_of, model_name
from pages.visit import News, act, toast, visit

TYPES = {kind: name for kind, name in PROVIDERS.items() if kind != ProviderType.BUILTIN} | {
    ProviderType.COMPATIBLE: N_("OpenAI-compatible address (Ollama, vLLM, LM Studio …)")
}
EXAMPLES = {ProviderType.COMPATIBLE: "http://127.0.0.1:11434/v1", ProviderType.AZURE: "https://….openai.azure.com"}
TOKEN_LIMIT = 32_000
LIMITS = {PARALLEL: N_("Calls at the same time, at most"), RATE: N_("Tokens a minute, at most")}


async def models() -> None:
    """All providers with their models."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def draw() -> Callable[[], None]:
        services, actor = here.services.models, here.actor
        providers = await services.providers(actor)
        completion = await services.completion_models(actor)
        ratings = await services.ratings(actor)
        embedding = await services.embedding_models(actor)
        transcription = await here.services.transcription_models.all(actor)
        rerank = await here.services.rerank_models.all(actor)
        enabled = here.services.credentials.enabled
        keys = await here.services.credentials.all(actor) if enabled else ()
        moved = await moves()

        def build() -> None:
            if enabled:
                credentials_card(keys)
            for provider in providers:
                _provider(
                    provider,
                    [c for c in completion if c.provider.id == provider.id],
                    [c for c in embedding if c.provider.id == provider.id],
                    [c for c in transcription if c.provider.id == provider.id],
                    [c for c in rerank if c.provider.id == provider.id],
                    completion,
                    ratings,
                )
            moved()

        return build

    with box("page"):
        with page_head(
            _("AI models"), _("Where answers and embeddings come from. Keys are encrypted and never shown again.")
        ):
            button(_("Add provider"), functools.partial(edit_provider, None), icon="add")
        await embedding_changes.changes(ChangeScope(), f"embedding_changes:{here.actor.tenant_id}")
        region = Region(draw)
        await region.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("models_changed", "resync"):
            await region.soon()

    here.listen(f"tenant:{here.actor.tenant_id}", changed)


def _provider(
    provider: ModelProvider,
    completion: Sequence[CompletionChoice],
    embedding: Sequence[EmbeddingChoice],
    transcription: Sequence[TranscriptionChoice],
    rerank: Sequence[RerankChoice],
    every: Sequence[CompletionChoice],
    ratings: Mapping[UUID, Rating],
) -> None:
    builtin = provider.type == ProviderType.BUILTIN
    with box("card"):
        with box("rowline"):
            icon("home" if builtin else "hub")
            with box("grow"):
                ui.label(provider.name).classes("name")
                parts = [_(PROVIDERS[ProviderType(provider.type)]), provider.base_url or ""]
                if provider.key_tail:
                    parts.append(_("key ending in {tail}", tail=provider.key_tail))
                ui.label(" · ".join(p for p in parts if p)).classes("sub").style("overflow-wrap:anywhere")
            chip(_("On") if provider.active else _("Off"), "ok" if provider.active else "")
            if not builtin:
                quiet_button(_("Add model"), functools.partial(add_model, provider), icon="add").props("dense")
                with (
                    icon_button("more_horiz", _("Options for {name}", name=provider.name)),
                    ui.menu().props("auto-close"),
                ):
                    _provider_menu(provider)
        for choice in completion:
            _completion(choice, every, ratings.get(choice.model.id, UNRATED))
        for item in embedding:
            _embedding(item)
        for heard in transcription:
            _transcription(heard)
        for orders in rerank:
            _rerank(orders)
        if not completion and not embedding and not transcription and not rerank:
            ui.label(_("No models yet. Add the ones people may use.")).classes("muted small").style(
                "padding:0 16px 14px"
            )


def _provider_menu(provider: ModelProvider) -> None:
    here = visit()

    async def switch() -> None:
        draft = ProviderDraft(provider.name, provider.type, provider.base_url, None, dict(provider.config))
        await here.services.models.update_provider(here.actor, provider.id, draft, active=not provider.active)

    async def remove() -> None:
        text = _("“{name}”, its key and its models will be gone for good.", name=provider.name)
        if await confirm(_("Delete the provider?"), text, _("Delete")):
            await here.services.models.delete_provider(here.actor, provider.id)
            await here.client.sub_pages_router.refresh()

    ui.menu_item(_("Edit and test"), on_click=functools.partial(edit_provider, provider))
    ui.menu_item(_("Switch off") if provider.active else _("Switch on"), on_click=act(switch))
    ui.menu_item(_("Delete"), on_click=act(remove)).classes("danger")


def _completion(choice: CompletionChoice, every: Sequence[CompletionChoice], rating: Rating) -> None:
    here, model = visit(), choice.model

    async def remove() -> None:
        text = _("“{name}” can no longer be chosen.", name=model_name(model))
        if await confirm(_("Delete the model?"), text, _("Delete")):
            await here.services.models.delete_completion_model(here.actor, model.id)

    with box("rowline"):
        icon("chat")
        with box("grow"):
            ui.label(model_name(model)).classes("name")
            ui.label(" · ".join([model.name, *facts_of(choice), *_rated(rating)])).classes("sub")
        _retiring(choice)
        _resting(choice)
        label = _("Replace {name}", name=model_name(model))
        icon_button("swap_horiz", label, functools.partial(replace_model, choice, every))
        _flags(choice, here.services.models.set_completion_flags, model_name(model))
        if choice.provider.type != ProviderType.BUILTIN:
            icon_button("delete_outline", _("Delete {name}", name=model_name(model)), act(remove))


def _rated(rating: Rating) -> list[str]:
    if not rating.rated:
        return []
    values = {"good": number(rating.good), "rated": number(rating.rated)}
    return [_("{good} of {rated} rated answers were good in 90 days", **values)]


def _embedding(choice: EmbeddingChoice) -> None:
    here, model = visit(), choice.model
    with box("rowline"):
        icon("scatter_plot")
        with box("grow"):
            ui.label(model.name).classes("name")
            kind = _("Embedding, {dimensions} dimensions", dimensions=model.dimensions)
            ui.label(" · ".join([kind, *facts_of(choice)])).classes("sub")
        _retiring(choice)
        _resting(choice)
        title = _("Replace {name} everywhere", name=model.name)
        ask = functools.partial(embedding_changes.ask, ChangeScope(model_id=model.id), title)
        icon_button("swap_horiz", title, act(ask))
        _flags(choice, here.services.models.set_embedding_flags, model.name)


def _transcription(choice: TranscriptionChoice) -> None:
    model = choice.model
    kind = _("{name} · writes down recordings", name=model.name)
    gone = _("“{name}” no longer writes down recordings. What it has written stays.", name=model.nickname)
    _plain(choice, visit().services.transcription_models, "mic", kind, gone)


def _rerank(choice: RerankChoice) -> None:
    model, services = choice.model, visit().services
    kind = _("{name} · puts search results in order", name=model.name)
    gone = _("“{name}” no longer puts in order what searches find.", name=model.nickname)
    _plain(choice, services.rerank_models, "sort", kind, gone)


def _plain(
    choice: TranscriptionChoice | RerankChoice, service: TranscriptionModelService | RerankModelService, symbol: str,
    kind: str, gone: str,
) -> None:  # fmt: skip
    """A model with nothing to set but its switches; `gone` says what becomes of its work when it is deleted."""
    here, model = visit(), choice.model

    async def remove() -> None:
        if await confirm(_("Delete the model?"), gone, _("Delete")):
            await service.delete(here.actor, model.id)

    with box("rowline"):
        icon(symbol)
        with box("grow"):
            ui.label(model.nickname).classes("name")
            ui.label(" · ".join([kind, *facts_of(choice)])).classes("sub")
        _retiring(choice)
        _resting(choice)
        _flags(choice, service.set_flags, model.nickname)
        icon_button("delete_outline", _("Delete {name}", name=model.nickname), act(remove))


def _retiring(choice: AnyChoice) -> None:
    if choice.model.deprecated or choice.retired:
        chip(_("Retired"), "bad")
    elif choice.model.retires_on is not None:
        chip(_("Retires"), "warn")


def _resting(choice: AnyChoice) -> None:
    if visit().services.conversations.health.resting(choice.model.id):
        chip(_("Does not answer"), "bad")


def _flags(choice: AnyChoice, method: Callable[..., Any], name: str) -> None:
    here, model = visit(), choice.model

    async def enable(event: ValueChangeEventArguments[Any]) -> None:
        try:
            await method(here.actor, model.id, enabled=bool(event.value))
        except BaseException:
            switch.value = model.enabled
            raise

    async def prefer() -> None:
        await method(here.actor, model.id, is_default=True)
        toast(_("{name} is now the default.", name=name))

    if model.is_default:
        chip(_("Default"), "acc")
    elif choice.usable:
        quiet_button(_("Make default"), act(prefer)).props("dense")
    icon_button("sell", _("Facts and price of {name}", name=name), functools.partial(edit_facts, choice))
    switch = ui.switch(value=model.enabled)
    switch.props["aria-label"] = _("{name} may be used", name=name)
    switch.on_value_change(act(enable))


def edit_provider(provider: ModelProvider | None) -> None:
    """Add or change a provider in a dialog."""
    made, card = dialog(_("Provider") if provider else _("Add provider"), wide=True)

    def saved() -> None:
        made.close()
        toast(_("Saved."))

    with card:
        ProviderForm(saved, provider, cancel=made.close).build()
    made.open()


class ProviderForm:
    """Type, address and key of a provider; the test says what happened at each step and offers the models it found."""

    def __init__(
        self,
        saved: Callable[[], Any],
        provider: ModelProvider | None = None,
        *,
        cancel: Callable[[], Any] | None = None,
    ) -> None:
        self.visit, self.saved, self.provider, self.cancel = visit(), saved, provider, cancel
        self.limits: dict[str, ui.number] = {}

    def build(self) -> None:
        """The form in the present place."""
        known = self.provider
        names = {kind: _(text) for kind, text in TYPES.items()}
        self.kind = ui.select(names, value=known.type if known else ProviderType.COMPATIBLE, label=_("Type"))
        self.kind.props("outlined stack-label options-dense").on_value_change(self._fit)
        if known:
            self.kind.disable()
        self.name = ui.input(_("Name"), value=known.name if known else "").props("outlined stack-label")
        self.address = ui.input(_("Address"), value=(known.base_url if known else "") or "").props(
            "outlined stack-label"
        )
        hint = (
            _("Leave empty to keep the key ending in {tail}", tail=known.key_tail) if known and known.key_tail else ""
        )
        self.secret = ui.input(_("Key"), password=True, placeholder=hint).props("outlined stack-label autocomplete=off")
        version = str(known.config.get("api_version", "")) if known else ""
        self.version = ui.input(_("API version"), value=version).props("outlined stack-label")
        with box("line wrap"):
            for option, label in LIMITS.items():
                limit = ui.number(_(label), value=known.config.get(option) if known else None, min=1, precision=0)
                self.limits[option] = limit.props("outlined stack-label clearable")
        self.model = ui.input(_("Model to begin with")).props("outlined stack-label")
        self.model.set_visibility(known is None)
        self.outcome = box("full-width")
        self.problem = box("full-width")
        with box("actions-row line wrap").style("justify-content:flex-end"):
            if self.cancel:
                quiet_button(_("Cancel"), self.cancel)
            quiet_button(_("Test the connection"), self._test, icon="network_check")
            button(_("Save"), self._save)
        self._fit()

    def _fit(self) -> None:
        kind = ProviderType(self.kind.value)
        self.address.set_visibility(kind in NEEDS_ADDRESS or bool(self.address.value))
        self.address.props["placeholder"] = EXAMPLES.get(kind, "")
        self.version.set_visibility(kind == ProviderType.AZURE)
        self.secret.props["label"] = _("Key") if kind in NEEDS_KEY else _("Key (if the server asks for one)")
        if not self.provider and (not self.name.value or self.name.value in map(_, PROVIDERS.values())):
            self.name.set_value(_(PROVIDERS[kind]))

    def _draft(self) -> ProviderDraft:
        config: dict[str, Any] = {"api_version": self.version.value.strip()} if self.version.value else {}
        config |= {option: int(entry.value) for option, entry in self.limits.items() if entry.value is not None}
        address = self.address.value or None if self.address.visible else None
        return ProviderDraft(self.name.value or "", self.kind.value, address, self.secret.value or None, config)

    async def _test(self) -> None:
        async def work() -> None:
            self.outcome.clear()
            with self.outcome:
                ui.spinner(size="22px").props["aria-label"] = _("Testing…")
            known = self.provider.id if self.provider else None
            report = await self.visit.services.models.test(self.visit.actor, self._draft(), known)
            self.outcome.clear()
            with self.outcome:
                self._report(report)

        if not await inline(work, self.problem):
            self.outcome.clear()

    def _report(self, report: ConnectionReport) -> None:
        with box("note").props("role=status"), box("stack tight"):
            for message, params, passed in report.steps:
                with box("line").classes("passed" if passed else "refused"):
                    icon("check_circle" if passed else "error_outline")
                    ui.label(_(message, **params)).classes("grow")
        if report.models and not self.provider:
            options = list(dict.fromkeys(report.models))
            chooser = ui.select(options, label=_("Models found"), with_input=len(options) > 10)
            chooser.props("outlined stack-label options-dense").style("margin-top:10px")
            chooser.on_value_change(lambda e: self.model.set_value(e.value))
            chooser.set_value(self.model.value if self.model.value in options else options[0])

    async def _save(self) -> None:
        async def work() -> None:
            services, actor, draft = self.visit.services.models, self.visit.actor, self._draft()
            if self.provider:
                await services.update_provider(actor, self.provider.id, draft)
            else:
                first = (self.model.value or "").strip()
                if not first:
                    raise Invalid(
                        N_("Name the model to begin with. Test the connection to see which there are."), field="model"
                    )
                made = await services.add_provider(actor, draft)
                await services.add_completion_model(actor, made.id, first, make_default=True)
            self.saved()

        await inline(work, self.problem)


def add_model(provider: ModelProvider) -> None:
    """Add a completion or embedding model of a provider."""
    here = visit()
    made, card = dialog(_("Add model"))

    async def submit() -> None:
        async def work() -> None:
            if kind.value == "completion":
                await here.services.models.add_completion_model(
                    here.actor,
                    provider.id,
                    name.value or "",
                    nickname=nickname.value or "",
                    token_limit=int(tokens.value or 0),
                    vision=bool(vision.value),
                    make_default=bool(default.value),
                )
            elif kind.value in ("transcription", "rerank"):
                heard, ordering = here.services.transcription_models, here.services.rerank_models
                add = heard.add if kind.value == "transcription" else ordering.add
                await add(here.actor, provider.id, name.value or "", nickname=nickname.value or "")
            else:
                await here.services.models.add_embedding_model(
                    here.actor, provider.id, name.value or "", dimensions=int(dimensions.value or 0)
                )
            made.close()
            toast(_("The model was added."))

        await inline(work, problem)

    with card:
        paragraph(provider.name, "muted")
        kinds = {"completion": _("Answers questions"), "embedding": _("Embeds documents")}
        if provider.type in SPEAKING:
            kinds["transcription"] = _("Writes down recordings")
        if provider.type in RERANKING:
            kinds["rerank"] = _("Puts search results in order")
        kind = ui.select(kinds, value="completion", label=_("What it does")).props("outlined stack-label options-dense")
        name = ui.input(_("Name at the provider")).props("outlined stack-label autofocus")
        nickname = ui.input(_("Name people see (optional)")).props("outlined stack-label")
        nickname.bind_visibility_from(kind, "value", backward=lambda chosen: chosen != "embedding")
        with box("stack").bind_visibility_from(kind, "value", value="completion"):
            tokens = ui.number(_("Tokens of context"), value=TOKEN_LIMIT, precision=0).props("outlined stack-label")
            vision = ui.switch(_("It can see pictures"))
            default = ui.switch(_("Make it the default"))
        dimensions = ui.number(_("Dimensions"), value=1024, precision=0).props("outlined stack-label")
        dimensions.bind_visibility_from(kind, "value", value="embedding")
        problem = box("full-width")
        cancel_or(made, _("Add model"), submit)
    made.open()
