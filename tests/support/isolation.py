"""What a test changes in its process, or starts, does not reach the next: a plugin of pytest."""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from sysconfig import get_path
from typing import Any, Final

import psutil
import pytest

from pullrisk.redaction import REDACTOR, Redactor
from support.processes import scope

GRACE: Final = 60.0
"""Seconds in which a process that a test has told to end may do so."""
_BECOME_SUBREAPER: Final = 36
_OF_PYTHON: Final = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Helpers that Python starts once and keeps."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def pytest_configure() -> None:
    """Orphans of what tests start become children of this process, so that they are seen.

    A shell starts what it runs in the background with SIGINT ignored, and children inherit that;
    tests that interrupt a command have to be able to. Programs of this environment (kubectl,
    zizmor) are found as where it is activated.
    """
    os.environ["PATH"] = os.pathsep.join([get_path("scripts"), os.environ["PATH"]])
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: "pytest.FixtureDef[object]",
) -> Generator[None, object, object]:
    """Servers of a module or a session outlive a test; the handlers of signals it sets do not."""
    if fixturedef.scope == "function":
        return (yield)
    before, wide, handlers = _children(), scope.wide, _handlers()
    scope.wide = True
    try:
        return (yield)
    finally:
        scope.wide = wide
        _restore(handlers)
        scope.outliving.update(_children() - before)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Kill what the test started and left, also where it failed; then say so."""
    before = _children()
    yield
    left = _left(before)
    names = [_name(process) for process in left]
    while left:
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=GRACE)
        left = _left(before)  # orphans of those
    if names:
        pytest.fail(f"the test left processes behind, now killed: {'; '.join(names)}")


@pytest.fixture(autouse=True)
def _state_of_the_process() -> Iterator[None]:
    """Environment, folder, signals, logging, hooks: as before; no learned secret masks a word."""
    vars(REDACTOR).update(vars(Redactor()))
    variables, folder = dict(os.environ), Path.cwd()
    handlers = _handlers()
    hooks = sys.excepthook, threading.excepthook
    root = logging.getLogger()
    log = root.level, root.handlers[:], logging.getLogRecordFactory()
    yield
    sys.excepthook, threading.excepthook = hooks
    root.setLevel(log[0])
    root.handlers[:] = log[1]
    logging.setLogRecordFactory(log[2])
    _restore(handlers)
    os.chdir(folder)
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)


def _handlers() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # None: set by C, which nothing here does
            signal.signal(number, handler)


def _left(before: set[int]) -> list[psutil.Process]:
    """Processes that the test started and that do not end by themselves."""
    started = [each for pid in _children() - before - scope.outliving for each in _alive(pid)]
    running: list[psutil.Process] = psutil.wait_procs(started, timeout=GRACE)[1]
    return running


def _alive(pid: int) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(pid)
        of_python = any(name in " ".join(process.cmdline()) for name in _OF_PYTHON)
        if process.status() != psutil.STATUS_ZOMBIE and not of_python:
            yield process
    except psutil.NoSuchProcess:
        pass


def _children() -> set[int]:
    """Process ids of the children of every thread, and of the servers that fork for tests."""
    if sys.platform != "linux":
        return {process.pid for process in psutil.Process().children()}
    found: set[int] = set()
    for parent in (os.getpid(), *scope.forking):
        with suppress(FileNotFoundError):  # it has ended
            for thread in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208 - for each test, twice
                found.update(_children_of(f"/proc/{parent}/task/{thread}/children"))
    return found


def _children_of(thread: str) -> list[int]:
    try:
        with open(thread) as listed:  # noqa: PTH123
            return [int(pid) for pid in listed.read().split()]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return []


def _name(process: Any) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.NoSuchProcess:
        return str(process.pid)
