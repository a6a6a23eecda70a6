"""PyOD's detectors as peers of the novelty, fitted on the same past rows.

PyOD brings torch and numba: it runs in an environment of its own (peers.py), which is given rows
and gives back scores as files.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from peers import install
from pullrisk.train.baselines import Scorer

Matrix = NDArray[np.float32]
AUTOENCODER: Final = "PyOD AutoEncoder"
ECOD: Final = "PyOD ECOD"
_ROWS: Final = 20_000
_MAKERS: Final = {
    AUTOENCODER: "auto_encoder.AutoEncoder(batch_size=256, random_state={seed}, verbose=0)",
    ECOD: "ecod.ECOD()",
}
_FIT: Final = """
import pickle, sys
import numpy as np
from pyod.models import auto_encoder, ecod
detector = {maker}
detector.fit(np.load("rows.npy"))
pickle.dump(detector, open("detector.pickle", "wb"))
"""
_SCORE: Final = """
import pickle
import numpy as np
detector = pickle.load(open("detector.pickle", "rb"))
np.save("scores.npy", detector.decision_function(np.load("x.npy")))
"""


def pyod_peers(
    x: Matrix, *, seed: int, only: Sequence[str] = (AUTOENCODER, ECOD)
) -> dict[str, Scorer]:
    """An autoencoder and ECOD (Li et al. 2022), fitted on at most 20,000 of the rows [n, d].

    Empty where PyOD cannot be installed.
    """
    programs = install("pyod", "pyod==3.6.7", "torch", "tqdm", "numpy")
    if programs is None:
        return {}
    chosen = np.random.default_rng(seed).permutation(len(x))[:_ROWS]
    rows = x[np.sort(chosen)].astype(np.float64)
    return {name: _scorer(programs, name, seed, rows) for name in only}


def _scorer(programs: Path, name: str, seed: int, rows: NDArray[np.float64]) -> Scorer:
    folder = Path(mkdtemp(prefix="pullrisk-pyod-"))
    np.save(folder / "rows.npy", rows)
    _run(programs, _FIT.format(maker=_MAKERS[name].format(seed=seed)), folder)

    def score(x: Matrix) -> NDArray[np.float64]:
        np.save(folder / "x.npy", x.astype(np.float64))
        _run(programs, _SCORE, folder)
        return np.asarray(np.load(folder / "scores.npy"), np.float64)

    return score


def _run(programs: Path, program: str, folder: Path) -> None:
    subprocess.run([str(programs / "python"), "-c", program], cwd=folder, check=True)
