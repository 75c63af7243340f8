"""Every test that `docs/claims.md` names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_claims_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/\S+?)::(\w+)`", (ROOT / "docs/claims.md").read_text(encoding="utf-8"))
    assert named
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not re.search(rf"def {test}\(", (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []
