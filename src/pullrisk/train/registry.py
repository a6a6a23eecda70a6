"""The registered model: its versions, who is champion, who made it so, and what is new."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from pullrisk.features import SCHEMA_HASH
from pullrisk.redaction import REDACTOR
from pullrisk.train.lineage import label_definition
from pullrisk.train.mlflow_client import RegistryError, Tracking, connected
from pullrisk.train.tracking import DIGEST, MODEL_NAME, known

CHAMPION: Final = "champion"
ROLLED_BACK: Final = "rolled_back"
"""The tag of a version that was taken back, with the reason: the gate lets it in no more."""
_AUDIT: Final = "audit."
_LISTED: Final = 10_000
Action = Literal["promote", "rollback"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One registered version; `tags` are its lineage and what the gate said."""

    version: str
    aliases: tuple[str, ...]
    created_at: datetime
    run_id: str
    tags: dict[str, str]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of champion: `version` took the place of `replaced`."""

    at: datetime
    action: Action
    version: str
    replaced: str | None
    by: str
    reason: str


def versions(tracking: Tracking) -> list[Version]:
    """Every version, newest first; raises RegistryError."""
    with connected(tracking) as (_, client):
        return _versions(client)


def events(tracking: Tracking) -> list[Event]:
    """Every change of champion, newest first; raises RegistryError."""
    with connected(tracking) as (_, client):
        return _events(client)


def find(tracking: Tracking, reference: str) -> Version:
    """The version with an alias (`@champion`) or number (`3`). Raises RegistryError."""
    version = _matching(versions(tracking), reference)
    if version is None:
        raise RegistryError(
            f"the registry at {tracking.shown} has no model {reference}",
            hint="`pullrisk models list` names what there is",
        )
    return version


def champion(tracking: Tracking) -> Version | None:
    """The present champion, None if there is none yet."""
    return _matching(versions(tracking), f"@{CHAMPION}")


def with_digest(tracking: Tracking, digest: str) -> Version | None:
    """The newest version whose ONNX file has this SHA-256."""
    return next((each for each in versions(tracking) if each.tags.get(DIGEST) == digest), None)


def set_champion(
    tracking: Tracking, version: Version, *, by: str, reason: str, action: Action = "promote"
) -> Event:
    """Make a version the champion, and write down who did so and why."""
    with connected(tracking) as (_, client):
        before = _matching(_versions(client), f"@{CHAMPION}")
        event = Event(
            at=datetime.now(UTC),
            action=action,
            version=version.version,
            replaced=before.version if before else None,
            by=by,
            reason=REDACTOR.text(reason),
        )
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)
        name = f"{_AUDIT}{event.at:%Y%m%dT%H%M%S.%fZ}"
        client.set_registered_model_tag(MODEL_NAME, name, msgspec.json.encode(event).decode())
        if action == "promote":
            client.delete_model_version_tag(MODEL_NAME, version.version, ROLLED_BACK)
        elif before is not None:
            client.set_model_version_tag(MODEL_NAME, before.version, ROLLED_BACK, event.reason)
        return event


def predecessor(tracking: Tracking) -> Version:
    """Whom the champion replaced when it was last promoted. Raises RegistryError if nobody."""
    now = champion(tracking)
    if now is None:
        raise RegistryError("there is no champion", hint="run `pullrisk models promote VERSION`")
    promoted = (
        event
        for event in events(tracking)
        if event.action == "promote" and event.version == now.version
    )
    event = next(promoted, None)
    if event is None or event.replaced is None:
        raise RegistryError(
            f"version {now.version} replaced no earlier champion",
            hint="name the version to go back to: `pullrisk models rollback --to VERSION`",
        )
    return find(tracking, event.replaced)


def download(tracking: Tracking, reference: str, folder: Path) -> Path:
    """Fetch a registered model's ONNX file, by alias (`@champion`) or version (`3`).

    Raises RegistryError where the registry has no such model or cannot be reached.
    """
    separator = "" if reference.startswith("@") else "/"
    with connected(tracking) as (mlflow, _):
        uri = f"models:/{MODEL_NAME}{separator}{reference}"
        downloaded = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
    return next(Path(downloaded).rglob("*.onnx"))


def artifact(tracking: Tracking, run_id: str, path: str, folder: Path) -> bytes | None:
    """A file that a run logged, None if it logged no such file."""
    with connected(tracking) as (mlflow, client):
        parent = str(Path(path).parent)
        listed = client.list_artifacts(run_id, None if parent == "." else parent)
        if path not in {each.path for each in listed}:
            return None
        downloaded = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=path, dst_path=str(folder)
        )
        return Path(downloaded).read_bytes()


def _versions(client: Any) -> list[Version]:  # noqa: ANN401
    model = known(client)
    if model is None:
        return []
    aliases: dict[str, list[str]] = {}
    for alias, number in model.aliases.items():
        aliases.setdefault(str(number), []).append(alias)
    listed = client.search_model_versions(f"name = '{MODEL_NAME}'", max_results=_LISTED)
    return sorted(
        (_version(each, aliases) for each in listed),
        key=lambda version: int(version.version),
        reverse=True,
    )


def _version(listed: Any, aliases: dict[str, list[str]]) -> Version:  # noqa: ANN401
    return Version(
        version=str(listed.version),
        aliases=tuple(sorted(aliases.get(str(listed.version), ()))),
        created_at=datetime.fromtimestamp(listed.creation_timestamp / 1000, UTC),
        run_id=str(listed.run_id or ""),
        tags=dict(listed.tags),
    )


def _events(client: Any) -> list[Event]:  # noqa: ANN401
    model = known(client)
    tags = {} if model is None else model.tags
    events = (
        msgspec.json.decode(text, type=Event)
        for name, text in tags.items()
        if name.startswith(_AUDIT)
    )
    return sorted(events, key=lambda event: event.at, reverse=True)


def _matching(versions: list[Version], reference: str) -> Version | None:
    alias = reference.removeprefix("@")
    if alias != reference:
        return next((each for each in versions if alias in each.aliases), None)
    return next((each for each in versions if each.version == reference), None)


def already_trained(
    tracking: Tracking, source: Mapping[str, str], *, maturity_days: float
) -> Version | None:
    """The newest version, if it was trained on this `source` (a lake and its version) with the
    features and labels of today; None if training would see something new.

    Raises RegistryError.
    """
    newest = next(iter(versions(tracking)), None)
    tags = {
        **{f"dataset_{name}": value for name, value in source.items()},
        "schema_hash": SCHEMA_HASH,
        "label_definition": label_definition(maturity_days),
    }
    if newest is None or not REDACTOR.mapping(tags).items() <= newest.tags.items():
        return None
    return newest
