"""Renders a page: its template, the words of its figures, the addresses in it."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from markupsafe import Markup, escape

from pullrisk.brief.sections import Item, Mention, parts
from pullrisk.brief.wording import UNSEEN, age, share
from pullrisk.errors import PullriskError
from pullrisk.monitor.outcomes import Interval

STATIC: Final = {
    "dashboard.css": "text/css; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that pages load, each with its type."""
_UNSHOWN: Final = re.compile(f"[\x00-\x08\x0b-\x1f{UNSEEN}]")
_DAY: Final = 86_400.0
_THOUSAND: Final = 1_000


def render(template: str, *, status: int = 200, **values: Any) -> Response[bytes]:  # noqa: ANN401
    """The page, or the part of one, that a template makes of these values.

    The service adds the headers that every page has (serve.lifecycle).
    """
    text = _environment().get_template(template).render(now=datetime.now(UTC), **values)
    return Response(text.encode(), status_code=status, media_type="text/html; charset=utf-8")


@lru_cache
def static_file(name: str) -> bytes:
    """A file that pages load."""
    return files("pullrisk.dashboard").joinpath("static", name).read_bytes()


@lru_cache
def static_url(name: str) -> str:
    """The address of such a file, another one whenever its content is: it may be kept for ever."""
    return f"/static/{name}?v={sha256(static_file(name)).hexdigest()[:12]}"


def pull_path(repository: str, number: int) -> str:
    """Where the page of a pull is."""
    return f"/pulls/{quote(repository)}/{number}"


def repository_path(repository: str) -> str:
    """Where the page of a repository is."""
    return f"/repositories/{quote(repository)}"


def linked(item: Item) -> Markup:
    """The item's text, its mentions linked where each first stands, paths as code."""
    return Markup().join(
        _link(part) if isinstance(part, Mention) else _shown(part)
        for part in parts(item.text, item.mentions)
    )


def _link(mention: Mention) -> Markup:
    words = escape(_shown(mention.words))
    if mention.is_path:
        words = Markup("<code>{}</code>").format(words)
    if mention.url is None or not mention.url.startswith("https://"):
        return words
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(mention.url, words)


def reason_of(error: PullriskError) -> str:
    """What an error says, without the hint that is meant for a terminal."""
    return str(error.args[0])


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pullrisk.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters |= {
        "share": _share,
        "ago": _ago,
        "count": lambda value: "unknown" if value is None else f"{value:,}",
        "short": _short,
        "span": _span,
        "at": lambda micros: datetime.fromtimestamp(micros / 1e6, UTC),
        "linked": linked,
        "minute": lambda moment: f"{moment:%Y-%m-%d %H:%M} UTC",
        "day": lambda moment: f"{moment:%Y-%m-%d}",
    }
    environment.globals |= {
        "static": static_url, "pull_path": pull_path, "repository_path": repository_path,
    }  # fmt: skip
    return environment


def _finalized(value: object) -> object:
    """Every text that is put into a page: what would turn or hide the words beside it is gone."""
    return _shown(value) if type(value) is str else value


def _shown(text: str) -> str:
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)


def _share(value: float | None) -> str:
    return "unknown" if value is None else share(value)


def _span(figure: Interval | None) -> str:
    """A share with its interval: `19 % [15, 24]`."""
    if figure is None:
        return "unknown"
    return f"{share(figure.value)} [{100 * figure.low:.3g}, {100 * figure.high:.3g}]"


def _ago(moment: datetime, now: datetime) -> str:
    return age((now - moment).total_seconds() / _DAY)


def _short(value: float) -> str:
    """`847`, `1.2k`, `36k`."""
    if value < _THOUSAND:
        return f"{value:.0f}"
    return f"{value / _THOUSAND:.{0 if value >= 10 * _THOUSAND else 1}f}k"
