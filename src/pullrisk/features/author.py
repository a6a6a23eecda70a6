"""Features of the author's record in this repository.

GitHub's `author_association` is left out on purpose: it tells the standing on the day of the
fetch, not on the day of the merge, so for old pulls it knows the future.
"""

from dataclasses import dataclass, field
from typing import Final

from pullrisk.features.decay import Spread, days, faded, smoothed
from pullrisk.features.identity import BOT, EMAIL, LOGIN, ROBOT, Identities, from_commits, kinds_of
from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import DAY, NEVER, UNKNOWN, family

FEATURES: Final = family(
    "author",
    ("author_merged", "pulls", "log", "pulls of this author merged here before"),
    ("author_unmerged", "pulls", "log", "pulls of this author closed here without a merge"),
    ("author_failures", "pulls", "log", "pulls of this author that failed here"),
    ("author_failure_rate", "share", "linear",
     "estimated share of this author's pulls that fail"),
    ("days_since_author_failure", "days", "log",
     "days since a pull of this author last failed"),
    ("author_tenure", "days", "log", "days since the author's first pull here"),
    ("days_since_author_seen", "days", "log", "days since the author's last pull here"),
    ("author_recent", "pulls", "log", "pulls of this author merged here in about a month"),
    ("author_share", "share", "linear", "share of all pulls merged here that are this author's"),
    ("author_churn_score", "standard deviations", "linear",
     "size of the change against this author's usual size (on a log scale)"),
    ("author_new", "flag", "flag", "the author's first pull here"),
    ("author_ghost", "flag", "flag", "the author's account is deleted or unknown"),
    ("author_bot", "flag", "flag", "the author is a bot"),
    ("author_agent", "flag", "flag", "an AI agent wrote it, alone or with its author"),
    ("from_fork", "flag", "flag", "the branch is in a fork"),
)  # fmt: skip

_MONTH: Final = 30 * DAY
_MEMORY: Final = 50
ROUTINE: Final = 0.5
"""Likeness of a title to one of the author's own from which on the pull is routine."""
_OWN_FORK: Final = 0.8
"""Share of the pulls from a login's forks that one author has to have written."""
_SURELY: Final = 5
"""Pulls of an author's from a login's forks that prove the login to be the author's."""
_COVERED: Final = 0.95
"""Share of the merged pulls whose authors a kind of name has to tell, to tell a new author."""


@dataclass(slots=True)
class AuthorRecord:
    """One author; times are epoch seconds, 0 = never.

    `kinds` are the kinds of names that are known, and whether it was called a bot, as bits;
    `routine` counts merged pulls with a title like one of the author's own, of authors with a name
    that could be a robot's; `written` counts merged pulls that added code, `repaired` those of them
    that soon needed a fix.
    """

    id: int
    merged: int = 0
    unmerged: int = 0
    failures: int = 0
    first: float = 0.0
    last: float = 0.0
    last_failure: float = 0.0
    month: float = 0.0
    month_at: float = 0.0
    churn: Spread = field(default_factory=Spread)
    kinds: int = 0
    routine: int = 0
    written: int = 0
    repaired: int = 0

    @property
    def robotic(self) -> bool:
        """Whether a name could be a robot's."""
        return self.kinds & ROBOT != 0

    @property
    def robot(self) -> bool:
        """Whether a name could be a robot's, and most of the work is routine."""
        return self.robotic and self.merged >= 10 and self.routine >= 0.6 * self.merged

    def absorb(self, other: "AuthorRecord") -> None:
        """Take over what is known of `other`, which turned out to be the same author."""
        if other.month_at > self.month_at:
            self.month = faded(self.month, other.month_at - self.month_at, _MONTH) + other.month
            self.month_at = other.month_at
        else:
            self.month += faded(other.month, self.month_at - other.month_at, _MONTH)
        firsts = [first for first in (self.first, other.first) if first]
        self.first = min(firsts) if firsts else 0.0
        self.last = max(self.last, other.last)
        self.last_failure = max(self.last_failure, other.last_failure)
        self.merged += other.merged
        self.unmerged += other.unmerged
        self.failures += other.failures
        self.routine += other.routine
        self.written += other.written
        self.repaired += other.repaired
        self.kinds |= other.kinds
        self.churn.absorb(other.churn, memory=_MEMORY)


def _fork_owner(context: PullContext) -> str | None:
    """Whose fork the pull comes from, as a name; None if it comes from none or nobody knows."""
    owner = (context.pull.head_repository or "").partition("/")[0].lower()
    own = context.pull.repository.partition("/")[0].lower()
    return f"login:{owner}" if owner not in ("", own) else None


_UNKNOWN: Final = AuthorRecord(-1)

Saved = tuple[list[AuthorRecord], dict[str, int], dict[str, dict[int, int]]]


