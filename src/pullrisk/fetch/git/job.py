"""A program that runs in the background while the output of others is read."""

import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Final

_CHUNK: Final = 2**18


class Job:
    """A git program that runs in the background; a context manager that ends it."""

    def __init__(self, command: list[str], environment: dict[str, str], stdin: bytes) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            self._process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                command, stdin=given, stdout=self._output, stderr=self._errors, env=environment
            )

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> bool:
        """Wait for its end: whether git succeeded."""
        return self._process.wait() == 0

    def tokens(self) -> Iterator[bytes]:
        """What it wrote, as in `Git.log`; call it after `wait`."""
        self._output.seek(0)
        return tokens(self._output)

    def errors(self) -> bytes:
        """What it wrote to standard error; call it after `wait`."""
        self._errors.seek(0)
        return self._errors.read(65_536)

    def close(self) -> None:
        """Kill it if it still runs, and forget what it wrote. Safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._errors.close()


class LogStream:
    """What a git program writes while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def read(self, size: int) -> bytes:
        """The next bytes, `size` of them unless the output ends."""
        assert self._process.stdout is not None  # noqa: S101
        return self._process.stdout.read(size)

    def succeeded(self) -> bool:
        """Whether git succeeded; call it at the end of the output."""
        return self._process.wait() == 0

    def errors(self) -> bytes:
        """What it wrote to standard error; call it after `succeeded`."""
        self._errors.seek(0)
        return self._errors.read(65_536)


def tokens(stdout: IO[bytes]) -> Iterator[bytes]:
    """The pieces of the stream between its NUL bytes."""
    pieces: list[bytes] = []
    while data := stdout.read(_CHUNK):
        head, *tokens = data.split(b"\x00")
        pieces.append(head)
        if tokens:
            yield b"".join(pieces)
            yield from tokens[:-1]
            pieces = [tokens[-1]]
    if last := b"".join(pieces):
        yield last
