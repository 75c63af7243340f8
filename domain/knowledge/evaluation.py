"""How good a ranking is, against judgements of people. Pure functions.

Measures as in trec_eval: nDCG with linear gain (Järvelin & Kekäläinen, 2002), recall, and the reciprocal rank of the first
relevant document. Grades above 0 are relevant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from statistics import fmean

Grades = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the judged queries, 0-1; latencies in milliseconds."""

    queries: int
    ndcg_10: float
    recall_10: float
    recall_100: float
    mrr: float
    p50_ms: float
    p95_ms: float


def ndcg(ranked: Sequence[str], grades: Grades, depth: int) -> float:
    """Normalised discounted cumulative gain of the first `depth` documents."""
    gained = sum(max(0, grades.get(key, 0)) / log2(place + 2) for place, key in enumerate(ranked[:depth]))
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:depth]
    ideal = sum(grade / log2(place + 2) for place, grade in enumerate(best))
    return gained / ideal if ideal else 0.0


def recall(ranked: Sequence[str], grades: Grades, depth: int) -> float:
    """The share of the relevant documents among the first `depth`."""
    relevant = {key for key, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranked[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], grades: Grades) -> float:
    """One divided by the place of the first relevant document; 0 when there is none."""
    return next((1 / place for place, key in enumerate(ranked, 1) if grades.get(key, 0) > 0), 0.0)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def measure(
    rankings: Mapping[str, Sequence[str]], judged: Mapping[str, Grades], milliseconds: Sequence[float]
) -> Quality:
    """The quality of the rankings of queries; a judged query without a ranking counts as one that found nothing."""
    pairs = [
        (rankings.get(query, ()), grades) for query, grades in judged.items() if any(g > 0 for g in grades.values())
    ]
    if not pairs:
        raise ValueError("no query has a relevant document")
    return Quality(
        queries=len(pairs),
        ndcg_10=fmean(ndcg(ranked, grades, 10) for ranked, grades in pairs),
        recall_10=fmean(recall(ranked, grades, 10) for ranked, grades in pairs),
        recall_100=fmean(recall(ranked, grades, 100) for ranked, grades in pairs),
        mrr=fmean(reciprocal_rank(ranked, grades) for ranked, grades in pairs),
        p50_ms=quantile(milliseconds, 0.5),
        p95_ms=quantile(milliseconds, 0.95),
    )
