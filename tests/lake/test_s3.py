import pickle
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pullrisk.errors import LakeError, SettingsError
from pullrisk.features.replay import Block
from pullrisk.lake import Change, Lake
from pullrisk.lake.s3 import _ATTEMPTS, open_bucket
from pullrisk.options import S3
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import Calling, all_at_once, made_pull, rows
from support.seaweed import Seaweed, settings, without_conditional_put

MakeBlock = Callable[..., Block]
MakeChange = Callable[..., Change]
OUTAGE = 20.0
"""How long a server is away in mid-run."""


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with Seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def place() -> str:
    return f"s3://lake/{uuid4()}/deep"


@pytest.fixture
def lake(seaweed: Seaweed, place: str) -> Lake:
    """In place of the folder's: `make_change` builds upon it."""
    return Lake(place, s3=seaweed.s3)


def filled(path: Path, repositories: int, pulls: int) -> SqliteStore:
    store = SqliteStore(path)
    for index in range(repositories):
        name = f"o/r{index}"
        store.upsert(made_pull(number, repository=name) for number in range(1, pulls + 1))
    return store


def test_a_bucket_is_a_lake_like_a_folder(
    lake: Lake, place: str, seaweed: Seaweed, tmp_path: Path
) -> None:
    with filled(tmp_path / "pulls.sqlite", 3, 40) as store:
        assert not lake.exists()
        report = preprocess(store, lake)
        preprocess(store, folder := Lake(tmp_path / "lake"))
        assert rows(lake).equals(rows(folder))
        assert lake.repositories() == ["o/r0", "o/r1", "o/r2"]
        assert lake.history("o/r1") == folder.history("o/r1")
        assert preprocess(store, lake).run is None
        store.upsert(made_pull(number, repository="o/r1") for number in range(41, 45))
        preprocess(store, lake)
        preprocess(store, lake, repositories=["o/r2"], full=True)
        preprocess(store, folder)
        assert rows(lake).equals(rows(folder))
    assert [run.facts["run"] for run in lake.runs()][-1] == report.run
    left = lake.vacuum(older_than=timedelta(0))
    assert len([path for path in left if path.startswith("features/")]) == 1
    assert rows(Lake(place, s3=seaweed.s3)).equals(rows(folder))


def test_what_crosses_to_a_worker_process_reaches_the_same_bucket(
    lake: Lake, tmp_path: Path
) -> None:
    with filled(tmp_path / "pulls.sqlite", 2, 3_000) as store:
        preprocess(store, lake, workers=2)
        preprocess(store, folder := Lake(tmp_path / "lake"))
    assert rows(lake).equals(rows(folder))
    assert pickle.loads(pickle.dumps(lake.files)).s3 == lake.files.s3


def test_six_runs_at_once_over_different_repositories_all_land(
    lake: Lake, place: str, seaweed: Seaweed, tmp_path: Path
) -> None:
    with filled(tmp_path / "pulls.sqlite", 6, 30) as store:
        preprocess(store, expected := Lake(tmp_path / "lake"))

    def run(name: str) -> None:
        with SqliteStore(tmp_path / "pulls.sqlite") as store:
            preprocess(store, Lake(place, s3=seaweed.s3), repositories=[name])

    all_at_once(run, [f"o/r{index}" for index in range(6)])
    assert rows(lake).equals(rows(expected))


