"""Looks for a mark in everything that a program leaves behind or shows while it runs."""

import gzip
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.processes import until

PROC = Path("/proc")


@dataclass
class Watched:
    """One finished program: its output, and what its processes showed to others meanwhile."""

    code: int
    output: str
    processes: dict[int, str] = field(default_factory=dict)
    """Process id → command line and environment, as /proc shows them."""


def run_watched(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    seen_enough: Callable[[Mapping[int, str]], bool] = lambda seen: True,
) -> Watched:
    """Run a program and note command line and environment of it and all its children.

    Its input ends once enough was seen of its processes.
    """
    seen: dict[int, str] = {}
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        stop = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, seen, stop))
        watcher.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            until(lambda: seen_enough(dict(seen)))
        finally:
            process.stdin.close()
        output = process.stdout.read().decode(errors="replace")
        process.wait()
        stop.set()
        watcher.join()
    return Watched(process.returncode, output, seen)


def files_holding(folder: Path, mark: str) -> list[str]:
    """Files below the folder whose bytes, decompressed bytes, rows or names hold the mark."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (mark in str(path) or any(mark.encode() in d for d in _read(path)))
    ]


def _read(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:1] == b"\x78":
        yield zlib.decompressobj().decompress(data)
    if data[:4] == b"PRO1":  # a sealed object of the lake: a digest, then a frame of zstd
        frame = data.index(b"\x28\xb5\x2f\xfd")
        import pyarrow as pa

        yield pa.input_stream(pa.py_buffer(data[frame:]), compression="zstd").read()
    if data[:4] == b"PAR1":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        text = [
            name
            for name, kind in zip(table.column_names, table.schema.types, strict=True)
            if "float" not in str(kind)
        ]
        yield str(table.select(text).to_pylist()).encode()
        yield str(table.schema.metadata).encode()


def _watch(root: int, seen: dict[int, str], stop: threading.Event) -> None:
    while not stop.is_set():
        for pid in family(root):
            try:
                shown = b"".join(
                    (PROC / str(pid) / name).read_bytes() for name in ("cmdline", "environ")
                )
            except OSError:
                continue  # it has just ended
            seen[pid] = shown.replace(b"\0", b" ").decode(errors="replace")
        time.sleep(0.02)


def family(root: int) -> list[int]:
    """The process and all that descend from it: only theirs is read, not the whole of /proc."""
    found = [root]
    for pid in found:  # grows
        for path in (PROC / str(pid) / "task").glob("*/children"):
            with suppress(OSError):  # it has just ended
                found += map(int, path.read_text().split())
    return found
