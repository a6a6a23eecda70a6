"""Reasons with names: how far each fact moves the risk, by exact occlusion, in one sentence.

A fact's features are all replaced by the repository's usual values, and the pull is scored again
(occlusion; Zeiler and Fergus 2014). The difference is the fact's effect, and nothing else is shown.
A sentence is told only if it goes the way of its effect: that a change is large never explains a
low risk. What no sentence tells is summed up as one reason, occluded together as well.
"""

from collections.abc import Sequence
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.brief.case import EITHER, Case, Said
from pullrisk.brief.facts import KINDS, OTHER, SIZE, masks
from pullrisk.brief.links import changed_file_url, file_url, pull_url
from pullrisk.brief.result import Reason
from pullrisk.brief.sentences import SENTENCES
from pullrisk.model.bundle import Bundle
from pullrisk.model.occlusion import unusual, variants

LEAST_ODDS: Final = 0.1
"""Log-odds by which a fact has to move the risk, to be worth a sentence: about a tenth of it."""
LEAST_EFFECT: Final = 0.001
"""And the risk itself: less is not seen in what is shown."""
UNNAMED: Final = 1 / 4
"""Weight of the effect of a reason that names no file or pull, and of the size: what has a name
leads if it carries at least so much of their risk."""
MOST_RAISING: Final = 4
MOST_LOWERING: Final = 2
_REST: Final = "everything else about it, and how this repository fares"


class Occlusion:
    """A model's answers to a pull with one fact after the other made usual."""

    def __init__(self, bundle: Bundle, repository: str) -> None:
        self._bundle = bundle
        self.usual = bundle.metadata.typical.row(repository)
        self._repository = repository
        self.names = tuple(feature.name for feature in bundle.metadata.features)
        self.usual_by_name = dict(zip(self.names, self.usual.tolist(), strict=True))
        self._masks = masks(self.names)

    def without(self, row: NDArray[np.float32]) -> tuple[float, dict[int, float]]:
        """The risk of a row [d], and what it is without each fact (a place in KINDS)."""
        x = self._bundle.comparable(row[None], self._repository)
        odd = unusual(x, self.usual)[0]
        places = np.flatnonzero((self._masks & odd).any(axis=1)).tolist()
        tried = np.concatenate([x, variants(x, self.usual, self._masks, [places])])
        risk, *others = self._bundle.raw(tried)[0].tolist()
        return risk, dict(zip(places, others, strict=True))

    def without_all(self, row: NDArray[np.float32], places: Sequence[int]) -> float:
        """The risk of a row [d] without any of these facts."""
        x = self._bundle.comparable(row[None], self._repository)
        together = np.logical_or.reduce(self._masks[list(places)])[None]
        return float(self._bundle.raw(variants(x, self.usual, together, [[0]]))[0][0])

    def features(self, places: Sequence[int]) -> tuple[str, ...]:
        """Names of the features of facts."""
        together = np.logical_or.reduce(self._masks[list(places)])
        return tuple(name for name, own in zip(self.names, together, strict=True) if own)


def reasons(occlusion: Occlusion, row: NDArray[np.float32], case: Case) -> tuple[Reason, ...]:
    """What raises the risk, what lowers it, and the rest, if it matters; what has a name leads."""
    risk, without = occlusion.without(row)
    said: dict[int, Said] = {}
    for place in without:
        tell = SENTENCES.get(KINDS[place]) if _matters(risk, without[place]) else None
        sentence = tell(case) if tell else None
        if sentence is not None and sentence.way * (risk - without[place]) >= 0:
            said[place] = sentence
    order = sorted(
        said, key=lambda place: -_weight(said[place], KINDS[place], risk - without[place])
    )
    raising = [place for place in order if without[place] < risk][:MOST_RAISING]
    lowering = [place for place in order if without[place] > risk][:MOST_LOWERING]
    shown = (*raising, *lowering)
    told = tuple(
        _reason(occlusion, [place], said[place], case, risk, without[place]) for place in shown
    )
    rest = [place for place in without if place not in shown]
    if not rest:
        return told
    left = occlusion.without_all(row, rest)
    if not _matters(risk, left):
        return told
    return (*told, _reason(occlusion, rest, Said(_REST, EITHER), case, risk, left))


def _weight(said: Said, kind: str, effect: float) -> float:
    """By what a reason is sorted: its effect, which counts less if it names nothing."""
    is_named = kind != SIZE and (said.path is not None or said.number is not None)
    return abs(effect) if is_named else abs(effect) * UNNAMED


def _reason(
    occlusion: Occlusion, places: list[int], said: Said, case: Case, risk: float, without: float
) -> Reason:
    pull = case.pull
    if said.number is not None:
        url = pull_url(pull.repository, said.number)
    elif said.path is not None and not said.path.endswith("/"):
        url = changed_file_url(pull.repository, pull.number, said.path)
    else:
        url = None if said.path is None else file_url(pull.repository, said.path)
    return Reason(
        kind=KINDS[places[0]] if said.text != _REST else OTHER,
        text=said.text,
        effect=risk - without,
        without=without,
        features=occlusion.features(places),
        path=said.path,
        number=said.number,
        lines=said.lines,
        url=url,
    )


def _matters(risk: float, without: float) -> bool:
    moved = abs(_log_odds(risk) - _log_odds(without))
    return moved >= LEAST_ODDS and abs(risk - without) >= LEAST_EFFECT


def _log_odds(risk: float) -> float:
    risk = min(max(risk, 1e-7), 1 - 1e-7)
    return log(risk / (1 - risk))