def test_six_commits_at_once_to_a_table_are_all_kept(
    lake: Lake, place: str, seaweed: Seaweed, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/base")))
    changes = [make_change(make_block(f"o/r{index}")) for index in range(6)]
    all_at_once(lambda change: Lake(place, s3=seaweed.s3).commit(change), changes)
    lake.refresh()
    assert lake.version == 6
    assert lake.table().num_rows == 5 * 7


def test_a_run_outlives_a_server_that_is_away_for_twenty_seconds(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.025 * 2**_ATTEMPTS > 2 * OUTAGE  # what is waited: more than twice as long
    # On a busy machine the server may take a minute to start: twice more, each wait doubled.
    monkeypatch.setattr("pullrisk.lake.s3.open_bucket.__kwdefaults__", {"attempts": _ATTEMPTS + 2})
    with Seaweed(tmp_path_factory.mktemp("away")) as server:
        lake = Lake("s3://lake/away", s3=server.s3)
        restart = threading.Timer(OUTAGE, server.start)

        def stop() -> None:
            server.kill()
            restart.start()

        with filled(tmp_path / "pulls.sqlite", 2, 40) as store:
            preprocess(store, expected := Lake(tmp_path / "lake"))
            started = time.monotonic()
            try:
                preprocess(store, lake, progress=Calling(stop))
            finally:
                if restart.is_alive():
                    restart.join()
            assert time.monotonic() - started > OUTAGE
        assert rows(lake).equals(rows(expected))


def test_a_run_whose_server_stays_away_fails_and_shows_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pullrisk.lake.s3.open_bucket.__kwdefaults__", {"attempts": 4})
    with Seaweed(tmp_path_factory.mktemp("gone")) as server:
        lake = Lake("s3://lake/gone", s3=server.s3)
        with filled(tmp_path / "pulls.sqlite", 1, 40) as store:
            preprocess(store, lake)
            before = rows(lake)
            store.upsert(made_pull(number, repository="o/r0") for number in range(41, 60))
            with pytest.raises(LakeError, match="cannot be reached"):
                preprocess(store, lake, progress=Calling(server.stop))
            server.start()
            assert rows(lake).equals(before)
            preprocess(store, lake)
            preprocess(store, expected := Lake(tmp_path / "lake"))
        assert rows(lake).equals(rows(expected))


def test_wrong_credentials_are_told(seaweed: Seaweed, place: str) -> None:
    wrong = seaweed.s3.model_copy(update={"secret_key": SecretStr("not-this-one")})
    for action in (Lake(place, s3=wrong).check, Lake(place, s3=wrong).exists):
        with pytest.raises(LakeError, match="refused the credentials") as caught:
            action()
        assert "not-this-one" not in str(caught.value)


def test_a_missing_bucket_is_named(seaweed: Seaweed) -> None:
    with pytest.raises(LakeError, match="there is no bucket elsewhere"):
        Lake("s3://elsewhere/lake", s3=seaweed.s3).check()


def test_a_server_that_does_not_answer_is_told(place: str) -> None:
    with pytest.raises(LakeError, match="cannot be reached"):
        Lake(place, s3=settings("http://127.0.0.1:1")).check()


def test_a_bucket_without_conditional_put_is_refused_unless_it_is_allowed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        Seaweed(tmp_path_factory.mktemp("lax"), identities=False) as server,
        without_conditional_put(server.endpoint) as endpoint,
    ):
        lake = Lake("s3://lake/lax", s3=settings(endpoint))
        with filled(tmp_path / "pulls.sqlite", 1, 20) as store:
            with pytest.raises(LakeError, match=r"no conditional put(?s:.)*CONDITIONAL_PUT=false"):
                preprocess(store, lake)
            assert lake.files.list("") == []
            alone = settings(endpoint).model_copy(update={"conditional_put": False})
            preprocess(store, Lake("s3://lake/lax", s3=alone))
            preprocess(store, expected := Lake(tmp_path / "lake"))
        assert rows(lake).equals(rows(expected))


def test_a_lost_history_is_rebuilt(lake: Lake, tmp_path: Path) -> None:
    with filled(tmp_path / "pulls.sqlite", 2, 20) as store:
        preprocess(store, lake)
        before = rows(lake)
        lake.objects.delete("o/r1", lake.current_run("o/r1") or 0)
        report = preprocess(store, lake)
    assert {one.repository: one.status for one in report.repositories} == {
        "o/r0": "unchanged",
        "o/r1": "rebuilt",
    }
    assert rows(lake).equals(before)


@pytest.mark.parametrize("endpoint", ["fra1.digitaloceanspaces.com", "https://h/bucket", "ftp://h"])
def test_an_endpoint_that_is_no_services_url_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="no URL of a service"):
        open_bucket(S3(endpoint=endpoint))


def test_one_key_without_the_other_is_refused() -> None:
    with pytest.raises(SettingsError, match="only one is set"):
        open_bucket(S3(access_key=SecretStr("a")))


def test_settings_show_no_key() -> None:
    shown = repr(settings("http://127.0.0.1:1"))
    assert "pullrisk-secret" not in shown
