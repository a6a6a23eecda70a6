"""Reasons with names: how far each fact moves the risk, by exact occlusion, in one sentence.

A fact's features are all replaced by the repository's usual values, and the pull is scored again
(occlusion; Zeiler and Fergus 2014). The difference is the fact's effect, and nothing else is shown.
A sentence is told only if it goes the way of its effect: that a change is large never explains a
low risk. What no sentence tells is summed up as one reason, occluded together as well.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pullrisk.brief.case import DOWN, EITHER, UP, Case, Said
from pullrisk.brief.facts import KINDS, OTHER, SIZE, masks
from pullrisk.brief.line_sentences import YOUNG_LINES
from pullrisk.brief.links import changed_file_url, file_url, pull_url
from pullrisk.brief.result import Reason
from pullrisk.brief.sentences import SENTENCES
from pullrisk.model.bundle import Bundle
from pullrisk.model.occlusion import unusual, variants
from pullrisk.pulls.record import Pull

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
    asked = _Asked(occlusion, row, case, *occlusion.without(row))
    said = asked.sentences()
    told: list[Reason] = []
    shown: set[int] = set()
    for way, most in ((UP, MOST_RAISING), (DOWN, MOST_LOWERING)):
        groups = joined([place for place in said if way * asked.effect(place) > 0], said)
        made = [(group, asked.told(group, said)) for group in groups]
        made.sort(key=lambda each: -_weight(each[1]))
        told += [reason for _, reason in made[:most]]
        shown.update(place for group, _ in made[:most] for place in group)
    return (*told, *asked.rest(shown))


class _Asked(NamedTuple):
    """A pull's `risk`, and what it is `without` each fact, by its place in KINDS."""

    occlusion: Occlusion
    row: NDArray[np.float32]
    case: Case
    risk: float
    without: dict[int, float]

    def effect(self, place: int) -> float:
        """How far a fact raises the risk; below 0 if it lowers it."""
        return self.risk - self.without[place]

    def sentences(self) -> dict[int, Said]:
        """The sentences of the facts that matter, if they go the way of the effect."""
        said: dict[int, Said] = {}
        for place, without in self.without.items():
            tell = SENTENCES.get(KINDS[place]) if _matters(self.risk, without) else None
            sentence = tell(self.case) if tell else None
            if sentence is not None and sentence.way * self.effect(place) >= 0:
                said[place] = sentence
        return said

    def told(self, places: list[int], said: dict[int, Said]) -> Reason:
        """The reason of what is said of places together."""
        first, *others = places
        text = "; ".join((said[first].text, *(str(said[each].more) for each in others)))
        left = self.occlusion.without_all(self.row, places) if others else self.without[first]
        return self._reason(KINDS[first], places, replace(said[first], text=text), left)

    def rest(self, shown: set[int]) -> tuple[Reason, ...]:
        """All that was not shown as one reason; none if it does not matter."""
        places = [place for place in self.without if place not in shown]
        left = self.occlusion.without_all(self.row, places) if places else self.risk
        if not _matters(self.risk, left):
            return ()
        return (self._reason(OTHER, places, Said(_REST, EITHER), left),)

    def _reason(self, kind: str, places: list[int], said: Said, without: float) -> Reason:
        return Reason(
            kind=kind,
            text=said.text,
            effect=self.risk - without,
            without=without,
            features=self.occlusion.features(places),
            path=said.path,
            number=said.number,
            lines=said.lines,
            url=_url(self.case.pull, said),
        )


def _url(pull: Pull, said: Said) -> str | None:
    if said.number is not None:
        return pull_url(pull.repository, said.number)
    if said.path is None:
        return None
    if said.path.endswith("/"):
        return file_url(pull.repository, said.path)
    return changed_file_url(pull.repository, pull.number, said.path)


def joined(places: Sequence[int], said: dict[int, Said]) -> list[list[int]]:
    """The places, together where one only adds to what another says of the lines of a pull."""
    groups: list[list[int]] = []
    for place in sorted(places, key=lambda each: said[each].more is not None):
        number, more = said[place].number, said[place].more
        about = (
            group
            for group in groups
            if more and number is not None and number == said[group[0]].number
            if said[group[0]].more or KINDS[group[0]] == YOUNG_LINES
        )
        group = next(about, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return groups


def _weight(reason: Reason) -> float:
    """By what a reason is sorted: its effect, which counts less if it names nothing."""
    is_named = reason.kind != SIZE and (reason.path is not None or reason.number is not None)
    return abs(reason.effect) * (1.0 if is_named else UNNAMED)


def _matters(risk: float, without: float) -> bool:
    moved = abs(_log_odds(risk) - _log_odds(without))
    return moved >= LEAST_ODDS and abs(risk - without) >= LEAST_EFFECT


def _log_odds(risk: float) -> float:
    risk = min(max(risk, 1e-7), 1 - 1e-7)
    return log(risk / (1 - risk))
