"""A search that can be followed: the list of each leg, and the order after fusion."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.kernel.errors import N_
from pages.components.base import box, heading, note, paragraph, text_element
from pages.i18n import _, number

STEPS = {
    "embedding": N_("Meaning of the question"),
    "vectors": N_("Search by meaning"),
    "texts": N_("Search by words"),
    "filter": N_("Narrowing"),
    "passages": N_("Reading the passages"),
    "rerank": N_("Putting in order"),
}


def ranked(search: Mapping[str, Any], asked: str) -> None:
    """What `domain.knowledge.explaining.Followed` tells, drawn."""
    if search["unsure"] or not search["fused"]:
        note(_("Nothing in the sources fits this question well."), "warn")
    if search.get("silent"):
        models = ", ".join(search["silent"])
        note(_("The search by meaning was not possible: {models} did not answer.", models=models), "warn")
    reranker = search.get("reranker")
    if reranker and not search["reranked"]:
        note(_("{name} gave no order in time: the passages stand as they were found.", name=reranker), "warn")
    with box("facts", "dl"):
        fact(_("Sought"), search["query"])
        if search["query"].strip() != asked.strip():
            fact(_("Asked"), asked)
        fact(_("Words sought"), ", ".join(search["terms"]) or "–")
        share = round(search["weight"] * 100)
        fact(_("Weight"), _("Meaning {share} %, words {rest} %", share=share, rest=100 - share))
    with box("legs"):
        _leg(_("By meaning"), search["vectors"])
        _leg(_("By words"), search["words"])
        _leg(_("Fused"), search["fused"])
        if reranker and search["reranked"]:
            _leg(_("Put in order by {name}", name=reranker), search["reranked"])


def fact(name: str, value: str) -> None:
    """A name and a value in a list of facts."""
    text_element("dt", name)
    text_element("dd", value)


def _leg(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    with box("card pad leg"):
        heading(title, 3)
        if not rows:
            paragraph(_("Nothing was found this way."), "muted small")
        with box("", "ol"):
            for row in rows:
                with box("", "li").props(f"value={row['rank']}"):
                    place = [row["title"]]
                    if row["page"]:
                        place.append(_("Page {page}", page=row["page"]))
                    text_element("div", " · ".join(place), "strong small")
                    text_element("div", row["beginning"], "muted small clip2")
                    text_element("div", _scores(row), "small")


def _scores(row: Mapping[str, Any]) -> str:
    parts = [_("Score {score}", score=number(round(row["score"], 3)))]
    if row["vector"] is not None:
        parts.append(_("Meaning {score}", score=number(round(row["vector"], 3))))
    if row["words"] is not None:
        parts.append(_("Words {score}", score=number(round(row["words"], 3))))
    return " · ".join(parts)


def times(steps: Mapping[str, float], names: Mapping[str, str]) -> None:
    """How long each step took."""
    if not steps:
        paragraph(_("No times were kept."), "muted")
    with box("facts", "dl"):
        for step, milliseconds in steps.items():
            name = step.removeprefix("search.")
            label = names.get(step) or STEPS.get(name)
            fact(_(label) if label else name, _("{n} ms", n=number(round(milliseconds, 1))))
