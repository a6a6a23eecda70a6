"""Models that could not be registered, kept with all that their run would have logged."""

from pathlib import Path
from typing import Final

import msgspec

from pullrisk import atomic
from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.train.mlflow_client import RegistryError, Tracking
from pullrisk.train.registry import with_digest
from pullrisk.train.tracking import RunRecord, Tracked, digest, track

FOLDER: Final = "unregistered"


def keep(home: Path, bundle: Bundle, record: RunRecord) -> Path:
    """Write the model and its run's record to `<home>/unregistered`; the model's path."""
    path = home / FOLDER / f"{digest(bundle)[:16]}.onnx"
    write(path.with_suffix(".json"), msgspec.json.encode(record))
    return write(path, bundle.data)


def save_pending(home: Path, bundle: Bundle, record: RunRecord, error: RegistryError) -> ModelError:
    """Keep the model, and tell of the registry's error and how to register it later."""
    path = keep(home, bundle, record)
    return ModelError(
        f"the model is trained, but not registered: {error.args[0]}",
        hint=f"it is kept: mend the registry ({error.hint or 'see above'}), then run "
        f"`pullrisk models register {path}`",
    )


def register(tracking: Tracking, path: Path) -> tuple[Tracked, bool]:
    """Register a model file, with its run's record where one was kept; whether it was new.

    A file that the registry has already stays the version it is. Raises ModelError for a
    corrupt file, RegistryError.
    """
    bundle = Bundle.load(path)
    known = with_digest(tracking, digest(bundle))
    if known is not None:
        return Tracked(known.run_id, known.version, known.aliases), False
    return track(tracking, bundle, _record(path, bundle)), True


def _record(path: Path, bundle: Bundle) -> RunRecord:
    beside = path.with_suffix(".json")
    if beside.exists():
        try:
            return msgspec.json.decode(beside.read_bytes(), type=RunRecord)
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(
                f"the run's record {beside} cannot be read: {error}",
                hint="without that file the model is registered with what it says itself",
            ) from error
    facts = bundle.metadata.facts
    tags = {"schema_hash": bundle.metadata.schema_hash, "registered_from": path.name}
    if facts.dataset_version is not None:
        tags["dataset_version"] = facts.dataset_version
    settings = {"maturity_days": facts.maturity_days, "seed": facts.seed}
    return RunRecord(settings=settings, tags=tags)


def write(path: Path, data: bytes) -> Path:
    """Write the file, its folder too; raises ModelError where the disk refuses."""
    try:
        atomic.replace(path, data)
    except OSError as error:
        raise ModelError(
            f"model {path} cannot be written: {error.strerror}",
            hint="free some space, or name another home folder",
        ) from error
    return path
