"""Files replaced at once, folders of one's own, and links that somebody laid out."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pullrisk import atomic
from pullrisk.errors import LakeError, StoreError, is_full
from pullrisk.fetch.salt import read_salt
from pullrisk.lake import Lake
from pullrisk.lake.files import check_folder, open_files
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.settings import Settings
from pullrisk.train.mlflow_client import Tracking, _alone


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_and_no_draft_stays(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    for data in (b"old", b"new"):
        atomic.replace(path, data)
        assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "file").symlink_to(victim)
    (tmp_path / f".file.{os.getpid()}").symlink_to(victim)  # the draft's name once
    atomic.replace(tmp_path / "file", b"new")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "file").is_symlink()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), _alone(tmp_path / "lock"):
        pass
    assert victim.read_text() == "mine"


def test_what_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        atomic.replace(tmp_path / "folder", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_folders_that_are_made_are_the_owners_and_others_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    atomic.make_folder(tmp_path / "home" / "below")
    assert [mode(tmp_path / name) for name in (".", "home", "home/below")] == [0o755, 0o700, 0o700]
    (tmp_path / "home").chmod(0o750)
    atomic.make_folder(tmp_path / "home")
    assert mode(tmp_path / "home") == 0o750


def test_store_and_lake_are_the_owners(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as store:
        store.upsert([], checkpoint=("a", {"b": 1}))
        files = [path.name for path in (tmp_path / "home").iterdir() if mode(path) & 0o077]
        assert files == []
    open_files(tmp_path / "lake").write("features/x", b"x")
    assert mode(tmp_path / "lake") == 0o700


@pytest.mark.parametrize("name", ["a%2Fb", "per%20cent", "back\\slash", "new\nline"])
def test_a_path_that_delta_tables_misread_is_refused_up_front(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / name)
    for root in (tmp_path / name, tmp_path / "link"):
        with pytest.raises(LakeError, match="its path holds") as caught:
            Lake(str(root)).check()
        assert "PULLRISK_LAKE" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a b", "50%", "ha#sh", "que?ry", "é漢", "quo'te\"", "a:b", "%zz"])
def test_other_odd_paths_hold_a_lake(name: str, tmp_path: Path) -> None:
    check_folder(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a%2Fb", "per%20cent", "que?ry", "ha#sh", "a b", "%", "é"])
def test_the_database_of_runs_lies_in_its_home(name: str, tmp_path: Path) -> None:
    url = pytest.importorskip("sqlalchemy.engine").make_url
    home = tmp_path / name
    for uri in (Settings(home=home).tracking_uri, Tracking.local(home).uri):
        assert Path(url(uri).database) == home / "mlflow.db"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_known_by_each_of_its_names(number: int) -> None:
    assert is_full(OSError(number, os.strerror(number)))
    assert not is_full(OSError(errno.EACCES, "no"))


@pytest.mark.usefixtures("limited")
def test_a_salt_that_finds_no_space_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        read_salt(tmp_path / "salt")


@pytest.fixture
def limited() -> Iterator[None]:
    """No file may grow."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
