"""What the service takes: hostile bodies of 32 MB, idle connections, and fuzzers for some minutes.

    python benchmarks/serve_limits.py [--minutes N] [--seed N] [--json]

Each body is sent to a service as it ships while its probes are asked all the time: it has to stay
below 512 MB, answer no 5xx, and its probes within 100 ms (at the median of the slowest tenth, for
others use the machine too). The same with 1,024 idle connections. Then, for half of the minutes
each, valid requests that are changed byte by byte (tests/support/http_fuzz.py), and schemathesis
by the service's own OpenAPI: no 5xx, and memory at the end within 5 % of what it was after a third.
Exit code 1 where one of these is not so.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import create_connection
from threading import Event, Thread
from typing import Final

import httpx
import msgspec
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from pullrisk.features import NAMES  # noqa: E402
from support.http_fuzz import statuses  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.serving import Served, make_home, opened, served  # noqa: E402

BODY: Final = 32_000_000
MOST_MB: Final = 512
MOST_MS: Final = 100
FLAT: Final = 1.05
IDLE: Final = 1_024
HEAD: Final = f"{'':28}{'answered':>44}{'s':>7}{'probe ms':>10}{'MB':>6}"


class Figure(msgspec.Struct):
    """One attempt: what was answered, how long it took, how slow probes were, and the memory."""

    what: str
    answered: str
    seconds: float
    probe_ms: float
    peak_mb: float
    good: bool


def main() -> int:
    """Try everything, tell each attempt, and say by the exit code whether all of it is good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="of both fuzzers together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullrisk-limits-") as name:
        home = make_home(Path(name) / "home")
        print(f"seed {options.seed}\n{HEAD}", file=sys.stderr)
        figures = []
        for each in attempts(home, 30 * options.minutes, options.seed, Path(name)):
            figures.append(each)
            print(line(each), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures)))
    return int(not all(each.good for each in figures))


def attempts(home: Path, seconds: float, seed: int, folder: Path) -> Iterator[Figure]:
    """Everything that is tried; `seconds` are those of each fuzzer."""
    with served(home, access_log="false", probe_port=free_port()) as one:
        yield from try_bodies(one)
        yield try_idle(one)
    with served(home, access_log="false", body_timeout=2) as one:
        yield fuzz_bytes(one, seconds, seed)
        yield fuzz_schema(one, seconds, seed, folder)


