"""The MongoDB server of the pull store: its URI, the client, the meaning of its errors.

Every error message names the server, and none contains the password.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import msgspec
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    InvalidOperation,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.uri_parser import parse_uri

from pullrisk.errors import SettingsError, StoreError
from pullrisk.redaction import redacted

DATABASE: Final = "pullrisk"
"""The name of the database, if the URI does not have one."""
DUPLICATE: Final = 11_000
"""MongoDB's error code of a second document with the same `_id`."""
DEFAULTS: Final[dict[str, Any]] = {
    "appname": "pullrisk",
    "serverselectiontimeoutms": 5_000,
    "connecttimeoutms": 5_000,
    "sockettimeoutms": 120_000,
    "wtimeoutms": 30_000,
}
"""Options of the client, unless the URI sets them; the driver's defaults would wait for ever."""
_PAUSES: Final = (0.1, 5.0)
_SHOWN: Final = 300
_FORM: Final = (
    "expected mongodb://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE; in the user name and the "
    "password : / ? # @ % are written as %3A %2F %3F %23 %40 %25"
)
_HINTS: Final = {
    13: "give the user the role readWrite on this database",
    18: "check the user name, the password and, in the URI, authSource",
    8000: "check the user name and the password",
}
_T = TypeVar("_T")


class Address(msgspec.Struct, frozen=True):
    """The address of a store, read from its URI, which is secret.

    `shown` is the URI without secrets, for people; `hosts` are `host:port`, separated by commas.
    `options` are those of the URI, with lower-case names and most times in seconds.
    """

    uri: str
    shown: str
    hosts: str
    database: str
    user: str | None
    options: dict[str, Any]

    @classmethod
    def parse(cls, uri: str) -> "Address":
        """Read the URI. Raises SettingsError if MongoDB's driver does not accept it."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                parts = parse_uri(uri)
            except (PyMongoError, ValueError, TypeError, OSError, Warning) as error:
                raise _not_accepted(uri, error) from None
        if parts["collection"]:
            raise SettingsError(f"{redacted(uri)} names a collection", hint=_FORM)
        return cls(
            uri=uri,
            shown=redacted(uri),
            hosts=", ".join(f"{host}:{port}" for host, port in parts["nodelist"]),
            database=parts["database"] or DATABASE,
            user=parts["username"],
            options={name.lower(): value for name, value in parts["options"].items()},
        )

    def client(self) -> "MongoClient[dict[str, Any]]":
        """A client, which connects at its first use. Raises SettingsError."""
        missing = {name: value for name, value in DEFAULTS.items() if name not in self.options}
        try:
            return MongoClient(self.uri, connect=False, **missing)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise _not_accepted(self.uri, error) from None


class Retries:
    """Repeats work that a lost connection or a fail-over interrupted, for up to `seconds`.

    Only for work that may be done twice. If the server has never answered, nothing is repeated:
    its name is more likely wrong than that it is electing a primary.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._has_answered = False

    def run(self, work: Callable[[], _T]) -> _T:
        """Run `work` and return its result. Raises the driver's last error."""
        deadline, pause = time.monotonic() + self.seconds, _PAUSES[0]
        while True:
            try:
                result = work()
            except PyMongoError as error:
                if (
                    not (self._has_answered and _is_temporary(error))
                    or time.monotonic() + pause > deadline
                ):
                    raise
            else:
                self._has_answered = True
                return result
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])


@contextmanager
def translate_errors(address: Address) -> Iterator[None]:
    """Raise the driver's errors as StoreErrors that name the server and say what to do."""
    try:
        yield
    except PyMongoError as error:
        # The driver's errors carry whole documents, and chained ones would be printed.
        _raise(address, error)


def duplicates(error: BulkWriteError) -> list[int]:
    """Positions of the writes that were refused as duplicates. Raises `error` if others failed."""
    errors = error.details.get("writeErrors", [])
    if error.details.get("writeConcernErrors") or any(e["code"] != DUPLICATE for e in errors):
        raise error
    return [e["index"] for e in errors]


def _is_temporary(error: PyMongoError) -> bool:
    """Whether the same work may succeed if it is repeated."""
    if isinstance(error, BulkWriteError):
        codes = {e["code"] for e in error.details.get("writeErrors", [])}
        return bool(error.details.get("writeConcernErrors")) and codes <= {DUPLICATE}
    return isinstance(error, (AutoReconnect, WTimeoutError))


def _raise(address: Address, error: PyMongoError) -> NoReturn:
    what, hint = _meaning(address, error)
    raise StoreError(f"pull store {address.shown}: {what}", hint=hint) from None


def _meaning(address: Address, error: PyMongoError) -> tuple[str, str | None]:
    if isinstance(error, ServerSelectionTimeoutError):
        return _unreachable(address, error)
    if isinstance(error, InvalidOperation):
        return "it is closed", None
    if isinstance(error, AutoReconnect):
        return (
            f"the connection to {address.hosts} was lost",
            "nothing is lost: run the command again when the server is back",
        )
    if isinstance(error, DocumentTooLarge):
        return f"a pull request exceeds MongoDB's 16 MB ({error})", "store it without its files"
    if isinstance(error, BulkWriteError):
        errors = error.details.get("writeErrors") or error.details["writeConcernErrors"]
        worst = next((e for e in errors if e["code"] != DUPLICATE), errors[0])
        return f"a write failed: {_cut(worst['errmsg'])} (code {worst['code']})", None
    if isinstance(error, OperationFailure):
        return _failed(address, error)
    return _cut(redacted(f"{type(error).__name__}: {error}")), None


def _unreachable(address: Address, error: PyMongoError) -> tuple[str, str]:
    name, text = "serverselectiontimeoutms", str(error)
    wait = address.options.get(name, DEFAULTS[name] / 1000)
    if "SSL" in text or "certificate" in text:
        reason = next((part for part in text.split(",") if "SSL" in part), text)
        return (
            f"TLS with {address.hosts} failed: {_cut(reason)}",
            "name the authority with tlsCAFile in the URI, or leave tls out if the server has none",
        )
    return (
        f"no server answers at {address.hosts} within {wait:g} s",
        "check that MongoDB runs there, the port, and that the network lets you through",
    )


def _failed(address: Address, error: OperationFailure) -> tuple[str, str | None]:
    if error.code in (18, 8000):
        who = f"user {address.user}" if address.user else "an anonymous user"
        return f"{address.hosts} refused {who}: authentication failed", _HINTS[error.code]
    reason = (error.details or {}).get("errmsg") or str(error)
    return f"{_cut(reason)} (code {error.code})", _HINTS.get(error.code or 0)


def _not_accepted(uri: str, error: Exception) -> SettingsError:
    # The driver quotes parts of a URI that it cannot read, perhaps those of a password.
    unreadable = isinstance(error, InvalidURI)
    reason = "it cannot be read" if unreadable else _without_password(uri, str(error))
    return SettingsError(f"pull store {redacted(uri)}: {reason}", hint=_FORM)


def _without_password(uri: str, text: str) -> str:
    password = uri.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for secret in {password, quote(password)} - {""}:
        text = text.replace(secret, "***")
    return _cut(redacted(text))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
