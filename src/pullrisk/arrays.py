"""Short names for numpy's arrays; shapes stand in the docstrings of who takes or gives them."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.floating]
"""Floats of any size."""
Int8: TypeAlias = NDArray[np.int8]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
Ints: TypeAlias = NDArray[np.integer]
"""Integers of any size."""
Indices: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]