def bodies() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Name, path and maker of bodies of 32 MB; made one at a time."""
    pull = json.dumps(opened()).encode()
    row = json.dumps([0.5] * len(NAMES)).encode()
    deep = json.dumps([{"filename": f"{'a/' * 150}{place}.py"} for place in range(3_000)])
    for what, item in {
        "ones": b"1", "empty lists": b"[]", "empty objects": b"{}", "nulls": b"null",
        "texts": b'""', "real pulls": pull, "references": b'{"repository":"o/r","number":1}',
    }.items():  # fmt: skip
        yield what, "/v1/score", partial(repeated, item)
    for field, item in {
        "labels": b"{}", "assignees": b"{}", "requested_reviewers": b"null",
        "files": b'{"filename":"a"}', "anything": b"[]",
    }.items():  # fmt: skip
        yield f"{field} of a pull", "/v1/score", partial(list_of, field, item)
    for field in ("title", "body", "anything"):
        for sign in ("x", "é", "\\n", "\\u00e9", "🦔"):
            yield (
                f"{field} of {sign}",
                "/v1/score",
                partial(text_of, field, sign),
            )
    few = BODY // 17  # of escapes, which are counted too
    yield "half characters", "/v1/score", lambda: field_of("body", b'"%s"' % (b"\\ud800" * few))
    yield "deep paths", "/v1/score", lambda: repeated(field_of("files", deep.encode()))
    yield "one path", "/v1/score", lambda: field_of("files", b'[{"filename":"%s"}]' % filled(b"a/"))
    yield "brackets", "/v1/score", lambda: b"[" * BODY
    yield "spaces", "/v1/score", lambda: b" " * (BODY - 1) + b"1"
    yield "a number", "/v1/score", lambda: b"1" * BODY
    yield "fields", "/v1/score", lambda: b"{%s}" % repeated(b'"a":1')[1:-1]
    yield "rows", "/v1/score/features", lambda: repeated(row)
    yield "1,000 rows", "/v1/score/features", lambda: repeated(row, 1_000)
    yield "numbers", "/v1/score/features", lambda: repeated(b"1")
    yield "digits", "/v1/score/features", lambda: b"[%s]" % (b"1" * (BODY - 2))


def filled(sign: bytes) -> bytes:
    """A text of the sign again and again, almost as long as a body."""
    return sign * ((BODY - 100_000) // len(sign))


def list_of(field: str, item: bytes) -> bytes:
    """A pull request with a long list."""
    return field_of(field, repeated(item))


def text_of(field: str, sign: str) -> bytes:
    """A pull request with a long text."""
    return field_of(field, b'"%s"' % filled(sign.encode()))


def repeated(item: bytes, most: int = BODY) -> bytes:
    """A list of the item, as long as a body may be."""
    return b"[%s]" % b",".join([item] * min(most, (BODY - 2) // (len(item) + 1)))


def field_of(name: str, value: bytes) -> bytes:
    """A pull request with such a field, and no more than a body may have."""
    pull = json.dumps(opened() | {name: None}).encode()
    room = BODY - len(pull)
    if len(value) > room:  # shorten the list by whole items
        value = value[: value.rindex(b",", 0, room)] + b"]"
    return pull.replace(f'"{name}": null'.encode(), f'"{name}": '.encode() + value)


def try_bodies(one: Served) -> Iterator[Figure]:
    """Every body, one after the other."""
    for what, path, make in bodies():
        body = make()
        with watching(one) as figure:
            answered = httpx.post(
                f"{one.url}{path}", content=body, headers={"content-type": "application/json"},
                timeout=120,
            )  # fmt: skip
        status = answered.status_code
        yield figure(what, str(status), status < 500)


def try_idle(one: Served) -> Figure:
    """Idle connections of one address, many more than one may have."""
    with ExitStack() as stack, watching(one) as figure:
        for _ in range(IDLE):
            with suppress(OSError):
                stack.enter_context(create_connection(("127.0.0.1", one.port), timeout=10))
        status = httpx.get(f"{one.url}/v1/model", timeout=60).status_code
    return figure(f"{IDLE:,} idle connections", str(status), status == 200)


@contextmanager
def watching(one: Served) -> Iterator[Callable[[str, str, bool], Figure]]:
    """Ask the probes and look at the memory meanwhile; what is yielded makes the figure."""
    stop, probes, memory = Event(), [0.0], [rss(one)]

    def watch() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{one.settings['probe_port']}") as client:
            while not stop.wait(0.01):
                began = time.perf_counter()
                client.get("/healthz", timeout=60)
                probes.append(1000 * (time.perf_counter() - began))
                memory.append(rss(one))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    began = time.perf_counter()

    def figure(what: str, answered: str, good: bool) -> Figure:
        slow = statistics.median(sorted(probes)[-max(1, len(probes) // 10) :])
        good = good and slow <= MOST_MS and max(memory) <= MOST_MB
        return Figure(what, answered, seconds, slow, max(memory), good)

    try:
        yield figure
    finally:
        seconds = time.perf_counter() - began
        stop.set()
        thread.join()


def rss(one: Served) -> float:
    """MB of the largest worker."""
    workers = psutil.Process(one.process.pid).children()
    return max(float(each.memory_info().rss) for each in workers) / 1e6


def fuzz_bytes(one: Served, seconds: float, seed: int) -> Figure:
    """Changed bytes for so long."""
    began, early, count = time.monotonic(), 0.0, 0
    bad: list[bytes] = []
    told: dict[int, int] = {}
    for request, found in statuses(one.port, seed=seed):
        count += 1
        for status in found:
            told[status] = told.get(status, 0) + 1
        bad += [request for status in found if status >= 500 and status not in (503, 504)]
        passed = time.monotonic() - began
        if not early and passed > seconds / 3:
            early = rss(one)
        if passed > seconds:
            break
    for request in bad[:3]:
        print(f"a defect: {request!r}", file=sys.stderr)
    late = rss(one)
    answered = f"{count:,} requests, {sum(told.values()):,} answers, {len(bad)} defects"
    return Figure("changed bytes", answered, seconds, 0.0, late, not bad and late < FLAT * early)


def fuzz_schema(one: Served, seconds: float, seed: int, folder: Path) -> Figure:
    """schemathesis again and again, each time with another seed, for so long."""
    program = Path(sys.executable).with_name("schemathesis")
    began, early, runs, failed = time.monotonic(), 0.0, 0, 0
    while time.monotonic() - began < seconds:
        ran = subprocess.run(
            [program, "run", f"{one.url}/openapi.json", f"--seed={seed + runs}", "--no-color",
             "--phases=coverage,fuzzing", "--max-examples=50"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        runs += 1
        early = early or rss(one)
        if ran.returncode:
            failed += 1
            print(ran.stdout[-4000:], file=sys.stderr)
    late = rss(one)
    answered = f"{runs} runs, {failed} failed"
    passed = time.monotonic() - began
    return Figure("schemathesis", answered, passed, 0.0, late, not failed and late < FLAT * early)


def line(each: Figure) -> str:
    """One attempt in the table."""
    return (
        f"{each.what:28}{each.answered:>44}{each.seconds:7.1f}{each.probe_ms:10.0f}"
        f"{each.peak_mb:6.0f}  {'ok' if each.good else 'MISSED'}"
    )


if __name__ == "__main__":
    sys.exit(main())
