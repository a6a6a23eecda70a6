"""Patterns of work: clusters of the network's code, each with a name that a program derived."""

import msgspec
import numpy as np
from numpy.typing import NDArray


class Pattern(msgspec.Struct, frozen=True):
    """One cluster: its name, its centre in the code [k], and what stands out in it, in words."""

    name: str
    centre: list[float]
    traits: tuple[str, ...] = ()


class Patterns(msgspec.Struct, frozen=True, dict=True):
    """Every pattern, and the two directions [2, k] in which a map shows the code best."""

    each: tuple[Pattern, ...]
    axes: list[list[float]]

    def of(self, code: NDArray[np.float32]) -> NDArray[np.intp]:
        """The nearest pattern of every code [n, k], as its place in `each`, [n]."""
        centres, half = self._centres()
        # The code's own length is the same for every pattern.
        return np.asarray((code @ centres.T - half).argmax(axis=1))

    def on_map(self, code: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where the map shows codes [n, k]: x and y, [n, 2]."""
        return np.asarray(code @ np.array(self.axes, np.float32).T)

    def _centres(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The centres [patterns, k] and half their squared lengths, made once."""
        made = self.__dict__
        if "centres" not in made:
            centres = np.array([one.centre for one in self.each], np.float32)
            made["centres"] = centres, np.square(centres).sum(axis=1) / 2
        found: tuple[NDArray[np.float32], NDArray[np.float32]] = made["centres"]
        return found
