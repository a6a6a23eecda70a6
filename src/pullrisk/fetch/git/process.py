"""A running git program: its output as it comes, or when it has ended."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

from pullrisk.errors import InputError

_PIPE: Final = 1 << 20
"""Bytes that git may write ahead of its reader: each is quick where the other is slow."""
_CHUNK: Final = 2**18


class GitProcess:
    """A git program; a context manager that kills it at the end. Raises InputError without git.

    `output` is what it writes, as it comes. In the `background` it writes that to a file, so it
    runs on while others are read: call `succeeded` before reading it.
    """

    output: IO[bytes]

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: bytes = b"",
        background: bool = False,
    ) -> None:
        self._background = background
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        output = tempfile.TemporaryFile() if background else None  # noqa: SIM115
        try:
            with _file_of(stdin) as given:
                self._process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                    command,
                    stdin=given,
                    stdout=output or subprocess.PIPE,
                    stderr=self._errors,
                    env=environment,
                )
        except FileNotFoundError as error:
            self._errors.close()
            if output is not None:
                output.close()
            raise InputError(
                "the git program is not installed", hint="install git, or use --file"
            ) from error
        if self._process.stdout is not None:
            _widen(self._process.stdout)
        self.output = output or self._process.stdout  # type: ignore[assignment]  # one of them

    def __enter__(self) -> "GitProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tokens(self) -> Iterator[bytes]:
        """The pieces of the output between its NUL bytes."""
        pieces: list[bytes] = []
        while data := self.output.read(_CHUNK):
            head, *tokens = data.split(b"\x00")
            pieces.append(head)
            if tokens:
                yield b"".join(pieces)
                yield from tokens[:-1]
                pieces = [tokens[-1]]
        if last := b"".join(pieces):
            yield last

    def succeeded(self) -> bool:
        """Wait for its end: whether git succeeded. The output of a pipe has to be read before."""
        code = self._process.wait()
        if self._background:
            self.output.seek(0)
        return code == 0

    def errors(self) -> bytes:
        """What it wrote to standard error; call it after `succeeded`."""
        self._errors.seek(0)
        return self._errors.read(65_536)

    def close(self) -> None:
        """Kill it if it still runs, and forget what it wrote. Safe to call twice."""
        self._process.kill()
        self.output.close()
        self._process.wait()
        self._errors.close()


@contextmanager
def _file_of(content: bytes) -> Iterator[IO[bytes] | int]:
    """A file with the content, to be read from its start; none if there is no content."""
    if not content:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def _widen(pipe: IO[bytes]) -> None:
    """Let git write ahead, where the system has such pipes and still gives one."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
