"""What people say of a score, in comments that begin with `/pullrisk`.

    /pullrisk explain   publish the verdict anew
    /pullrisk wrong     the verdict is wrong
    /pullrisk missed    the pull request needed a fix, and nothing was said
    /pullrisk noisy     what is said is right, and of no use

The words that follow are kept as a note. Each is one checkpoint of the pull store, under the
comment's id: a repeated delivery changes nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from pullrisk.pulls.store import PullStore

Kind: TypeAlias = Literal["explain", "wrong", "missed", "noisy"]
KINDS: Final[tuple[Kind, ...]] = ("explain", "wrong", "missed", "noisy")
MAY_WRITE: Final = frozenset({"admin", "write"})
"""GitHub's permissions of those who are heard; `maintain` is told as `write`."""
MOST_NOTE: Final = 1_000
"""Characters of a note that are kept."""
_KEY: Final = "feedback:"


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said of the score of one pull; risk and band are those told at that time."""

    repository: str
    number: int
    kind: Kind
    login: str
    at: datetime
    note: str = ""
    risk: float | None = None
    band: str | None = None
    head_sha: str | None = None


def note_of(text: str) -> str:
    """What follows the command in a comment."""
    words = text.split(maxsplit=2)
    return words[2].strip()[:MOST_NOTE] if len(words) > 2 else ""


def save_feedback(store: PullStore, host: str, comment: int, feedback: Feedback) -> None:
    """Keep it, once for each comment. Raises StoreError."""
    key = f"{_KEY}{host}:{comment}"
    if store.checkpoint(key) is None:
        store.upsert([], checkpoint=(key, msgspec.to_builtins(feedback)))


def load_feedback(store: PullStore, *, repository: str | None = None) -> list[Feedback]:
    """All feedback, the latest first, or that of one repository. Raises StoreError."""
    feedback = [
        msgspec.convert(value, Feedback)
        for key, value in store.checkpoints().items()
        if key.startswith(_KEY)
    ]
    own = [each for each in feedback if repository is None or each.repository == repository]
    return sorted(own, key=lambda each: each.at, reverse=True)


def outcome_notes(
    feedback: Collection[Feedback], outcomes: Mapping[tuple[str, int], bool]
) -> Iterator[str]:
    """What people said of pulls beside what became of them, a sentence for each kind.

    `outcomes` tells by repository and number whether a pull needed a fix or was reverted; pulls
    that it lacks are too young, or were not merged.
    """
    for kind in KINDS[1:]:
        pulls = {(each.repository, each.number) for each in feedback if each.kind == kind}
        known = [outcomes[pull] for pull in pulls if pull in outcomes]
        if pulls:
            yield (
                f"people said '{kind}' of {len(pulls):,} pulls: the outcome of {len(known):,} is "
                f"known, {sum(known):,} of them needed a fix or were reverted"
            )
