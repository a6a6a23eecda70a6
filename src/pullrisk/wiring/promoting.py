"""The registry on a session: ask the gate, make a version champion, compare two models."""

from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING

from pullrisk.errors import ModelError
from pullrisk.wiring.adapters import is_registered, load_model, tracking
from pullrisk.wiring.session import Session
from pullrisk.wiring.training import dataset

if TYPE_CHECKING:
    from pullrisk.train.comparison import Answers, PairedComparison
    from pullrisk.train.gate import Decision
    from pullrisk.train.registry import Event


def gate(
    session: Session, reference: str, *, by: str | None, reason: str | None, yes: bool
) -> "tuple[Decision, Event | None]":
    """The gate's decision on today's lake, and the change of champion if it was made."""
    from pullrisk.train.pipeline import judge_on
    from pullrisk.train.promotion import judge
    from pullrisk.train.registry import find, set_champion

    place = tracking(session.settings)
    version = find(place, reference)
    bundle = load_model(session.settings, version.version)
    data = dataset(session, bundle.metadata.facts.maturity_days)
    evaluation = judge_on(data, bundle, progress=session.progress)
    decision = judge(
        place, version, bundle,
        dataset=data, evaluation=evaluation, options=session.settings.gate,
    )  # fmt: skip
    if not (decision.promote and yes):
        return decision, None
    passed = f"gate passed: {'; '.join(decision.reasons)}"
    text = f"{reason}; {passed}" if reason else passed
    return decision, set_champion(place, version, by=by or whoami(), reason=text)


def move(
    session: Session, reference: str, *, by: str | None, reason: str, yes: bool
) -> "Event | None":
    """Make a version champion without asking the gate; None unless it was confirmed."""
    from pullrisk.train.registry import find, set_champion

    place = tracking(session.settings)
    version = find(place, reference)
    return set_champion(place, version, by=by or whoami(), reason=reason) if yes else None


def back(
    session: Session, to: str | None, *, by: str | None, reason: str, yes: bool
) -> "tuple[str, Event | None]":
    """The version to go back to, and the change of champion if it was confirmed."""
    from pullrisk.train.registry import champion, find, predecessor, set_champion

    place = tracking(session.settings)
    version = find(place, to) if to else predecessor(place)
    now = champion(place)
    if now is not None and now.version == version.version:
        raise ModelError(f"version {version.version} is the champion already")
    if not yes:
        return version.version, None
    who = by or whoami()
    return version.version, set_champion(place, version, by=who, reason=reason, action="rollback")


def compare(
    session: Session, first: str, second: str, *, since: datetime | None = None
) -> "PairedComparison":
    """Two models on the matured pulls that neither saw, merged `since` a day if it is given."""
    from pullrisk.train.comparison import compare

    both = [answers(session, reference) for reference in (first, second)]
    start = since.replace(tzinfo=UTC) if since else None
    data = dataset(session, session.settings.maturity_days)
    return compare(both[0], both[1], data, target=data.main_target, since=start)


def answers(session: Session, reference: str) -> "Answers":
    """What a model says of pulls: a version, an alias, `general` or a file. Raises ModelError."""
    from pullrisk.train.comparison import by_bundle
    from pullrisk.train.promotion import answers_of
    from pullrisk.train.registry import find

    if not is_registered(reference):
        return by_bundle(load_model(session.settings, reference))
    place = tracking(session.settings)
    model_answers, reason = answers_of(place, find(place, reference))
    if model_answers is None:
        raise ModelError(f"model {reference} cannot be compared: {reason}")
    return model_answers


def whoami() -> str:
    """The user's name, for the audit trail."""
    try:
        return getuser()
    except (KeyError, OSError):
        return "unknown"
