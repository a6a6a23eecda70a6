"""kubectl, always with an explicit context and, for what is in one, a namespace."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
MANAGER = "pullrisk-cluster"


class ClusterError(Exception):
    """A step failed; the message says which, and what was seen."""


class BrokenError(ClusterError):
    """What has to be so is not so: waiting is no help."""


def find_program() -> str:
    """Path of kubectl: on PATH, else the one beside this Python. Raises ClusterError."""
    found = shutil.which("kubectl") or shutil.which("kubectl", path=Path(sys.executable).parent)
    if found is None:
        raise ClusterError("kubectl is not installed")
    return found


def say(text: str) -> None:
    """A line of what happens now, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Kubectl:
    """Calls of kubectl for one context."""

    def __init__(self, context: str, program: str | None = None) -> None:
        self.context = context
        self.program = program or find_program()

    def command(self, *words: str, namespace: str | None = None) -> list[str]:
        """The command line of a call."""
        place = ["--namespace", namespace] if namespace else []
        return [self.program, "--context", self.context, *place, *words]

    def run(
        self, *words: str, namespace: str | None = None, data: str = "", seconds: float = 120
    ) -> str:
        """Standard output of a call. Raises ClusterError if it fails or takes longer."""
        command = self.command(*words, namespace=namespace)
        try:
            done = subprocess.run(
                command, input=data, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"kubectl {' '.join(words)}: no end after {seconds:g} s") from None
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def find(self, kind: str, name: str, namespace: str | None = None) -> Any:
        """An object, None if it is not there."""
        words = ("get", kind, name, "--ignore-not-found", "--output", "json")
        text = self.run(*words, namespace=namespace)
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Any]:
        """Objects of a kind, of all namespaces if none is given."""
        words = ["get", kind, "--output", "json"]
        words += ["--selector", selector] if selector else []
        words += [] if namespace else ["--all-namespaces"]
        items: list[Any] = json.loads(self.run(*words, namespace=namespace))["items"]
        return items

    def apply(self, objects: Sequence[Any], namespace: str | None = None) -> None:
        """Server-side apply of objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        words = ("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}")
        self.run(*words, "--filename", "-", namespace=namespace, data=json.dumps(listed))

    def patch(
        self, kind: str, name: str, patch: Any, namespace: str, *, subresource: str = ""
    ) -> None:
        """A merge patch."""
        words = ["patch", kind, name, "--type", "merge", "--patch", json.dumps(patch)]
        words += [f"--subresource={subresource}"] if subresource else []
        self.run(*words, namespace=namespace)

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object and wait until it is gone; none is no error."""
        words = ("delete", kind, name, "--ignore-not-found", "--wait=true", "--timeout=180s")
        self.run(*words, namespace=namespace, seconds=200)

    @contextmanager
    def forward(self, target: str, port: int, namespace: str) -> Iterator[int]:
        """A port of this machine that leads to a port of a pod or service."""
        command = self.command("port-forward", target, f":{port}", namespace=namespace)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield _forwarded(process)
        finally:
            process.terminate()
            process.wait()


def _forwarded(process: "subprocess.Popen[str]") -> int:
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if found := re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise ClusterError(f"port-forward: {''.join(lines).strip()}")


def until(
    what: str,
    probe: Callable[[], T | None],
    *,
    seconds: float,
    shown: Callable[[], object] | None = None,
    pause: float = 1.0,
) -> T:
    """Wait until `probe` gives something true, and return it.

    Raises ClusterError after `seconds`, with what `shown` says then. A call of kubectl that fails
    meanwhile (a control plane that restarts) is no more than "not yet".
    """
    say(f"  waiting for {what} (at most {seconds:g} s)")
    started = time.monotonic()
    last = ""
    while True:
        try:
            if found := probe():
                say(f"  {what}: after {time.monotonic() - started:.1f} s")
                return found
        except BrokenError:
            raise
        except ClusterError as error:
            last = str(error)
        if time.monotonic() - started > seconds:
            state = f"; {shown()}" if shown else ""
            raise ClusterError(f"{what}: not within {seconds:g} s{state}{last and f'; {last}'}")
        time.sleep(pause)
