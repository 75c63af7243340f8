"""What stands before the name of an assistant or a space: a picture, letters or a sign. Silent, since the name is said."""

from uuid import UUID

from nicegui import ui

from domain.assistants.entities import Assistant
from domain.spaces.entities import Space
from pages.components.base import box, icon
from pages.names import assistant_name, space_icon
from pages.visit import visit


def initials(name: str) -> str:
    """One or two letters that stand for a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "S"


def picture_address(icon_id: UUID | None) -> str:
    """Where a browser finds a picture; empty where there is none."""
    return f"{visit().site.prefix}/api/v1/icons/{icon_id}/" if icon_id else ""


def picture(icon_id: UUID, classes: str = "") -> ui.element:
    """A picture as a square."""
    made = ui.element("img").classes("face square picture").classes(classes).props('alt=""')
    made.props["src"] = picture_address(icon_id)
    return made


def picture_or_icon(icon_id: UUID | None, name: str) -> ui.element:
    """A picture, else the sign of this name without a square."""
    return picture(icon_id) if icon_id else icon(name)


def letters(name: str, classes: str = "") -> ui.element:
    """The beginning of a name as a square."""
    return ui.label(initials(name)).classes("face square").classes(classes).props("aria-hidden=true")


def sign(space: Space, classes: str = "") -> ui.element:
    """The sign of a space's kind as a square."""
    with box("face square").classes(classes) as made:
        icon(space_icon(space)).style("font-size:18px")
    return made


def assistant_face(assistant: Assistant, space: Space, classes: str = "") -> ui.element:
    """The picture of an assistant, else the beginning of its name."""
    if assistant.icon_id is not None:
        return picture(assistant.icon_id, classes)
    return letters(assistant_name(assistant, space), classes)


def space_face(space: Space, classes: str = "") -> ui.element:
    """The picture of a space, else the sign of its kind."""
    return picture(space.icon_id, classes) if space.icon_id is not None else sign(space, classes)
