"""A model made at home in a repository that it was not trained on."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle


def at_home(bundle: Bundle, repository: str, x: NDArray[np.float32]) -> Bundle:
    """The same network, with what is usual in `repository` measured on its own rows [n, d].

    Bands, novelty percentiles and reasons are relative to a repository's own pulls. Those of
    one that the model does not know would be relative to all others: where pulls are riskier
    than elsewhere, half of them would be `high`. Of one that it does know, they become those
    of these rows, whose source may know less than that of the training. The file's bytes stay
    those of the model.
    """
    if not len(x):
        return bundle
    known = bundle.metadata
    risk, error, _ = bundle.raw(x)
    metadata = msgspec.structs.replace(
        known,
        risk=known.risk.including({repository: risk}),
        novelty=known.novelty.including({repository: error}),
        typical=known.typical.including(repository, x),
    )
    return bundle.with_metadata(metadata)
