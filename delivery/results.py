"""Turn reports of tests into what may be signed; refuse if a test failed or none ran."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from delivery.attestations import CONTAINERS, LOAD, suites, tested
from delivery.errors import InputError, RefusedError

_LOADED: Final = re.compile(r"(?i)locust|load_?test|under_load")


def result(stage: str, reports: Mapping[str, Path]) -> dict[str, Any]:
    """The predicate for the stage's suites: JUnit's XML of the containers, Locust's figures.

    Without figures the load test is looked for in the containers' report.
    Raises RefusedError if a suite is missing, empty or failed.
    """
    if CONTAINERS not in reports:
        raise RefusedError(f"{stage} has no report of its containers")
    used = {name: reports.get(name, reports[CONTAINERS]) for name in suites(stage)}
    passed = {name: _passed(name, path) for name, path in used.items()}
    evidence = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in used.items()}
    return tested(passed, evidence)


def _passed(suite: str, path: Path) -> list[str]:
    if path.suffix == ".json":
        return _locust(path)
    names = _junit(path)
    if suite == LOAD:
        names = [name for name in names if _LOADED.search(name)]
        if not names:
            raise RefusedError(f"{path.name}: no load test ran")
    return names


def _junit(path: Path) -> list[str]:
    """Names of the tests that passed; a skipped one proves nothing and is not among them."""
    passed: list[str] = []
    for case in _parsed(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if any(case.find(kind) is not None for kind in ("failure", "error")):
            raise RefusedError(f"{path.name}: {name} failed")
        if case.find("skipped") is None:
            passed.append(name)
    if not passed:
        raise RefusedError(f"{path.name}: no test ran")
    return passed


def _parsed(path: Path) -> Element:
    from xml.etree.ElementTree import parse

    try:
        return parse(path).getroot()  # noqa: S314  (pytest's own report of this job)
    except (OSError, ParseError) as error:
        raise InputError(f"{path} is not a JUnit report: {error}") from None


def _locust(path: Path) -> list[str]:
    """The thresholds that held."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a report of Locust: {error}") from None
    if figures.get("missed") or not figures.get("requests"):
        raise RefusedError(f"{path.name}: missed {figures.get('missed') or 'everything'}")
    return [f"{figures['requests']} requests"]
