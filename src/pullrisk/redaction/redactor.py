"""No secret in any output: values that were learned, and whatever has the shape of a credential.

A value that a `Secrets` source hands out is learned first, so from then on it is masked in log
records, tracebacks and error messages. Shapes (URIs with a password, tokens, private keys) are
masked whether they were learned or not.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

from pullrisk.redaction.uri import MASK, password_of, redacted

SHORTEST: Final = 4
"""Characters that a learned value needs; masking shorter ones would eat ordinary words."""
MOST_VALUES: Final = 1_000
"""Learned values kept, the newest; rotated ones stay masked for a long while."""

SHAPES: Final[Mapping[str, str]] = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*KEY-----|\Z)",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
    "Vault token": r"\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}",
    "JSON web token": r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    "DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{32,}",
    "S3 access key": r"\b(?:AKIA|ASIA|DO00)[0-9A-Z]{16}\b",
    "GitLab or Slack token": r"\b(?:glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})",
}
"""What credentials look like, wherever they stand: name → regular expression."""

SENSITIVE_NAME: Final = (
    r"(?:pass(?:word|wd|phrase)|secret|token|credential|authorization|cookie"
    r"|api[._-]?key|access[._-]?key|private[._-]?key|app[._-]?key|do_spaces_key|mongo_uri)"
)
"""Names of fields, parameters and settings whose values are credentials."""

_SPARK_SHAPES: Final = "|".join([r"(?<=://)[^/\s]\S*@", *SHAPES.values()])
SPARK_REDACTION: Final[Mapping[str, str]] = {
    # Spark holds this one against the names of its settings, and against their values.
    "spark.redaction.regex": rf"(?i){SENSITIVE_NAME}|uri|url|{_SPARK_SHAPES}",
    "spark.redaction.string.regex": _SPARK_SHAPES,
    "spark.sql.redaction.options.regex": rf"(?i){SENSITIVE_NAME}|uri|url",
}
"""Spark's own settings of what its logs, UI and event log must not show."""

_SHAPE: Final = re.compile("|".join(SHAPES.values()))
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_ASSIGNED: Final = re.compile(rf"(?i)(\b[\w.-]*{SENSITIVE_NAME}[\w.-]*['\"]?=)['\"]?[^\s'\"&,;)]+")
_SENSITIVE: Final = re.compile(rf"(?i){SENSITIVE_NAME}")


class Redactor:
    """Masks learned values and shapes of credentials; safe to use from several threads."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._learned: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} values)"

    def learn(self, value: str) -> None:
        """Mask this value from now on, also quoted, escaped, in base64, line by line."""
        forms = [form for form in _forms(value) if len(form) >= SHORTEST]
        with self._lock:
            if all(form in self._values for form in forms):
                return
            for form in forms:
                self._values.pop(form, None)
                self._values[form] = None
            while len(self._values) > MOST_VALUES:
                del self._values[next(iter(self._values))]
            self._learned = None

    def text(self, text: str) -> str:
        """The text with every credential masked."""
        if self._values:
            text = (self._learned or self._compile()).sub(MASK, text)
        text = redacted(_SHAPE.sub(MASK, text))
        return _ASSIGNED.sub(rf"\1{MASK}", _BEARER.sub(rf"\1 {MASK}", text))

    def _compile(self) -> re.Pattern[str]:
        """All values in one expression, made when something is first masked after a change."""
        with self._lock:
            longest_first = sorted(self._values, key=len, reverse=True)
            self._learned = re.compile("|".join(map(re.escape, longest_first)))
            return self._learned

    def value(self, value: object) -> object:
        """The value with every credential in it masked; numbers and the like stay themselves."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode(errors="replace"))
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one) for one in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        shown = str(value)
        masked = self.text(shown)
        return value if masked == shown else masked

    def mapping(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields with credentials masked, those whose name says so whatever they hold.

        What MLflow's parameters and tags, and events of a log, go through.
        """
        return {
            name: MASK if _SENSITIVE.search(str(name)) and _holds(value) else self.value(value)
            for name, value in fields.items()
        }

    def __call__(
        self, logger: object, method: str, event: Mapping[str, object]
    ) -> dict[str, object]:
        """Mask one event: this object is a processor of structlog."""
        return self.mapping(event)


REDACTOR: Final = Redactor()
"""The redactor of this process: what one part has learned, no other part may print."""


def _holds(value: object) -> bool:
    return bool(value) and not isinstance(value, bool | int | float)


def _forms(value: str) -> Iterator[str]:
    """How a value may turn up in output: as it is, escaped, encoded, or only a part of it."""
    for part in (value, *_parts(value)):
        yield part
        yield quote(part, safe="")
        yield json.dumps(part)[1:-1]
        yield repr(part)[1:-1]
        yield base64.b64encode(part.encode()).decode()


def _parts(value: str) -> Iterator[str]:
    if "\n" in value:
        yield from (line for line in value.splitlines() if len(line) >= 16)
    password = password_of(value)
    if password:
        yield password
        yield unquote(password)
