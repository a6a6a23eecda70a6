"""Load on one server by wrk, with what the server uses of the processor and of memory meanwhile."""

import re
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil

_SCRIPT: Final = """
local bodies = {%s}
local requests, turn = {}, 0
init = function()
  for place, body in ipairs(bodies) do
    requests[place] = wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body)
  end
end
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""


class Target(msgspec.Struct):
    """What is asked, and with which bodies in turn; `pid` is the process that is watched."""

    name: str
    url: str
    bodies: Sequence[str]
    pid: int


class Measured(msgspec.Struct):
    """Requests a second, µs of processor time for each, milliseconds, MB."""

    name: str
    rate: float
    cpu: float
    p50: float
    p99: float
    memory: float


def median(own: Sequence[Measured]) -> Measured:
    """Each figure's median; the memory is the last."""
    return Measured(
        own[0].name,
        rate=statistics.median(one.rate for one in own),
        cpu=statistics.median(one.cpu for one in own),
        p50=statistics.median(one.p50 for one in own),
        p99=statistics.median(one.p99 for one in own),
        memory=own[-1].memory,
    )


def wrk(target: Target, folder: Path, *, seconds: int, connections: int) -> Measured:
    """One run of wrk. SystemExit where a single answer was no 2xx."""
    script = folder / "post.lua"
    script.write_text(_SCRIPT % ", ".join(f"[==[{body}]==]" for body in target.bodies))
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(script)]
    before = _processor_seconds(target.pid)
    ran = subprocess.run([*arguments, target.url], capture_output=True, text=True, check=True)
    spent = _processor_seconds(target.pid) - before
    if "Non-2xx" in ran.stdout:
        raise SystemExit(f"{target.name} refuses what it is asked:\n{ran.stdout}")
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", ran.stdout)[1])
    p50, p99 = (_milliseconds(ran.stdout, percent) for percent in ("50%", "99%"))
    memory = sum(one.memory_info().rss for one in _family(target.pid)) / 1e6
    count = int(_found(r"(\d+) requests in", ran.stdout)[1])
    return Measured(target.name, rate, 1e6 * spent / max(1, count), p50, p99, memory)


def _family(pid: int) -> list[psutil.Process]:
    own = psutil.Process(pid)
    return [own, *own.children(recursive=True)]


def _processor_seconds(pid: int) -> float:
    """What the process and its children have used so far."""
    times = [one.cpu_times() for one in _family(pid)]
    return float(sum(each.user + each.system for each in times))


def _milliseconds(text: str, percent: str) -> float:
    """A latency out of wrk's words."""
    match = _found(rf"{percent}\s+([\d.]+)(us|ms|s)", text)
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


def _found(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk did not say {pattern}:\n{text}")
    return match
