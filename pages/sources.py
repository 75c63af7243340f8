"""A cited passage at its place in the document, in the version that was cited."""

from nicegui import ui

from domain.conversations.citations import Citation
from domain.conversations.entities import Message, MessageSource
from domain.conversations.places import Place, citations_of
from domain.kernel.errors import NotFound
from pages.components.base import box, heading, icon, link_box, note, page_head, text_element
from pages.i18n import _
from pages.turns import marked_parts, plain, verdict_words, where
from pages.visit import identifier, visit


async def source(conversation_id: str, message_id: str, number: str, citation: str = "") -> None:
    """Page or text of the document with what supports the answer marked; with `citation` only that of one marker."""
    here, key = visit(), identifier(message_id)
    if not number.isdigit() or not (citation or "0").isdigit():
        raise NotFound
    chosen = int(citation) if citation else None
    view = await here.services.conversations.message(here.actor, key)
    found = next((each for each in view.sources if each.number == int(number)), None)
    if found is None or view.message.conversation_id != identifier(conversation_id):
        raise NotFound
    back = (_("Conversation"), f"/conversations/{conversation_id}")
    with box("page narrow"):
        page_head(f"[{found.number}] {found.title}", where(found), back=back)
        _claims(view.message, found, chosen)
        try:
            place = await here.services.conversations.place(here.actor, key, found.number, chosen)
        except NotFound:
            note(_("The document has been deleted. This is the passage as it was when the answer was given."), "warn")
            _text(found.text, [])
            return
        _version(place)
        if place.pictured:
            _picture(view.message, place, chosen)
        heading(_("Text"))
        _text(place.text, list(place.marks))


def _claims(message: Message, found: MessageSource, chosen: int | None) -> None:
    own = [(i, c) for i, c in citations_of(message, found.number) if chosen in (None, i)]
    if not own:
        return
    heading(_("What the answer says with this source"))
    with box("card pad"), box("checks", "ul").props("role=list"):
        for _index, citation in own:
            claim(message, citation)


def claim(message: Message, citation: Citation) -> None:
    """A statement of an answer with what became of it, as an item of a list."""
    words = verdict_words(citation.verdict)
    with box(citation.verdict, "li"):
        with box("badge", "span"):
            icon(words["icon"])
            text_element("span", words["word"])
        with box("claim", "span"):
            text_element("span", plain(message.answer[citation.start : citation.end]))
            text_element("div", words["hint"], "muted small")


def _version(place: Place) -> None:
    if place.changed:
        note(_("Somebody had changed this passage by hand. It does not stand in the document like this."), "warn")
    if place.replaced:
        text = _(
            "This is version {number}, which was cited. The document has been replaced since.",
            number=place.version.number,
        )
        with note(text, "warn"), link_box(f"/documents/{place.source.document_id}", "small"):
            ui.label(_("Open the present version"))


def _picture(message: Message, place: Place, chosen: int | None) -> None:
    number, page = place.source.number, place.page or 1
    query = "" if chosen is None else f"?citation={chosen}"
    address = f"/api/v1/conversations/{message.conversation_id}/messages/{message.id}/sources/{number}/page/{query}"
    heading(_("Page {page}", page=page))
    alt = (
        _("Page {page} of {title} with the passage marked", page=page, title=place.source.title)
        if place.quotes
        else _("Page {page} of {title}", page=page, title=place.source.title)
    )
    picture = ui.element("img").classes("pageimage")
    picture.props["src"], picture.props["alt"] = visit().site.prefix + address, alt


def _text(text: str, marks: list[tuple[int, int]]) -> None:
    with box("card pad"), box("excerpt").props("tabindex=0"):
        for part in marked_parts(text, marks):
            text_element("mark" if part["mark"] else "span", part["text"])
