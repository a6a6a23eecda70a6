"""From reports of tests to what may be signed: nothing where a test failed, or none ran."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from delivery.attestations import CONTAINERS, LOAD, suites, tested
from delivery.errors import InputError, RefusedError


def result(stage: str, reports: Mapping[str, Path]) -> dict[str, Any]:
    """The predicate for the stage's suites: JUnit's XML of the containers, Locust's JSON.

    Raises RefusedError where a suite is absent, empty or failed.
    """
    wanted = suites(stage)
    if absent := [name for name in wanted if name not in reports]:
        raise RefusedError(f"{stage} has no report of {', '.join(absent)}")
    readers = {CONTAINERS: _junit, LOAD: _locust}
    passed = {name: readers[name](reports[name]) for name in wanted}
    evidence = {name: hashlib.sha256(reports[name].read_bytes()).hexdigest() for name in wanted}
    return tested(passed, evidence)


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
        raise InputError(f"{path} is no report of JUnit's form: {error}") from None


def _locust(path: Path) -> list[str]:
    """The thresholds that held."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no report of Locust: {error}") from None
    if found.get("missed") or not found.get("requests"):
        raise RefusedError(f"{path.name}: missed {found.get('missed') or 'everything'}")
    return [f"{found['requests']} requests"]
