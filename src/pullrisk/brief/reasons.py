"""Reasons with names: how far each fact moves the risk, by exact occlusion, in one sentence.

A fact's features are all replaced by the repository's usual values, and the pull is scored again
(occlusion; Zeiler and Fergus 2014). The difference is the fact's effect, and nothing else is shown.
A sentence is told only if it goes in the direction of its effect: that a change is large never
explains a low risk. What no sentence tells is summed up as one reason, occluded together as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.brief.case import DOWN, EITHER, UP, Case, Sentence
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
        return tuple(self.names[column] for column in np.flatnonzero(together).tolist())


def reasons(occlusion: Occlusion, row: NDArray[np.float32], case: Case) -> tuple[Reason, ...]:
    """What raises the risk, what lowers it, and the rest, if it matters; what has a name leads."""
    effects = _Effects(occlusion, row, case)
    named: list[Reason] = []
    shown: set[int] = set()
    for direction, most in ((UP, MOST_RAISING), (DOWN, MOST_LOWERING)):
        for group, reason in effects.named(direction)[:most]:
            named.append(reason)
            shown.update(group)
    return (*named, *effects.rest(shown))


class _Effects:
    """How far each fact of a pull moves its risk; a fact is known by its place in KINDS."""

    def __init__(self, occlusion: Occlusion, row: NDArray[np.float32], case: Case) -> None:
        self._occlusion, self._row, self._pull = occlusion, row, case.pull
        self._risk, self._without = occlusion.without(row)
        self._sentences = dict(self._find_sentences(case))

    def _find_sentences(self, case: Case) -> Iterator[tuple[int, Sentence]]:
        """The sentences of the facts that matter, if they go in the direction of the effect."""
        for place, without in self._without.items():
            tell = SENTENCES.get(KINDS[place]) if _matters(self._risk, without) else None
            sentence = tell(case) if tell else None
            if sentence is not None and sentence.direction * (self._risk - without) >= 0:
                yield place, sentence

    def named(self, direction: int) -> list[tuple[list[int], Reason]]:
        """The reasons that move the risk in this direction, strongest first, with their facts."""
        places = [
            place
            for place in self._sentences
            if direction * (self._risk - self._without[place]) > 0
        ]
        groups = joined(places, self._sentences)
        pairs = [(group, self._reason_of(group)) for group in groups]
        return sorted(pairs, key=lambda pair: -_weight(pair[1]))

    def _reason_of(self, places: list[int]) -> Reason:
        """The reason of facts that are told in one sentence."""
        first, *others = places
        sentence = self._sentences[first]
        text = "; ".join((sentence.text, *(str(self._sentences[each].more) for each in others)))
        without = self._without[first]
        if others:
            without = self._occlusion.without_all(self._row, places)
        return self._reason(KINDS[first], places, replace(sentence, text=text), without)

    def rest(self, shown: set[int]) -> tuple[Reason, ...]:
        """All that was not shown as one reason; none if it does not matter."""
        places = [place for place in self._without if place not in shown]
        if not places:
            return ()
        without = self._occlusion.without_all(self._row, places)
        if not _matters(self._risk, without):
            return ()
        return (self._reason(OTHER, places, Sentence(_REST, EITHER), without),)

    def _reason(self, kind: str, places: list[int], sentence: Sentence, without: float) -> Reason:
        return Reason(
            kind=kind,
            text=sentence.text,
            effect=self._risk - without,
            without=without,
            features=self._occlusion.features(places),
            path=sentence.path,
            number=sentence.number,
            lines=sentence.lines,
            url=_url(self._pull, sentence),
        )


def _url(pull: Pull, sentence: Sentence) -> str | None:
    if sentence.number is not None:
        return pull_url(pull.repository, sentence.number)
    if sentence.path is None:
        return None
    if sentence.path.endswith("/"):
        return file_url(pull.repository, sentence.path)
    return changed_file_url(pull.repository, pull.number, sentence.path)


def joined(places: Sequence[int], sentences: dict[int, Sentence]) -> list[list[int]]:
    """The places, together where one only adds to what another says of the lines of a pull."""
    groups: list[list[int]] = []
    for place in sorted(places, key=lambda each: sentences[each].more is not None):
        number, more = sentences[place].number, sentences[place].more
        about = (
            group
            for group in groups
            if more and number is not None and number == sentences[group[0]].number
            if sentences[group[0]].more or KINDS[group[0]] == YOUNG_LINES
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
