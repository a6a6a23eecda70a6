"""docs/delivery.md names scenarios that exist, and every guard has one."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "delivery.md").read_text(encoding="utf-8")


def defined() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_scenario_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) >= 30
    assert named <= defined()


def test_every_guard_of_the_table_is_proven_by_a_scenario() -> None:
    table = PAGE.split("## Guards")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert [row for row in rows[1:] if "`test_" not in row] == []
