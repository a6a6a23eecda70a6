"""How large a change is, which changes are of like size, and which change code at all.

Large changes need more fixes, and whoever counts lines knows that. So a model is also judged
among pulls of like size, where counting lines helps little, and on pulls that change code.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.train.dataset import Dataset

ADDITIONS: Final = "additions"
CODE_ADDED: Final = "code_added"
CODE_REMOVED: Final = "code_removed"
LEAST_CODE: Final = 3
"""Changed code lines from which on a pull counts as a code pull."""


def sizes(pulls: Dataset) -> NDArray[np.float64] | None:
    """Code lines added of each pull, lines added where code lines are unknown, [n].

    NaN where neither is known. None if the table has no column of lines added.
    """
    code, lines = column(pulls, CODE_ADDED), column(pulls, ADDITIONS)
    if code is None or lines is None:
        return lines if code is None else code
    return np.where(np.isnan(code), lines, code)


def like_size(groups: NDArray[np.integer], sizes: NDArray[np.floating]) -> NDArray[np.int64]:
    """A number for each pull [n], the same for two where they are of like size; -1 if unknown.

    Of like size are pulls of one repository (`groups` [n]) whose `sizes` [n], one line added to
    each, fall between the same two powers of two: 0, 1-2, 3-6, 7-14, ... So the larger one has
    less than twice the lines of the smaller one, that one line counted in.
    """
    _, doublings = np.frexp(np.maximum(sizes, 0) + 1.0)  # exact, where a logarithm may round
    place = groups.astype(np.int64) * (np.finfo(np.float64).maxexp + 1) + doublings
    return np.where(np.isnan(sizes), -1, place)


def code_pulls(pulls: Dataset) -> NDArray[np.bool_] | None:
    """Which pulls are known to change at least LEAST_CODE code lines, [n].

    None if the table has no columns of code lines, or all their values are unknown.
    """
    added, removed = column(pulls, CODE_ADDED), column(pulls, CODE_REMOVED)
    if added is None or removed is None or np.isnan(added).all():
        return None
    return np.asarray(added + removed >= LEAST_CODE)


def column(pulls: Dataset, name: str) -> NDArray[np.float64] | None:
    """The raw values of a feature, [n], NaN where unknown; None if the table lacks it."""
    if name not in pulls.names:
        return None
    return pulls.x[:, pulls.names.index(name)].astype(np.float64)
