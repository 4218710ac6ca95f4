"""docs/security.md names the tests that show its claims, and each of these tests exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "security.md").read_text())


def test_the_tests_that_show_the_claims_exist() -> None:
    assert len(NAMED) > 30
    missing = [
        f"{path}::{name}"
        for path, name in NAMED
        if not re.search(rf"def {name}\(", (ROOT / "tests" / path).read_text())
    ]
    assert missing == []
