"""The model that a home scores with: its own where it earned that, else one that is no worse.

A run never makes the answers worse: a challenger that the gate keeps out leaves the place to the
champion, and where there is none, to the general model, measured on the home's repositories.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from pullrisk.errors import ModelError
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import USUAL_PULLS, general_bundle
from pullrisk.model.graph import import_onnx
from pullrisk.model.metadata import METADATA_KEY
from pullrisk.train.assemble import measure
from pullrisk.train.dataset import Dataset
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.registry import Version, champion, download
from pullrisk.train.split import temporal_split
from pullrisk.train.tracking import DIGEST, RISK, digest


def best_before(tracking: Tracking, dataset: Dataset, present: Path) -> Bundle:
    """The champion, or the general model where there is none that runs and gives a risk.

    What is usual in repositories that the champion does not know is measured. `present` is the
    home's model file: if it is the champion's, nothing is downloaded. Raises RegistryError where
    the registry is away.
    """
    now = None if tracking.is_absent else champion(tracking)
    if now is None or now.tags.get(RISK) == "unavailable":
        return measured_general(dataset)
    try:
        bundle = _champion(tracking, now, present)
    except ModelError:  # of another feature schema, damaged, or lost
        return measured_general(dataset)
    new = [name for name in dataset.repositories if name not in bundle.metadata.facts.trained_until]
    return _rewritten(_measured(bundle, dataset, new)) if new else bundle


def _champion(tracking: Tracking, now: Version, present: Path) -> Bundle:
    with suppress(ModelError):
        bundle = Bundle.load(present)
        if digest(bundle) == now.tags.get(DIGEST):
            return bundle
    with TemporaryDirectory(prefix="pullrisk-") as folder:
        return Bundle.load(download(tracking, now.version, Path(folder)))


def measured_general(dataset: Dataset) -> Bundle:
    """The general model with what is usual in each repository of a dataset, as a file of its own.

    Bands, novelty percentiles, reasons and drift are relative to each repository's latest pulls;
    their outcomes are not looked at. Raises MissingExtraError if onnx is not installed.
    """
    bundle = _measured(general_bundle(), dataset, dataset.repositories)
    known = bundle.metadata
    facts = msgspec.structs.replace(
        known.facts, measured_on=dataset.repositories, dataset_version=None
    )
    reference = measure(bundle, dataset, np.ones(len(dataset), np.bool_))
    metadata = msgspec.structs.replace(known, reference=reference, facts=facts)
    return _rewritten(bundle.with_metadata(metadata))


def _measured(bundle: Bundle, dataset: Dataset, repositories: Sequence[str]) -> Bundle:
    """The model with what is usual among the latest pulls of each of these repositories."""
    for name in repositories:
        code = dataset.repositories.index(name)
        rows = np.flatnonzero(dataset.repository == code)[-USUAL_PULLS:]
        bundle = bundle.recalibrated_for(name, dataset.x[rows])
    return bundle


def with_windows(bundle: Bundle, dataset: Dataset) -> tuple[Bundle, tuple[str, ...]]:
    """A measured general model as if it had been trained before the test windows of a dataset,
    and which of the repositories it really learnt from past the start of theirs.

    So it is judged on the pulls, and beside the baselines, that a model of one's own would be.
    """
    split, facts = temporal_split(dataset), bundle.metadata.facts
    cuts = dict(zip(dataset.repositories, split.test_from.tolist(), strict=True))
    earlier = dict(zip(dataset.repositories, split.validation_from.tolist(), strict=True))
    seen = tuple(name for name, cut in cuts.items() if facts.trained_until.get(name, cut) > cut)
    windows = msgspec.structs.replace(facts, trained_until=cuts, validation_from=earlier)
    metadata = msgspec.structs.replace(bundle.metadata, facts=windows)
    return bundle.with_metadata(metadata), seen


def _rewritten(bundle: Bundle) -> Bundle:
    """The same model in a file that carries its present metadata."""
    model = import_onnx().load_from_string(bundle.data)
    (entry,) = (each for each in model.metadata_props if each.key == METADATA_KEY)
    entry.value = msgspec.json.encode(bundle.metadata).decode()
    return Bundle.of(bytes(model.SerializeToString(deterministic=True)))
