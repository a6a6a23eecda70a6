"""The last step of a training: the file, with its patterns and what drift is measured by."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.model.graph import GraphInputs, to_onnx
from pullrisk.model.metadata import Metadata
from pullrisk.model.reference import LATEST, SCORES, Reference
from pullrisk.train.dataset import Dataset
from pullrisk.train.patterns import find_patterns


def finish_bundle(
    parts: GraphInputs, metadata: Metadata, dataset: Dataset, past: NDArray[np.bool_]
) -> Bundle:
    """The bundle, with its patterns and the reference of each repository's latest of `past` [n].

    The scores among them are those of the very graph that ships, hence the draft.
    """
    draft = Bundle.of(to_onnx(parts, metadata), schema_hash=metadata.schema_hash)
    reference = measure(draft, dataset, past)
    patterns = find_patterns(draft, dataset, past, seed=metadata.facts.seed)
    whole = msgspec.structs.replace(metadata, reference=reference, patterns=patterns)
    return Bundle.of(to_onnx(parts, whole), schema_hash=metadata.schema_hash)


def measure(bundle: Bundle, dataset: Dataset, past: NDArray[np.bool_]) -> Reference:
    """Features and scores of the latest pulls of `past` [n], repository by repository."""
    codes = dataset.repository
    rows = np.concatenate(
        [np.flatnonzero(past & (codes == code))[-LATEST:] for code in np.unique(codes)]
    )
    risk, error, _ = bundle.raw(dataset.x[rows])
    names = [feature.name for feature in bundle.metadata.features]
    return Reference.of(
        np.column_stack([dataset.x[rows], risk, error]),
        codes[rows],
        dataset.repositories,
        columns=(*names, *SCORES),
    )
