"""Tells in one line what was skipped and how to enable it: a plugin of pytest.

In CI a skip that an installation would have cured is a failure.
"""

import os
import re
from collections import Counter
from collections.abc import Generator
from typing import Final

import pytest

from support.runner_variables import in_ci

NOT_TO_BE_INSTALLED: Final = re.compile(
    "make test-images|PULLRISK_TEST_MONGO_URI|/shared|mount a file system|of the registry is pinned"
)
"""Reasons that hold in CI too: another step, a server of one's own, data beside the checkout."""


_Reports = list["pytest.TestReport | pytest.CollectReport"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test."""
    report = yield
    _fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A skipped module."""
    report = yield
    _fail_in_ci(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on what was skipped."""
    line = summary(terminalreporter.stats.get("skipped", []))
    if line:
        terminalreporter.write_line(line, yellow=True)


def summary(reports: _Reports) -> str:
    """How many were skipped for which reason; every worker tells of the same skipped module."""
    reasons = {report.nodeid: _reason(report) for report in reports}
    parts = [f"{reason} ({count})" for reason, count in Counter(reasons.values()).most_common()]
    return f"skipped: {'; '.join(parts)}" if parts else ""


def _fail_in_ci(report: "pytest.TestReport | pytest.CollectReport") -> None:
    if not in_ci() or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = _reason(report)
    more = os.environ.get("PULLRISK_TEST_MAY_SKIP")  # for CI's commands on a person's machine
    if not (NOT_TO_BE_INSTALLED.search(reason) or (more and more in reason)):
        report.outcome = "failed"
        report.longrepr = f"skipped, and in CI nothing may be that can be installed: {reason}"


def _reason(report: "pytest.TestReport | pytest.CollectReport") -> str:
    """With what to do about it; `make setup` where the reason names nothing else."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = text.removeprefix("Skipped: ")
    return reason if ":" in reason else f"{reason}: make setup"
