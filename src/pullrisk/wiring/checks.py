"""What the doctor looks at, each a function that answers instead of raising."""

import os
import platform
import shutil
import sqlite3
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import InvalidURL
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal
from urllib.error import URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

import msgspec

from pullrisk import config_files
from pullrisk.errors import MissingExtraError, NotEnoughDataError, PullriskError
from pullrisk.redaction import redacted
from pullrisk.settings import Settings
from pullrisk.wiring.adapters import MODEL_FILE, load_model, open_lake, open_store

State = Literal["ok", "absent", "stale", "broken"]

EXTRAS: Final = {
    "lake": ("deltalake", "obstore", "pyarrow"),
    "spark": ("pyspark",),
    "train": ("jax", "optax", "mlflow-skinny", "onnx", "scikit-learn", "jinja2"),
    "serve": ("granian", "litestar", "jinja2"),
}
"""The libraries of each extra that are looked for."""
LEAST_SPACE: Final = 500 * 10**6
"""Bytes of free disk below which a run is likely to fail."""
PATIENCE: Final = 60.0
"""Seconds for a program to tell its version: Java takes long where every core is busy."""
_TIMEOUT: Final = 3.0
_LISTED: Final = 5
_SQLITE: Final = "sqlite:///"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: its state, what was found, what to do about it."""

    what: str
    state: State
    found: str
    todo: str = ""


def environment_checks() -> Iterator[Check]:
    """Python, programs and extras; needs no settings."""
    python = f"{platform.python_version()} at {Path(os.__file__).parent}"
    yield Check("python", "ok", python)
    yield _fold()
    yield _program("git", "--version", todo="needed by `pullrisk fetch --git`")
    yield _program("java", "-version", todo="only a Spark engine needs it")
    for extra, libraries in EXTRAS.items():
        yield _extra(extra, libraries)


def _fold() -> Check:
    from pullrisk.features import COMPILED  # loads numpy

    text = "compiled" if COMPILED else "Python (a third as fast as compiled, same rows)"
    return Check("features", "ok", text)


def state_checks(settings: Settings) -> Iterator[Check]:
    """Settings, disk, store, lake, model, registry and cached clones."""
    yield _settings(settings)
    yield _home(settings)
    looks: dict[str, Callable[[Settings], Check]] = {
        "pull store": _store,
        "clocks": _clocks,
        "lake": _lake,
        "model": _model,
        "tracking": _tracking,
        "folded clones": _clones,
    }
    for what, look in looks.items():
        try:
            yield look(settings)
        except (NotEnoughDataError, MissingExtraError) as error:
            yield Check(what, "absent", str(error.args[0]), error.hint or "")
        except PullriskError as error:
            yield broken(what, error)
        except Exception as error:  # the doctor's task is to answer, whatever it finds
            text = f"unexpected {type(error).__name__}: {error}"
            yield Check(what, "broken", text, "move it away and run its command again")


def broken(what: str, error: PullriskError) -> Check:
    """The check of something that raised."""
    return Check(what, "broken", str(error.args[0]), error.hint or "")


def _program(name: str, option: str, *, todo: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return Check(name, "absent", "not installed", todo)
    try:
        process = subprocess.run(  # noqa: S603  # the program that the path names, no shell
            [path, option], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        text = f"`{path} {option}` has not answered within {PATIENCE:.0f} s"
        return Check(name, "broken", text, f"run it yourself; {todo}")
    except OSError as error:
        return Check(name, "broken", f"{path} does not run: {error}", todo)
    lines = (process.stdout or process.stderr).splitlines()
    return Check(name, "ok", lines[0] if lines else path)


def _extra(name: str, libraries: tuple[str, ...]) -> Check:
    installed, missing = [], []
    for library in libraries:
        try:
            installed.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            missing.append(library)
    if missing:
        todo = f"run: pip install 'pullrisk[{name}]'"
        return Check(f"extra {name}", "absent", f"without {', '.join(missing)}", todo)
    return Check(f"extra {name}", "ok", ", ".join(installed))


def _settings(settings: Settings) -> Check:
    files = config_files.found({"home": settings.home})
    variables = sorted(name for name in os.environ if name.startswith("PULLRISK_"))
    parts = [*(map(str, files) if files else ["no settings file"]), *variables]
    return Check("settings", "ok", ", ".join(parts))


def _home(settings: Settings) -> Check:
    home = settings.home.absolute()
    there = next(path for path in (home, *home.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Check("home", "broken", f"{there} cannot be written", "name another with --home")
    free = shutil.disk_usage(there).free
    text = f"{home}, {free / 1e9:,.1f} GB free"
    if free < LEAST_SPACE:
        return Check("home", "broken", text, "free some disk space")
    return Check("home", "ok" if there == home else "absent", text)


def _store(settings: Settings) -> Check:

    with open_store(settings) as store:
        summaries = store.repositories()
    if not summaries:
        return Check("pull store", "absent", "empty", "run `pullrisk fetch`")
    pulls = sum(summary.pulls for summary in summaries)
    last = max(summary.last_updated_at for summary in summaries)
    text = f"{pulls:,} pull requests of {len(summaries)} repositories, newest {last:%Y-%m-%d}"
    return Check("pull store", "ok", text)


def _clocks(settings: Settings) -> Check:
    """Pulls whose dates do not fit: moved when a clone was read, or ahead of this machine."""

    with open_store(settings) as store:
        saved, summaries = store.checkpoints(), store.repositories()
    problems = []
    for key, value in sorted(saved.items()):
        moved = value.get("held") if key.startswith("git:") else None
        if isinstance(moved, list) and moved:
            listed = ", ".join(f"#{number}" for number in moved[:_LISTED])
            more = ", …" if len(moved) > _LISTED else ""
            repository, _, branch = key.removeprefix("git:").partition(":")
            problems.append(f"{repository} {listed}{more} on {branch} moved to their place")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    problems += [
        f"{each.repository} has events up to {each.last_event_at:%Y-%m-%d}, ahead of this machine"
        for each in summaries
        if each.last_event_at is not None and each.last_event_at > tomorrow
    ]
    if not problems:
        return Check("clocks", "ok", "events are in order, none ahead of this machine")
    return Check("clocks", "stale", "; ".join(problems), "wrong clocks made these dates")


def _lake(settings: Settings) -> Check:
    from pullrisk.preprocess.plan import plan

    lake = open_lake(settings)
    if not lake.exists():
        return Check("lake", "absent", "no run yet", "run `pullrisk preprocess`")
    with open_store(settings) as store:
        todo = plan(store, lake)
    last = next(iter(lake.runs(1)), None)
    when = f", committed {_ago(last.committed_at)}" if last else ""
    text = f"version {lake.version}{when}, schema {lake.schema_hash}"
    if todo.works or todo.gone:
        pulls = sum(len(work.pulls) for work in todo.works)
        return Check("lake", "stale", f"{text}; {pulls:,} to replay", "run `pullrisk preprocess`")
    return Check("lake", "ok", text)


def _model(settings: Settings) -> Check:

    if not (settings.home / MODEL_FILE).exists():
        return Check("model", "absent", "none trained yet", "run `pullrisk train`")
    metadata = load_model(settings).metadata
    facts = metadata.facts
    if facts.measured_on:
        return Check("model", "ok", "the general model, measured on this home's repositories")
    answers = [answer for answer in ("repair", "revert") if metadata.answers(answer)]
    what = (
        f"risk ({', '.join(answers)}) and novelty" if answers else "novelty only, too few outcomes"
    )
    text = (
        f"{what}, schema {metadata.schema_hash}, {facts.examples:,} examples, "
        f"{facts.repaired:,} repaired, {facts.reverted:,} reverted"
    )
    lake = open_lake(settings)
    current = str(lake.version) if lake.exists() else None
    if facts.dataset_version is not None and facts.dataset_version != current:
        behind = f"{text}; trained on lake version {facts.dataset_version}, now {current}"
        return Check("model", "stale", behind, "run `pullrisk train`")
    return Check("model", "ok", text)


def _tracking(settings: Settings) -> Check:
    uri = settings.tracking_uri
    if uri.startswith(_SQLITE):
        return _tracking_file(Path(unquote(uri.removeprefix(_SQLITE))))
    if not uri.startswith(("http://", "https://")):
        return Check("tracking", "ok", f"{redacted(uri)} (not looked at)")
    try:
        with urlopen(_asking(f"{uri.rstrip('/')}/health"), timeout=_TIMEOUT):  # noqa: S310
            return Check("tracking", "ok", f"{redacted(uri)} answers")
    except InvalidURL:
        # Its message quotes what it takes for the port, which may be a part of the password.
        text = f"{redacted(uri)} is no address: percent-encode its user and password"
        return Check("tracking", "broken", text, "check the setting mlflow_uri")
    except (URLError, OSError, ValueError) as error:
        text = f"{redacted(uri)} does not answer: {error}"
        return Check("tracking", "broken", text, "check the setting mlflow_uri")


def _clones(settings: Settings) -> Check:
    from pullrisk.wiring.clone_cache import FOLDER, cached_clones

    clones, what = cached_clones(settings.home), "folded clones"
    if not clones:
        return Check(what, "absent", "none kept: `pullrisk score --git` keeps what it has folded")
    size = sum(size for _, size in clones) / 1e6
    return Check(
        what, "ok", f"{len(clones)} kept, {size:,.0f} MB; {settings.home / FOLDER} may be deleted"
    )


def _asking(url: str) -> Request:
    """A request of an http address, its user and password as a header."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    request = Request(urlunsplit(parts._replace(netloc=place)))  # noqa: S310  # the caller checked
    if user:
        token = b64encode(unquote(user).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    return request


def _tracking_file(path: Path) -> Check:
    if not path.exists():
        return Check("tracking", "absent", "no run yet", "run `pullrisk train`")
    try:
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
            count = connection.execute("SELECT count(*) FROM model_versions").fetchone()[0]
        connection.close()
    except sqlite3.Error as error:
        text = f"{path} is no MLflow database: {error}"
        return Check("tracking", "broken", text, "move it away and run `pullrisk train`")
    return Check("tracking", "ok", f"{path}, {count} registered versions")


def _ago(moment: datetime) -> str:
    days = (datetime.now(UTC) - moment).days
    return "today" if days < 1 else f"{days} days ago"
