"""API keys: several at a time, compared in constant time, changed without a restart."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from pullrisk.errors import SettingsError

KeySource = Callable[[], Iterable[str]]
"""Gives the keys that hold now."""


class Keys:
    """The keys that hold now, from a file, other sources, or both.

    A key is known by the first eight digits of its digest: that name may be logged.
    """

    def __init__(self, *, file: Path | None = None, source: KeySource = tuple) -> None:
        self._file, self._source = file, source
        self._digests: tuple[bytes, ...] = ()
        self.required = False
        """Whether there was ever a key; losing all of them closes the service, never opens it."""

    def refresh(self) -> None:
        """Read the keys anew. Raises SettingsError where the file cannot be read."""
        found = {sha256(key.encode()).digest() for key in (*self._source(), *self._from_file())}
        self._digests = tuple(sorted(found))
        self.required = self.required or bool(found) or self._file is not None

    def name_of(self, presented: str) -> str | None:
        """The name of a key that holds, None for any other text."""
        digest = sha256(presented.encode()).digest()
        found = False
        for known in self._digests:  # all of them: the time must not tell which
            found |= compare_digest(digest, known)
        return digest.hex()[:8] if found else None

    def _from_file(self) -> list[str]:
        if self._file is None:
            return []
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the file of API keys {self._file} cannot be read: {error}",
                hint="serve.keys_file is a text file with one key a line",
            ) from error
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
