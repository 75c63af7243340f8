"""Small helpers that every page uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

STATIC = Path(__file__).parent.parent / "static"
Tone = Literal["", "ok", "warn", "bad", "acc"]


def icon_button(icon: str, label: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """A button that shows only an icon; `label` names it for everybody."""
    button = ui.button(icon=icon, on_click=on_click).props("flat round dense color=none")
    button.props["aria-label"] = label
    with button:
        ui.tooltip(label).props("aria-hidden=true")
    return button


def button(label: str, on_click: Callable[..., Any] | None = None, *, icon: str | None = None) -> ui.button:
    """The primary action of a page or dialog."""
    return ui.button(label, icon=icon, on_click=on_click).props("color=primary no-wrap")


def quiet_button(label: str, on_click: Callable[..., Any] | None = None, *, icon: str | None = None) -> ui.button:
    """A secondary action."""
    return ui.button(label, icon=icon, on_click=on_click, color=None).classes("quiet").props("no-wrap")


def open_button(label: str, url: str) -> ui.button:
    """A button that leads to another site, in a tab of its own. Anything but an address of the web leads nowhere."""
    made = ui.button(label, icon="open_in_new", color=None).classes("quiet").props("no-wrap target=_blank")
    if url.startswith(("https://", "http://")):
        made.props["href"] = url
    made.props["rel"] = "noopener noreferrer"
    return made


def danger_button(label: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """An action that takes something away."""
    return ui.button(label, on_click=on_click, color=None).classes("bg-danger").props("no-wrap")


def text_element(tag: str, text: str, classes: str = "") -> TextElement:
    """An element of any tag that holds plain text (never markup)."""
    return TextElement(tag=tag, text=text).classes(classes)


def heading(text: str, level: int = 2, classes: str = "") -> TextElement:
    """A heading; the first level takes the focus after a change of page."""
    element = text_element(f"h{level}", text, classes)
    if level == 1:
        element.props["tabindex"] = "-1"
    return element


def paragraph(text: str, classes: str = "") -> TextElement:
    """A paragraph of plain text."""
    return text_element("p", text, classes)


def box(classes: str = "", tag: str = "div") -> ui.element:
    """A bare element with classes."""
    return ui.element(tag).classes(classes)


def icon(name: str) -> ui.icon:
    """A decorative icon, silent for screen readers."""
    return ui.icon(name).props("aria-hidden=true")


def chip(text: str, tone: Tone = "") -> ui.label:
    """A small label for a state."""
    return ui.label(text).classes("chip").classes(tone)


def note(text: str, tone: Tone = "", *, icon_name: str = "info") -> ui.element:
    """A sentence in a box, for instance the reason of a failure."""
    with box("note").classes(tone) as element:
        icon(icon_name)
        ui.label(text).classes("grow")
    element.props["role"] = "alert" if tone == "bad" else "status"
    return element


def link_box(target: str, classes: str) -> ui.link:
    """A link with other elements in it."""
    return ui.link(target=target).classes(classes, remove="nicegui-link")


def empty_state(icon_name: str, title: str, text: str) -> ui.element:
    """What an empty page says; put the next step in it as a button."""
    with box("empty") as element:
        icon(icon_name)
        heading(title)
        paragraph(text)
    return element


def field(label: str, value: str = "", **options: Any) -> ui.input:
    """A text field with its label."""
    return ui.input(label, value=value, **options).props("outlined stack-label no-error-icon hide-bottom-space")


def page_head(
    title: str, lead: str = "", *, back: tuple[str, str] | None = None, face: Callable[[], object] | None = None
) -> ui.element:
    """The head of a page; use as a context manager to add its actions. `back` is (text, target).

    `face` draws what stands before the title.
    """
    with box():
        if back:
            with link_box(back[1], "crumb"):
                icon("chevron_left")
                ui.label(back[0])
        with box("line wrap"):
            if face:
                face()
            with box("grow").style("min-width:220px"):
                heading(title, 1)
                if lead:
                    paragraph(lead, "lead")
            actions = box("line wrap").style("width:auto")
    return actions
