"""No secret in any output: logs, tracebacks, error messages, MLflow's records, Spark's settings.

A value that a `Secrets` source hands out is learned first, so from then on it is masked in log
records, tracebacks and error messages. Shapes (URIs with a password, tokens, private keys) are
masked whether they were learned or not.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final

from pullrisk.secret_forms import forms

MASK: Final = "***"
"""What stands in the place of a secret."""
SHORTEST: Final = 4
"""Least length of a learned value; masking shorter ones would mask parts of ordinary words."""
MOST_VALUES: Final = 4_000
"""How many forms of learned values are kept, the newest; so rotated ones stay masked for long."""

SHAPES: Final[Mapping[str, str]] = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*KEY-----|\Z)",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})",
    "Vault token": r"\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}",
    "JSON web token": r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]++\.[\w-]*+",
    "DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{32,}",
    "S3 access key": r"\b(?:AKIA|ASIA|DO00)[0-9A-Z]{16}\b",
    "GitLab or Slack token": r"\b(?:glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})",
}
"""What credentials look like, wherever they stand: name → regular expression."""

SENSITIVE_NAME: Final = (
    r"(?:pass(?:word|wd|phrase)|secret|token|credential|authorization|cookie|code_?verifier"
    r"|(?-i:pwd)"  # MongoDB's name of it; PWD is a folder
    r"|api[._-]?key|access[._-]?key|private[._-]?key|app[._-]?key|do_spaces_key|mongo_uri)"
)
"""Names of fields, parameters and settings whose values are credentials."""

_SPARK_SHAPES: Final = "|".join([r"(?<=://)[^/\s]\S*@", *SHAPES.values()])
SPARK_REDACTION: Final[Mapping[str, str]] = {
    # Spark matches this one against the names of its settings and against their values.
    "spark.redaction.regex": rf"(?i){SENSITIVE_NAME}|uri|url|{_SPARK_SHAPES}",
    "spark.redaction.string.regex": _SPARK_SHAPES,
    "spark.sql.redaction.options.regex": rf"(?i){SENSITIVE_NAME}|uri|url",
}
"""Spark's own settings of what its logs, UI and event log must not show."""

_SHAPE: Final = re.compile("|".join(SHAPES.values()))
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_SENSITIVE: Final = re.compile(rf"(?i){SENSITIVE_NAME}")

