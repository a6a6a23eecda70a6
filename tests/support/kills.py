"""Programs that are killed while they work: at a call that is counted, not at a time."""

import signal
import subprocess
import sys

from support.processes import mortal

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
    the work takes, or None if it was killed before its end.
    """
    ended = subprocess.run(
        mortal([sys.executable, "-c", _COUNT + program, str(after), *map(str, arguments)]),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == -signal.SIGKILL and after:
        return None
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)
