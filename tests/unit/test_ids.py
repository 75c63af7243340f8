"""Identifiers."""

import time

from domain.kernel.ids import new_id


def test_ids_are_version_7_and_sort_as_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(5_000)]
    assert made == sorted(made)
    assert len({each.int & (1 << 62) - 1 for each in made}) > 4_990
    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}
    assert before <= made[0].int >> 80 <= time.time_ns() // 1_000_000 + 1
