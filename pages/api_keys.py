"""API keys of one's own and of an assistant."""

from domain.api_keys.service import IssuedKey, KeyDraft, KeyView
from domain.kernel.access import Action
from domain.kernel.errors import Forbidden
from domain.kernel.paging import Page
from pages.components.api_keys import KeyList, make_key
from pages.components.base import box, button, note, page_head
from pages.i18n import _
from pages.names import assistant_name
from pages.visit import act, identifier, visit


async def mine() -> None:
    """The keys with which programs act in one's own name."""
    here = visit()
    rules = await here.services.api_keys.rules(here.actor)

    async def fetch(_words: str, cursor: str | None) -> Page[KeyView]:
        return await here.services.api_keys.mine(here.actor, cursor=cursor)

    async def make(draft: KeyDraft) -> IssuedKey:
        return await here.services.api_keys.create(here.actor, draft)

    async def new_key() -> None:
        await make_key(make, found, admin=here.actor.is_admin)

    with box("page narrow"):
        text = _("A program with a key acts in your name. A key never has more rights than you.")
        with page_head(_("API keys"), text, back=(_("Account"), "/account")):
            if rules.may_make:
                button(_("New key"), act(new_key), icon="add")
        if not rules.may_make:
            note(_("In your organisation administrators alone make API keys."))
        found = KeyList(fetch)
        await found.refresh()


async def of_assistant(assistant_id: str) -> None:
    """The keys with which programs talk to an assistant."""
    here = visit()
    view = await here.services.assistants.get(here.actor, identifier(assistant_id))
    here.space_id = view.access.space.id
    if Action.EDIT not in view.permissions:
        raise Forbidden
    assistant = view.assistant

    async def fetch(_words: str, cursor: str | None) -> Page[KeyView]:
        return await here.services.api_keys.of_assistant(here.actor, assistant.id, cursor=cursor)

    async def make(draft: KeyDraft) -> IssuedKey:
        return await here.services.api_keys.create_for_assistant(here.actor, assistant.id, draft)

    async def new_key() -> None:
        await make_key(make, found, scopes=False)

    with box("page narrow"):
        text = _("A program with such a key can ask this assistant and nothing else. Each key keeps its conversations.")
        back = (assistant_name(assistant, view.access.space), f"/assistants/{assistant.id}")
        with page_head(_("API keys"), text, back=back):
            button(_("New key"), act(new_key), icon="add")
        found = KeyList(fetch)
        await found.refresh()
