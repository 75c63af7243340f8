"""All conversations of the actor."""

from uuid import UUID

from nicegui import ui

from domain.conversations.entities import Conversation
from domain.conversations.looking_back import Excerpt
from domain.kernel.paging import Page
from pages.components.base import box, button, empty_state, icon, icon_button, link_box, page_head, text_element
from pages.components.pager import PagedList
from pages.i18n import _, moment
from pages.navigation import conversation_icon, conversation_menu
from pages.turns import marked_parts
from pages.visit import News, visit

Row = tuple[Conversation, UUID | None, Excerpt | None]


async def history() -> None:
    """The pinned ones first, then the newest, with search in names, questions and answers."""
    here = visit()

    async def fetch(words: str, cursor: str | None) -> Page[Row]:
        if words:
            found = await here.services.looking_back.search(here.actor, words, cursor=cursor)
            return Page([(each.conversation, each.message_id, each.excerpt) for each in found.items], found.next_cursor)
        pinned = [] if cursor else [*await here.services.conversations.pinned(here.actor)]
        page = await here.services.conversations.page(here.actor, cursor=cursor, pinned=False)
        return Page([(each, None, None) for each in (*pinned, *page.items)], page.next_cursor)

    def row(item: Row) -> None:
        conversation, message_id, excerpt = item
        with box("rowline").props("role=listitem"):
            icon(conversation_icon(conversation))
            if conversation.pinned_at:
                text_element("span", _("Pinned"), "sr-only")
            place = f"/at/{message_id}" if message_id else ""
            with link_box(f"/conversations/{conversation.id}{place}", "grow") as link:
                link.style("text-decoration:none;color:inherit")
                ui.label(conversation.name).classes("name")
                ui.label(moment(conversation.last_message_at or conversation.created_at)).classes("sub")
                if excerpt is not None:
                    with box("sub").props("data-testid=excerpt"):
                        for part in marked_parts(excerpt.text, excerpt.marks):
                            text_element("mark" if part["mark"] else "span", part["text"])
            with icon_button("more_horiz", _("Options for {name}", name=conversation.name)):
                conversation_menu(conversation, False)

    def empty(words: str) -> None:
        if words:
            empty_state("search_off", _("Nothing was found."), _("Try other words."))
            return
        with empty_state("forum", _("No conversations yet"), _("Ask your first question.")):
            button(_("New chat"), lambda: ui.navigate.to("/chat"), icon="add")

    with box("page"):
        with page_head(_("Conversations"), _("Only you can see your conversations.")):
            button(_("New chat"), lambda: ui.navigate.to("/chat"), icon="add")
        found = PagedList(fetch, row, empty=empty, search=_("Search conversations"))
        await found.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("conversations_changed", "resync"):
            await found.soon()

    here.listen(f"user:{here.actor.user_id}", changed)
