"""What goes wrong beneath a program: full disks, clocks that jump, little memory, bad networks."""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from support.loopback import Forwarding, Loopback

FAKETIME: Final = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
"""Debian's libfaketime (package faketime); None where it is not installed."""


def can_mount() -> bool:
    """Whether this user may mount a small disk: root of a machine that lets it."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes on an empty folder; what was on it is gone afterwards."""
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "pullrisk-small", folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


def resize_disk(folder: Path, size: int) -> None:
    """Give a small disk this many bytes from now on."""
    _run("mount", "-o", f"remount,size={size}", folder)


def make_read_only(folder: Path, read_only: bool) -> None:
    """Forbid, or allow again, all writing on a small disk; nothing may be open for writing."""
    _run("mount", "-o", f"remount,{'ro' if read_only else 'rw'}", folder)


def jumping_clock(folder: Path, chance: random.Random) -> dict[str, str]:
    """Variables under which a program's clock is wrong by hours or years; `jump` changes it."""
    assert FAKETIME is not None
    (folder / "clock").write_text(_offset(chance))
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def jump(folder: Path, chance: random.Random) -> None:
    """Let the clock of the running program jump."""
    draft = folder / "clock.draft"
    draft.write_text(_offset(chance))
    draft.replace(folder / "clock")


def _offset(chance: random.Random) -> str:
    return f"{chance.choice([-86_400 * 400, -7_200, -1, 3_600, 86_400 * 400]):+d}"


def limit_memory(process: int, more: int) -> None:
    """Allow a process this many bytes of address space more than it has now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.prlimit(process, resource.RLIMIT_AS, (most, most))


@contextmanager
def bad_network(address: str, chance: random.Random, *, share: float) -> Iterator[str]:
    """The address of a proxy before an HTTP server, which spoils this share of the answers.

    Of these one comes late, one breaks off, one says that it is longer than it is.
    """

    class Proxy(Forwarding):
        protocol_version = "HTTP/1.1"
        target = address.removeprefix("http://")

        def forward(self) -> None:
            answer, content = self.ask()
            bad = chance.choice(["late", "cut", "long"]) if chance.random() < share else None
            if bad == "late":
                time.sleep(chance.uniform(0.2, 2))
            self.begin(answer, without=("content-length",))
            said = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(int(said or 0) + 7 * (bad == "long")))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if bad == "cut" else content)
            self.close_connection = bad in ("cut", "long")

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client gave up, which is its right
                super().handle()

    with Loopback(Proxy) as server:
        yield server.url


def _run(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
