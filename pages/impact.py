"""What a change takes away, shown before it is made; it is made only with what was shown."""

from domain.classifications.impact import REASONS, Affected, Impact
from domain.kernel.errors import N_
from pages.components.base import box, danger_button, note, paragraph, quiet_button, text_element
from pages.dialogs import dialog
from pages.i18n import _, ngettext

SHOWN = 20
KINDS = {"assistant": N_("Assistant"), "documents": N_("Collection"), "website": N_("Website")}


async def agreed(impact: Impact, title: str, action: str) -> bool:
    """Whether what a change takes away is accepted; where nothing in use is affected, nobody is asked."""
    if not impact.affected:
        return True
    made, card = dialog(title, wide=True)
    count = len(impact.affected)
    with card:
        note(ngettext("{n} thing in use stops working:", "{n} things in use stop working:", count), "warn")
        with box("full-width stack tight", "ul").style(
            "margin:0;padding-left:20px;max-height:50vh;overflow:auto"
        ) as listed:
            listed.props["tabindex"] = "0"
            listed.props["aria-label"] = _("What stops working")
            for each in impact.affected[:SHOWN]:
                text_element("li", _line(each)).style("overflow-wrap:anywhere")
        if count > SHOWN:
            paragraph(ngettext("and {n} more", "and {n} more", count - SHOWN), "muted")
        paragraph(_("Nothing is replaced by itself: whoever uses it is told what to choose instead."), "muted")
        with box("actions-row"):
            quiet_button(_("Cancel"), lambda: made.submit(False)).props("autofocus")
            danger_button(action, lambda: made.submit(True))
    return bool(await made)


def _line(each: Affected) -> str:
    place = each.space or _("a personal space")
    reason = _(REASONS[each.reason], model=_(each.model), home=each.home)
    if each.is_default:
        return _("The own assistant of {space}: {reason}", space=place, reason=reason)
    name = f"“{each.name}”" if each.name else _("somebody's own")
    return _("{kind} {name} in {space}: {reason}", kind=_(KINDS[each.kind]), name=name, space=place, reason=reason)
