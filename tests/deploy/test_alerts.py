"""Alerts and the dashboard: expressions parse, name figures that exist, and do their work."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support.deploy.manifests import APPS, ROOT, Object, of_kind
from support.deploy.rollout import metric_names
from support.serving import make_home, score, served

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not installed: apt-get install prometheus"
)
TESTS = APPS / "components" / "alerts" / "tests.yaml"
OWN = re.compile(r"\bpullrisk_[a-z0-9_]+")


@pytest.fixture
def groups(monitored: list[Object]) -> Any:
    return of_kind(monitored, "PrometheusRule")[0]["spec"]["groups"]


@pytest.fixture
def panels(monitored: list[Object]) -> list[Any]:
    found = [
        one for one in of_kind(monitored, "ConfigMap") if "pullrisk.json" in one.get("data", {})
    ]
    dashboard = json.loads(found[0]["data"]["pullrisk.json"])
    assert found[0]["metadata"]["labels"] == {"grafana_dashboard": "1"}
    return list(dashboard["panels"])


def expressions(groups: Any) -> list[str]:
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_every_alert_says_how_grave_it_is_and_where_to_read_on(groups: Any) -> None:
    headings = {
        line.lstrip("# ").strip()
        for line in (ROOT / "docs" / "operations.md").read_text().splitlines()
        if line.startswith("#")
    }
    for group in groups:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"warning", "critical"}
                page, _, section = rule["annotations"]["description"].partition(", ")
                assert page == "docs/operations.md"
                assert section.strip('"') in headings, section


def test_alerts_and_panels_name_figures_that_the_service_tells(
    groups: Any, panels: list[Any]
) -> None:
    texts = expressions(groups) + [each["expr"] for panel in panels for each in panel["targets"]]
    named = {name for text in texts for name in OWN.findall(text)}
    assert named <= metric_names()
    assert len(named) > 5


def test_users_requests_are_told_from_probes_by_their_route(groups: Any, tmp_path: Path) -> None:
    with served(make_home(tmp_path / "home")) as service:
        assert score(service.url).status_code == 200
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        figures = httpx.get(f"{service.url}/metrics").text
    asked = {
        re.fullmatch("/v1/.*", route) is not None
        for route in re.findall(r'pullrisk_requests_total\{route="([^"]+)"', figures)
    }
    assert asked == {True, False}
    for expression in expressions(groups):
        for selector in re.findall(r"pullrisk_request\w*\{([^}]*)\}", expression):
            assert 'route=~"/v1/.*"' in selector


def test_panels_do_not_overlap_and_have_names_of_their_own(panels: list[Any]) -> None:
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


@needs_promtool
def test_promtool_finds_the_rules_in_order(groups: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps({"groups": groups}))
    done = subprocess.run(
        [PROMTOOL, "check", "rules", str(tmp_path / "rules.json")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should_and_are_silent_otherwise(groups: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps({"groups": groups}))
    shutil.copy(TESTS, tmp_path / "tests.yaml")
    done = subprocess.run(
        [PROMTOOL, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_in_which_it_fires(groups: Any) -> None:
    fired = {
        each["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for each in test["alert_rule_test"]
        if each.get("exp_alerts")
    }
    assert fired == {
        rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule
    }


@needs_promtool
def test_promtool_reads_every_query_of_the_dashboard(panels: list[Any], tmp_path: Path) -> None:
    rules = [
        {"record": "panel", "expr": target["expr"].replace("$__rate_interval", "5m")}
        for panel in panels
        for target in panel["targets"]
    ]
    text = json.dumps({"groups": [{"name": "panels", "rules": rules}]})
    (tmp_path / "panels.json").write_text(text)
    done = subprocess.run(
        [PROMTOOL, "check", "rules", "--lint=none", str(tmp_path / "panels.json")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
