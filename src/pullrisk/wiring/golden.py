"""A running service held to its golden predictions: each look is a `Check`, none raises."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
from msgspec.structs import asdict

from pullrisk.errors import InputError, SettingsError
from pullrisk.serve.golden import Golden, differs
from pullrisk.serve.shapes import RawScore
from pullrisk.settings import Settings
from pullrisk.wiring.checks import Check

STAGE: Final = "serving-analysis"
"""Whose secrets a check in the cluster reads: keys of the service, and nothing else."""
_TIMEOUT: Final = 15.0
_UNLIKE: Final = "another image or another model than the one in Git"


def read(path: Path) -> Golden:
    """The golden predictions in a file. Raises InputError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Golden)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"golden predictions {path} cannot be read: {error}",
            hint="write them with `pullrisk golden record`",
        ) from None


def api_key(settings: Settings) -> str | None:
    """A key that the service accepts, from Vault or the settings; None if neither has one."""
    from pullrisk.wiring.provision import Current, provide

    with closing(Current(*provide(settings, STAGE))) as current:
        return next(iter(current.keys()), None)


class Service:
    """A service at an http:// or https:// address. Raises SettingsError for any other."""

    def __init__(self, url: str, key: str | None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise SettingsError(
                f"{url} is no address of a service", hint="write it like http://127.0.0.1:8080"
            )
        self._url, self._key = url.rstrip("/"), key

    def checks(self, golden: Golden) -> Iterator[Check]:
        """Readiness, model and predictions; nothing more once one of them cannot be looked at."""
        looks: dict[str, Callable[[Golden], Check]] = {
            "readiness": self._ready,
            "model": self._model,
            "golden predictions": self._predictions,
        }
        for what, look in looks.items():
            try:
                yield look(golden)
            except HTTPError as error:
                yield Check(what, "broken", f"status {error.code}: {_detail(error)}")
                return
            except (OSError, ValueError, RecursionError, LookupError, TypeError) as error:
                yield Check(what, "broken", f"{self._url} gives no answer: {error}")
                return

    def _ready(self, golden: Golden) -> Check:
        health = self._ask("/readyz")
        missing = [check["what"] for check in health["checks"] if not check["ok"]]
        if health["ready"] is not True:
            return Check("readiness", "broken", f"lacks {', '.join(missing)}")
        return Check("readiness", "ok", f"ready{', without ' * bool(missing)}{', '.join(missing)}")

    def _model(self, golden: Golden) -> Check:
        model = self._ask("/v1/model")
        described = f"{model['version']}, schema {model['schema_hash']}"
        if (model["version"], model["schema_hash"]) == (golden.version, golden.schema_hash):
            return Check("model", "ok", f"{described}, pinned as {golden.pinned}")
        text = f"{described}; {golden.pinned} is {golden.version}, schema {golden.schema_hash}"
        return Check("model", "broken", text, _UNLIKE)

    def _predictions(self, golden: Golden) -> Check:
        """One request for each pull, so that every pod behind the address is likely asked."""
        wrong = []
        for place, (pull, expected) in enumerate(zip(golden.pulls, golden.answers, strict=True)):
            response = self._ask("/v1/score?explain=false", pull)
            score, model = response["scores"][0], response["model"]
            actual = msgspec.convert(score, RawScore)
            if differs(expected, actual) or model["version"] != golden.version:
                text = ", ".join(f"{name} {value}" for name, value in asdict(actual).items())
                wrong.append(f"{place}: {text} by {model['version']}")
        what, count = "golden predictions", len(golden.answers)
        if wrong:
            text = f"{len(wrong)} of {count} differ, the first is {wrong[0]}"
            return Check(what, "broken", text, _UNLIKE)
        return Check(what, "ok", f"{count} as recorded")

    def _ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401  (any JSON)
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = Request(f"{self._url}{path}", data=data, headers=headers)  # noqa: S310  # checked
        with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310  # checked
            return msgspec.json.decode(answer.read())


def _detail(error: HTTPError) -> str:
    return " ".join(error.read(400).decode(errors="replace").split())
