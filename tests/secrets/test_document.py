"""The promises of docs/secrets.md name tests that are there."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "secrets.md"


def test_every_promise_names_tests_that_exist() -> None:
    lines = PAGE.read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and "::" in line]
    assert len(rows) > 20
    named = {found for row in rows for found in re.findall(r"`([\w/.]+)::(\w+)`", row)}
    assert len(named) > 40
    missing = [f"{file}::{name}" for file, name in named if name not in functions_in(file)]
    assert missing == []


def functions_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
