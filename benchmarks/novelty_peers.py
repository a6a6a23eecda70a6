"""PyOD's detectors as peers of the novelty, fitted on the same past rows."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.train.baselines import Scorer

Matrix = NDArray[np.float32]
AUTOENCODER: Final = "PyOD AutoEncoder"
ECOD: Final = "PyOD ECOD"
_ROWS: Final = 20_000


def pyod_peers(
    x: Matrix, *, seed: int, only: Sequence[str] = (AUTOENCODER, ECOD)
) -> dict[str, Scorer]:
    """An autoencoder and ECOD (Li et al. 2022), fitted on at most 20,000 of the rows [n, d]."""
    chosen = np.random.default_rng(seed).permutation(len(x))[:_ROWS]
    rows = x[np.sort(chosen)].astype(np.float64)
    makers = {AUTOENCODER: _autoencoder, ECOD: _ecod}
    return {name: _scorer(makers[name](seed), rows) for name in only}


def _scorer(detector: Any, rows: NDArray[np.float64]) -> Scorer:  # noqa: ANN401  (PyOD has no types)
    detector.fit(rows)
    score: Callable[[NDArray[np.float64]], Any] = detector.decision_function
    return lambda x: np.asarray(score(x.astype(np.float64)), np.float64)


def _autoencoder(seed: int) -> Any:  # noqa: ANN401
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(batch_size=256, random_state=seed, verbose=0)


def _ecod(seed: int) -> Any:  # noqa: ANN401
    from pyod.models import ecod

    del seed  # it draws nothing
    return ecod.ECOD()