class Authors:
    """Every author seen; `by_id[n]` is the record numbered n, `identities` find n by name.

    `forks` counts merged pulls by login of the fork's owner and number of the author, of those
    pulls that a clone alone tells of.
    """

    def __init__(self, saved: Saved | None = None) -> None:
        self.by_id, numbers, self.forks = saved or ([], {}, {})
        self.identities = Identities(numbers)
        self._merged = 0
        self._merged_by_login = 0
        self._merged_by_email = 0
        for record in self.by_id:
            self._count(record, 1)

    def save(self) -> Saved:
        """The state, as the constructor takes it back."""
        return self.by_id, self.identities.numbers, self.forks

    def id(self, names: list[str]) -> int:
        """The number in this history of the author with these names, or -1 where never seen."""
        same = self._same(names)
        return same[0] if same else -1

    def _same(self, names: list[str]) -> list[int]:
        """The numbers of those who are one with the author of a pull, as its names say.

        Commits say it for sure. What GitHub tells of a pull and its commits together says it of
        somebody without a login, or else one person's pull holds another's commits.
        """
        known = self.identities.known(names)
        if from_commits(names):
            return known
        own = self.identities.numbers.get(names[0], -1)
        if not known:
            known = self._owning_forks(names[0])
        return [number for number in known if number == own or not self.by_id[number].kinds & LOGIN]

    def _own_fork(self, context: PullContext) -> str | None:
        """The login of the fork that a clone's pull comes from, where it is surely the author's."""
        login = _fork_owner(context) if from_commits(context.names) else None
        author = self.id(context.names)
        if login is None or author < 0 or self.by_id[author].kinds & LOGIN:
            return None
        pulls = self.forks.get(login, {})
        own = pulls.get(author, 0)
        return login if own >= _SURELY and own >= 0.9 * sum(pulls.values()) else None

    def _owning_forks(self, name: str) -> list[int]:
        """Who wrote (nearly) all pulls from the forks of this login: it is theirs."""
        pulls = self.forks.get(name)
        if pulls is None:
            return []
        author = max(pulls, key=pulls.__getitem__)
        return [author] if pulls[author] >= _OWN_FORK * sum(pulls.values()) else []

    def tells(self, names: list[str]) -> bool:
        """Whether an author with these names is known or certainly new.

        An unseen login is new only to a history that knows (nearly) all its authors by login:
        to one that knows them by address it could be anybody's. Addresses likewise.
        """
        if self.id(names) >= 0:
            return True
        kinds, least = kinds_of(names), _COVERED * self._merged
        return self._merged > 0 and (
            (kinds & LOGIN != 0 and self._merged_by_login >= least)
            or (kinds & EMAIL != 0 and self._merged_by_email >= least)
        )

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        record = self.record(context.author)
        now, pull, fork = context.now, context.pull, context.pull.head_repository
        return (
            record.merged,
            record.unmerged if context.unmerged else UNKNOWN,
            record.failures,
            smoothed(record.failures, record.merged, context.prior, 20.0),
            days(now - record.last_failure, NEVER),
            days(now - record.first, NEVER) if record.first else 0.0,
            days(now - record.last, NEVER),
            faded(record.month, now - record.month_at, _MONTH),
            record.merged / context.merged if context.merged else 0.0,
            record.churn.score(context.log_churn),
            float(record.merged + record.unmerged == 0),
            float(pull.author is None),
            float(pull.bot or record.robot),
            float(pull.agent is not None),
            UNKNOWN if fork is None else float(fork != pull.repository),
        )

    def meet(self, context: PullContext) -> list[int]:
        """The author is seen; sets `context.author` to the author's number.

        Returns the numbers of authors that turn out to be the same one: their records are merged
        into this one, and they are not used any more.
        """
        names = context.names
        if not names:
            return []
        if login := self._own_fork(context):
            names = [*names, login]
        same = self._same(names) or [self._new(context.now)]
        number = min(same)
        gone = [other for other in same if other != number]
        self.identities.add(names, number)
        record = self.by_id[number]
        self._count(record, -1)
        for other in gone:
            self._count(self.by_id[other], -1)
            record.absorb(self.by_id[other])
            self.by_id[other] = AuthorRecord(other)
            self.identities.replace(other, number)
            self._replace_in_forks(other, number)
        record.kinds |= kinds_of(names)
        if context.pull.bot:
            record.kinds |= BOT
        record.last = context.now
        self._count(record, 1)
        context.author = number
        return gone

    def _replace_in_forks(self, gone: int, kept: int) -> None:
        for pulls in self.forks.values():
            if gone in pulls:
                pulls[kept] = pulls.pop(gone) + pulls.get(kept, 0)

    def _new(self, now: float) -> int:
        self.by_id.append(AuthorRecord(len(self.by_id), first=now))
        return len(self.by_id) - 1

    def _count(self, record: AuthorRecord, sign: int) -> None:
        """Add (1) or take away (-1) the author's merged pulls, by the kinds of names known."""
        merged = sign * record.merged
        self._merged += merged
        self._merged_by_login += merged if record.kinds & LOGIN else 0
        self._merged_by_email += merged if record.kinds & EMAIL else 0

    def observe(self, context: PullContext, *, merged: bool, routine: bool = False) -> None:
        """A pull of the author numbered `context.author` was merged or closed."""
        if context.author < 0:
            return
        record, now = self.by_id[context.author], context.now
        if not merged:
            record.unmerged += 1
            return
        self._count(record, -1)
        record.merged += 1
        record.routine += routine
        record.written += context.repairable
        self._count(record, 1)
        record.month = faded(record.month, now - record.month_at, _MONTH) + 1.0
        record.month_at = now
        record.churn.add(context.log_churn, memory=_MEMORY)
        login = _fork_owner(context) if from_commits(context.names) else None
        if login is not None:
            pulls = self.forks.setdefault(login, {})
            pulls[context.author] = pulls.get(context.author, 0) + 1

    def record(self, author: int) -> AuthorRecord:
        """What is known of the author numbered `author` (-1 = unknown)."""
        return self.by_id[author] if author >= 0 else _UNKNOWN

    def repair(self, author: int) -> None:
        """An earlier pull of the author numbered `author` (-1 = unknown) needed a fix."""
        if author >= 0:
            self.by_id[author].repaired += 1

    def fail(self, author: int, now: float) -> None:
        """An earlier pull of the author numbered `author` (-1 = unknown) was trouble."""
        if author >= 0:
            record = self.by_id[author]
            record.failures += 1
            record.last_failure = now
