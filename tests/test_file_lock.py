"""The lock on a file between processes; on Windows by what its library has."""

import subprocess
import sys
from pathlib import Path

import pytest

from pullrisk.file_lock import FileLock
from support.extras import install, run

ASK = """
import sys
from pullrisk.file_lock import FileLock
print(FileLock(sys.argv[1]).take())
"""
AS_ON_WINDOWS = """
import fcntl, multiprocessing, os, sys, types

def locking(descriptor, mode, count):
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
sys.platform = "win32"
import pullrisk.file_lock
sys.platform = "linux"
del sys.modules["msvcrt"]
for name in ("fcntl", "termios", "resource", "pwd", "grp", "pty", "syslog"):
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_CLOEXEC", "sched_getaffinity", "getuid", "geteuid", "killpg"):
    delattr(os, name)
"""
"""Python as it is there: without what only POSIX has, and with other locks."""


def taken_by_another(path: Path) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip() == "True"


def test_a_lock_for_writing_is_one_processs_until_it_is_closed(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.take()
        assert not taken_by_another(tmp_path / "lock")
    assert taken_by_another(tmp_path / "lock")


def test_locks_for_reading_are_shared_and_keep_writers_out(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as first, FileLock(tmp_path / "lock") as second:
        first.share()
        second.share()
        assert not taken_by_another(tmp_path / "lock")
        assert not first.take()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows changes no lock")
def test_nobody_takes_a_lock_while_its_writer_makes_it_one_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As POSIX allows: the lock is given up first, and then another is taken."""
    import fcntl

    taken: list[bool] = []
    flock = fcntl.flock

    def in_two_steps(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_SH:
            flock(descriptor, fcntl.LOCK_UN)
            taken.append(taken_by_another(tmp_path / "lock"))
        flock(descriptor, operation)

    with FileLock(tmp_path / "lock") as lock:
        assert lock.take()
        monkeypatch.setattr(fcntl, "flock", in_two_steps)
        lock.share()
        assert taken == [False]
        monkeypatch.undo()
        with FileLock(tmp_path / "lock") as reader:
            reader.share()
            assert not lock.take()
        assert not taken_by_another(tmp_path / "lock"), "what was refused is still for reading"


@pytest.mark.parametrize("words", [["score", "--git"], ["check"]], ids=" ".join)
def test_a_clone_is_scored_without_what_only_posix_has(
    tmp_path: Path, clone_of_sample: Path, words: list[str]
) -> None:
    install("", tmp_path / "site")
    program = f"{AS_ON_WINDOWS}\nfrom pullrisk.cli import main\nraise SystemExit(main())"
    for _ in range(2):  # the second run reads what the first has kept
        done = run(
            tmp_path / "site", program, *words, str(clone_of_sample),
            PULLRISK_HOME=str(tmp_path / "home"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "home" / "clones").glob("*/mark.json")]) == (words[0] == "score")
