"""Variables in an instruction: a menu that inserts them, and a note about those that stand for nothing."""

import functools
import json

from nicegui import ui

from domain.assistants.variables import Variable, unknown
from domain.kernel.errors import N_
from pages.components.base import box, quiet_button
from pages.i18n import _

NAMES = {
    Variable.DATE: N_("The day of the question"),
    Variable.TIME: N_("The time of day"),
    Variable.WEEKDAY: N_("The day of the week"),
    Variable.USER: N_("The name of who asks"),
    Variable.ORGANISATION: N_("The name of the organisation"),
    Variable.SPACE: N_("The name of the space"),
    Variable.ASSISTANT: N_("The name of the assistant"),
}
# While the menu closes it takes the focus back, so the text waits until it is gone (or for a second at the most).
INSERT = """
const box = getHtmlElement(%d), field = box.matches('textarea') ? box : box.querySelector('textarea');
const until = performance.now() + 1000;
const insert = () => {
  if (document.querySelector('.q-menu') && performance.now() < until) return requestAnimationFrame(insert);
  field.focus();
  field.setRangeText(%s, field.selectionStart, field.selectionEnd, 'end');
  field.dispatchEvent(new Event('input', { bubbles: true }));
};
insert();
"""


def insert_menu(field: ui.textarea) -> None:
    """A button whose menu writes a variable where the cursor stands."""
    with (
        quiet_button(_("Insert variable"), icon="data_object").props("dense"),
        ui.menu().props("auto-close no-refocus"),
    ):
        for variable, name in NAMES.items():
            with ui.menu_item(on_click=functools.partial(_insert, field, variable)), box("stack tight").style("gap:0"):
                ui.label(_(name))
                ui.label(written(variable)).classes("muted small")


def written(variable: str) -> str:
    """A variable as it stands in an instruction."""
    return f"{{{{{variable}}}}}"


def _insert(field: ui.textarea, variable: Variable) -> None:
    ui.run_javascript(INSERT % (field.id, json.dumps(written(variable))))


def unknown_note(field: ui.textarea) -> None:
    """Says which names in the text stand for nothing, while it is written."""

    def sentence(text: str | None) -> str:
        names = unknown(text or "")
        written_out = ", ".join(map(written, names))
        return _("Stands for nothing and is sent as it is: {names}", names=written_out) if names else ""

    note = ui.label().classes("small warn-text").props("role=status")
    note.bind_text_from(field, "value", sentence)
