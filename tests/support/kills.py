"""Programs that are killed while they work: at a call that is counted, not at a time."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from typing import Any, Final, NamedTuple

from support.processes import mortal

FORKED: Final = get_context("forkserver")
"""Starts processes of Python that have imported the pipeline already."""
FORKED.set_forkserver_preload(["pullrisk.lake", "pullrisk.preprocess", "pullrisk.pulls.sqlite"])


class Moment(NamedTuple):
    """Before or after a call of a function: the first, or a later one."""

    when: str
    module: str
    name: str
    """Of the function; with that of its class."""
    time: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.name}"

    def kill(self) -> None:
        """From now on: SIGKILL of this process at that moment."""
        *path, last = self.name.split(".")
        owner: Any = import_module(self.module)
        for part in path:
            owner = getattr(owner, part)
        function, calls = getattr(owner, last), [0]

        def killing(*args: object, **kwargs: object) -> object:
            calls[0] += 1
            if self.when == "before" and calls[0] == self.time:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **kwargs)
            if self.when == "after" and calls[0] == self.time:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, last, killing)


_COUNT = """
import os, signal, sys, threading
_after, _calls = int(sys.argv.pop(1)), 0

def _count(frame, event, argument):
    global _calls
    _calls += 1
    if _calls == _after:
        os.kill(os.getpid(), signal.SIGKILL)

def count_calls():
    threading.setprofile(_count)
    sys.setprofile(_count)

def print_calls():
    sys.setprofile(None)
    print(_calls)
"""


def run_killed(program: str, *arguments: object, after: int = 0) -> int | None:
    """Run a Python program and kill it at its `after`-th call; 0: never.

    It says `count_calls()` before its work and `print_calls()` behind it. Returns how many calls
    the work takes, or None if it was killed before its end; then what it had started has ended too.
    """
    with subprocess.Popen(
        mortal([sys.executable, "-c", _COUNT + program, str(after), *map(str, arguments)]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        said, complaint = process.communicate()
    with suppress(ChildProcessError):  # its orphans are children of this process, a subreaper
        while True:
            os.waitpid(-process.pid, 0)
    if process.returncode == -signal.SIGKILL and after:
        return None
    assert process.returncode == 0, complaint
    return int(said)
