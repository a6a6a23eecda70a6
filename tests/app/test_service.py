"""The App inside `pullrisk serve`: real processes, a real socket to the fake GitHub."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_github.app import FakeGitHub
from fake_github.world import FakeRepository, World, pull_like
from pullrisk.options import ServeOptions
from pullrisk.pulls.scores_sqlite import SqliteScores
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.serve.routes import routers
from support.app import (
    INSTALLATION,
    about_pull,
    app_environment,
    payload_of,
    signed_headers,
)
from support.loopback import listening
from support.processes import PATIENCE, until
from support.serving import STORED, Served, make_home, opened, served

NAME = "kedro-org/kedro"


class Rig:
    """A service, the fake GitHub, and a repository of it that the service has a history of."""

    def __init__(self, service: Served, github: FakeGitHub, url: str) -> None:
        self.service, self.github, self.url = service, github, url
        repository = github.world.named(NAME)
        assert repository is not None
        self.repository: FakeRepository = repository

    def post(self, body: bytes, event: str = "pull_request", **headers: str) -> httpx.Response:
        signed = signed_headers(body, event)
        given = signed | {name.replace("_", "-"): text for name, text in headers.items()}
        return httpx.post(f"{self.service.url}/webhooks/github", content=body, headers=given)

    def open_pull(self, **fields: Any) -> int:
        return self.github.world.open_pull(self.repository, **fields)

    def checks(self, number: int) -> list[dict[str, Any]]:
        sha = self.repository.pulls[number]["head"]["sha"]
        return [run for run in self.github.published.checks if run["head_sha"] == sha]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, app_key: tuple[str, bytes]) -> Iterator[Rig]:
    world = World()
    world.add(NAME, [pull_like(10**6)])  # numbers after those of the sample
    github = FakeGitHub(world)
    github.accounts.app_key, github.accounts.app_installations = app_key[1], (INSTALLATION,)
    home = make_home(tmp_path_factory.mktemp("app") / "home")
    with (
        listening(github) as url,
        served(home, environment=app_environment(url, app_key), refresh=0.2) as service,
    ):
        yield Rig(service, github, url)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_hub_signature_256": f"sha256={'0' * 64}"}, 401),
        ({"x_hub_signature_256": f"sha1={'0' * 40}"}, 401),
        ({"x_hub_signature_256": ""}, 401),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"x_github_delivery": "../../etc"}, 400),
        ({"x_github_event": "Not An Event"}, 400),
    ],
)
def test_what_github_did_not_sign_is_refused(
    rig: Rig, headers: dict[str, str], status: int
) -> None:
    assert rig.post(about_pull(rig.repository, 1), **headers).status_code == status


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'{"action": 1}', 422)])
def test_a_signed_body_that_is_no_payload_is_refused(rig: Rig, body: bytes, status: int) -> None:
    assert rig.post(body).status_code == status


def test_a_body_beyond_the_bound_is_refused(rig: Rig) -> None:
    assert rig.post(b" " * 8_000_001).status_code == 413


def test_other_events_are_ignored(rig: Rig) -> None:
    answer = rig.post(payload_of(rig.repository, "created"), "star")
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert rig.post(b'{"zen": "Keep it logically awesome."}', "ping").status_code == 200


def test_an_opened_pull_gets_a_check_run_from_its_history(rig: Rig) -> None:
    number = rig.open_pull(title="Fix the session", user={"login": "someone", "type": "User"})
    body = about_pull(rig.repository, number)
    answer = rig.post(body)
    assert (answer.status_code, answer.json()) == (202, {"status": "queued"})
    again = rig.post(body)
    assert (again.status_code, again.json()) == (200, {"status": "known"})
    until(lambda: rig.checks(number))
    (run,) = rig.checks(number)
    assert " need a fix" in run["output"]["title"]
    assert "unknown repository" not in run["output"]["summary"]
    assert f"]({rig.url}/{NAME}/" in run["output"]["summary"], "links lead to this GitHub"
    with closing(SqliteScores(rig.service.home / "pulls.sqlite")) as scores:
        until(lambda: scores.get(NAME, number))
        score = scores.get(NAME, number)
    assert score is not None
    assert score.verdict == run["output"]["title"]

    def metrics() -> str:
        return httpx.get(f"{rig.service.url}/metrics").text

    until(lambda: 'pullrisk_deliveries_total{result="handled"}' in metrics())
    until(lambda: "pullrisk_delivery_age_seconds" in metrics())


def test_a_merge_is_in_the_history_without_a_batch_run(rig: Rig) -> None:
    number = rig.open_pull()
    before = httpx.post(f"{rig.service.url}/v1/score", json=opened()).json()
    assert before["scores"][0]["history"]["pulls"] >= STORED
    moment = "2026-01-01T00:00:00Z"
    rig.github.world.change(rig.repository, number, merged_at=moment, closed_at=moment)
    assert rig.post(about_pull(rig.repository, number, "closed")).status_code == 202

    def known() -> bool:
        found = httpx.post(f"{rig.service.url}/v1/score", json=opened()).json()
        return str(found["scores"][0]["history"]["as_of"]).startswith("2026-01-01T00:00:00")

    until(known)
    with SqliteStore(rig.service.home / "pulls.sqlite") as store:
        pull = store.get(NAME, number)
    assert pull is not None
    assert pull.state == "merged"


def test_half_an_app_is_refused_at_the_start(tmp_path: Path) -> None:
    secret = {"PULLRISK_GITHUB_WEBHOOK_SECRET": "x"}
    with Served(tmp_path / "home", environment=secret) as service:
        assert service.process.wait(PATIENCE) == 3
        assert "github_app_id or github_app_key is not" in service.errors()


def test_without_its_secret_there_is_no_route() -> None:
    def paths(*, app: bool) -> set[str]:
        found = routers(ServeOptions(), admin=False, app=app)
        return {path for router in found for route in router.routes for path in [route.path]}

    assert paths(app=True) - paths(app=False) == {"/webhooks/github"}
