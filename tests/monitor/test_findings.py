from datetime import UTC, datetime
from shutil import which
from subprocess import run
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pullrisk.monitor.findings import Findings, Kind, prometheus_text
from pullrisk.monitor.run import Pulls, monitor
from pullrisk.options import MonitorOptions
from pullrisk.progress import Silent
from support.training import shared_training


@pytest.fixture(scope="module")
def found() -> Findings:
    dataset, trained = shared_training()
    names = ('odd"\\name', *dataset.repositories[1:])
    own = Pulls(names, dataset.x, dataset.repository, dataset.merged_at, dataset.labels())
    options = MonitorOptions(data_age_days=1)
    return monitor(
        trained.bundle,
        own,
        now=datetime(2030, 1, 1, tzinfo=UTC),
        options=options,
        progress=Silent(),
    )


def test_the_text_is_read_back_by_prometheus_own_parser(found: Findings) -> None:
    families = {one.name: one for one in text_string_to_metric_families(prometheus_text(found))}
    ratios = families["pullrisk_monitor_drift_ratio"].samples
    assert len(ratios) == sum(len(one.columns) for one in found.drift)
    assert {sample.labels["repository"] for sample in ratios} == {'odd"\\name', "owner/1"}
    column = found.drift[0].columns[0]
    assert ratios[0].value == pytest.approx(column.index / column.limit)


def test_every_kind_of_alarm_has_a_value_so_that_alerts_resolve(found: Findings) -> None:
    families = {one.name: one for one in text_string_to_metric_families(prometheus_text(found))}
    alarms = {one.labels["kind"]: one.value for one in families["pullrisk_monitor_alarms"].samples}
    assert set(alarms) == set(get_args(Kind))
    assert alarms["data age"] == 1
    assert sum(alarms.values()) == len(found.alarms)


@pytest.mark.skipif(
    which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)
def test_promtool_has_nothing_to_object_to(found: Findings) -> None:
    checked = run(
        ["promtool", "check", "metrics"], input=prometheus_text(found), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, "")