# Each of these begins where the one before has ended or failed, so that no text, however it is
# made, takes longer than in proportion to its length.
_ASSIGNMENT: Final = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]++)(?P<quote>\\*+["']?)[ \t]*+(?P<sign>=>?|:)[ \t]*+"""
)
_PARAMETER: Final = re.compile(r"[?&;](?P<name>[^=&;?\s]*+)=")
_PARAMETER_NAME: Final = re.compile(
    r"password|token|secret|properties|signature|^(?:sig|code)$|x-amz-credential", re.IGNORECASE
)
_PARAMETER_VALUE: Final = re.compile(r"[^&;\s'\"]*")
# `--password hush`, also as two words of a list; not `--password is needed`.
_OPTION: Final = re.compile(
    r"""(?<![\w-])--?(?P<name>[A-Za-z][\w.-]*+)(?:[ \t]++|\\*+["'],[ \t]*+)"""
    r"""(?![-\s]|(?:is|are|was|or|and|to|for|in|as|of|with|from|if|needs|must|may|can|cannot)\b)"""
)
_ENCODED: Final = re.compile(  # JSON and forms in the address of a request, encoded more than once
    r"(?i)(?<![\w.-])(?P<name>[\w.-]++)(?:%(?:25)*+2[27])?+(?:%(?:25)*+20|\+)*+%(?:25)*+3[AD](?:%(?:25)*+20|\+)*+"
)
_ENCODED_VALUE: Final = re.compile(
    r"""(?ix)%(?:25)*+22(?P<quoted>(?:%(?:25)*+5C%(?:25)*+22|(?!%(?:25)*+22)[^\s"'&])*+)
    |(?P<word>(?:(?!%(?:25)*+(?:2C|7D|26|22|27))[^\s"'&])*+)"""
)
_QUOTED: Final = re.compile(r"""(?s)(?P<open>\\*+["'])(?P<value>.*?)(?<!\\)(?P=open)""")
_WORD: Final = re.compile(r"""\\*["']?(?P<value>[^\s'"&,;)\\]+)""")
_HEADER: Final = re.compile(r"(?i)(?:proxy-)?authorization|(?:set-)?cookie")
_HEADER_VALUE: Final = re.compile(
    r"""(?i)(?:(?:bearer|basic|digest|token|negotiate)[ \t]+)?(?P<value>[^\r\n'"]+)"""
)
_NO_PROSE: Final = re.compile(r"\d|.{20}")
_FIRST_URI: Final = re.compile(r"(['\"]?\w[\w+.-]*://)[^/\n][^\n]*@")
_TOKEN: Final = re.compile(r"\S+")


def redacted(text: str) -> str:
    """The text with the user names, passwords and secret options of the URIs in it masked."""
    if "://" not in text:
        return text
    # Up to the last "@": a password that should have been percent-encoded holds "@" or "/". A
    # text that begins with a URI may be nothing else, and then it may even hold a space.
    text = _FIRST_URI.sub(rf"\g<1>{MASK}@", text, count=1) if _FIRST_URI.match(text) else text
    return _mask_parameters(_TOKEN.sub(_without_user, text))


def _without_user(token: re.Match[str]) -> str:
    text = token[0]
    begin = text.find("://") + 3
    while begin > 2 and text.startswith("/", begin):
        begin = text.find("://", begin) + 3
    end = text.rfind("@")
    return f"{text[:begin]}{MASK}{text[end:]}" if 2 < begin < end else text


def _mask_parameters(text: str) -> str:
    def spans() -> Iterator[tuple[int, int]]:
        for parameter in _PARAMETER.finditer(text):
            if _PARAMETER_NAME.search(parameter["name"]):
                value = _PARAMETER_VALUE.match(text, parameter.end())
                yield parameter.end(), value.end() if value else parameter.end()

    return _masked(text, spans())


def _mask_assignments(text: str) -> str:
    """Mask what stands behind sensitive names: `name=value`, JSON, YAML, headers."""

    def spans() -> Iterator[tuple[int, int]]:
        end = 0
        for assignment in _ASSIGNMENT.finditer(text):
            if assignment.start() >= end and _SENSITIVE.search(assignment["name"]):
                value = _assigned(text, assignment)
                if value is not None:
                    end = value.end("value")
                    yield value.span("value")

    return _masked(text, spans())


def _mask_options(text: str) -> str:
    """Mask what stands behind the sensitive options of a command line."""

    def spans() -> Iterator[tuple[int, int]]:
        for option in _OPTION.finditer(text):
            if _SENSITIVE.search(option["name"]):
                value = _QUOTED.match(text, option.end()) or _WORD.match(text, option.end())
                if value is not None:
                    yield value.span("value")

    return _masked(text, spans())


def _mask_encoded(text: str) -> str:
    """Mask what stands behind sensitive names where JSON or a form was percent-encoded."""

    def spans() -> Iterator[tuple[int, int]]:
        end = 0
        for assignment in _ENCODED.finditer(text):
            if assignment.start() >= end and _SENSITIVE.search(assignment["name"]):
                value = _ENCODED_VALUE.match(text, assignment.end())
                if value is not None and value[value.lastgroup or 0]:
                    begin, end = value.span(value.lastgroup or 0)
                    yield begin, end

    return _masked(text, spans())


def _assigned(text: str, assignment: re.Match[str]) -> re.Match[str] | None:
    """The value behind a sensitive name; None if what follows may be a sentence."""
    quoted = _QUOTED.match(text, assignment.end())
    if quoted is not None:
        return quoted
    if assignment["sign"] == ":" and _HEADER.fullmatch(assignment["name"]):
        return _HEADER_VALUE.match(text, assignment.end())
    word = _WORD.match(text, assignment.end())
    if (
        word is None
        or assignment["sign"] != ":"
        or assignment["quote"]
        or "-" in assignment["name"]
    ):
        return word
    return word if _NO_PROSE.search(word["value"]) else None


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for begin, end in spans:
        pieces += [text[position:begin], MASK]
        position = end
    return "".join([*pieces, text[position:]])


class Redactor:
    """Masks learned values and shapes of credentials; safe to use from several threads."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._learned: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} values)"

    def learn(self, value: str) -> None:
        """Mask this value from now on, also where it is quoted, escaped, in base64, or one of
        its lines alone.
        """
        long_forms = [form for form in forms(value) if len(form) >= SHORTEST]
        with self._lock:
            if all(form in self._values for form in long_forms):
                return
            for form in long_forms:
                self._values.pop(form, None)
                self._values[form] = None
            while len(self._values) > MOST_VALUES:
                del self._values[next(iter(self._values))]
            self._learned = None

    def text(self, text: str) -> str:
        """The text with every credential masked."""
        if self._values:
            text = (self._learned or self._compile()).sub(MASK, text)
        text = _mask_parameters(redacted(_SHAPE.sub(MASK, text)))
        text = _mask_options(_mask_encoded(text))
        return _mask_assignments(_BEARER.sub(rf"\1 {MASK}", text))

    def _compile(self) -> re.Pattern[str]:
        """All values in one expression, made when something is first masked after a change."""
        with self._lock:
            longest_first = sorted(self._values, key=len, reverse=True)
            self._learned = re.compile("|".join(map(re.escape, longest_first)))
            return self._learned

    def value(self, value: object) -> object:
        """The value with every credential in it masked; numbers are returned as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode(errors="replace"))
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        masked = self.text(text)
        return value if masked == text else masked

    def mapping(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields with credentials masked; a field with a sensitive name is masked as a whole.

        For MLflow's parameters and tags, and for the events of a log.
        """
        return {
            name: MASK if _SENSITIVE.search(str(name)) and _holds(value) else self.value(value)
            for name, value in fields.items()
        }


REDACTOR: Final = Redactor()
"""The redactor of this process, shared by all its parts."""


def _holds(value: object) -> bool:
    return bool(value) and not isinstance(value, bool | int | float)


def protect() -> None:
    """Mask secrets in every log record and in every traceback that Python prints by itself.

    Log records are masked when they are made, so it does not matter which handler or library
    writes them. Hooks that somebody else has set are left alone. Calling it again changes
    nothing.
    """
    if not isinstance(logging.getLogRecordFactory(), RecordFactory):
        logging.setLogRecordFactory(RecordFactory())
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_error
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _print_error_of_thread


class RecordFactory:
    """Makes log records whose message and traceback are masked already."""

    def __init__(self) -> None:
        self._make = logging.getLogRecordFactory()

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        """A record; a message that cannot be formatted keeps its error for the handler."""
        record = self._make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return record
        record.msg, record.args = REDACTOR.text(message), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redacted_traceback(record.exc_info[1])
        return record


def redacted_traceback(error: BaseException) -> str:
    """The traceback of an error, without the secrets that its messages may hold."""
    return REDACTOR.text("".join(traceback.format_exception(error)).rstrip("\n"))


def _print_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    print(redacted_traceback(error), file=sys.stderr)


def _print_error_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is None or arguments.exc_type is SystemExit:
        return
    name = arguments.thread.name if arguments.thread else "?"
    text = redacted_traceback(arguments.exc_value)
    print(f"Exception in thread {name}:\n{text}", file=sys.stderr)
