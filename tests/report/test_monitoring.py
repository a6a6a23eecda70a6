"""The page of `pullrisk monitor`."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from pullrisk.monitor.drift import Column
from pullrisk.monitor.findings import Findings
from pullrisk.monitor.run import Pulls, monitor
from pullrisk.progress import Silent
from pullrisk.report.monitoring import histogram, render
from support.training import shared_training


def monitored(*, factor: float = 1.0) -> Findings:
    dataset, trained = shared_training()
    x = dataset.x.copy()
    x[dataset.merged_at > np.quantile(dataset.merged_at, 0.9), 0] *= factor
    now = datetime.fromtimestamp(dataset.merged_at.max() / 1e6, UTC) + timedelta(days=1)
    own = Pulls(
        dataset.repositories, x, dataset.repository, dataset.merged_at, dataset.labels()
    )  # fmt: skip
    return monitor(trained.bundle, own, now=now, progress=Silent())


class Closing(HTMLParser):
    """Fails where a tag is closed that was not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("factor", [1.0, 9.0])
def test_the_page_is_whole_and_loads_nothing(factor: float) -> None:
    page = render(monitored(factor=factor))
    parser = Closing()
    parser.feed(page)
    assert parser.open == []
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", page) == []


def test_a_drifted_feature_is_drawn_and_its_alarm_stands_on_top() -> None:
    page = render(monitored(factor=9.0))
    assert page.index('role="alert"') < page.index("<b>additions</b>")
    assert "in training" in page
    quiet = render(monitored())
    assert "<b>additions</b>" not in quiet
    assert "<figure><figcaption><b>As many as predicted?" in quiet


def test_names_are_escaped() -> None:
    found = monitored(factor=9.0)
    odd = replace_repository(found, "<b>&")
    assert "<b>&:" not in render(odd)
    assert "&lt;b&gt;&amp;" in render(odd)


def replace_repository(found: Findings, name: str) -> Findings:
    drift = [msgspec.structs.replace(one, repository=name) for one in found.drift]
    return msgspec.structs.replace(found, drift=drift)


def test_bins_that_nobody_is_in_are_left_out() -> None:
    column = Column(
        name="flag", index=1.0, limit=0.25, p_value=0.0, drifted=True,
        edges=[0.0, 0.0, 1.0], expected=[0.9, 0.0, 0.1, 0.0], found=[0.5, 0.0, 0.5, 0.0],
    )  # fmt: skip
    assert histogram(column).count("<rect") == 2
