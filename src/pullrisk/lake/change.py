"""What one run does to the lake, as its commit will say it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from pullrisk.lake.delta import FeatureTable, app_id
from pullrisk.lake.writer import AddedFile

if TYPE_CHECKING:
    from deltalake import CommitProperties

HISTORY_NUMBERS: Final = 2**20
"""A run may save histories under its own number and this many that follow: one for each attempt
at a task, so that no attempt overwrites another's. Runs are numbered by nanoseconds."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one run does to the lake.

    `base` names each repository of the run and the run it built upon (None = from scratch on
    nothing); `histories` those whose history was saved under another number than the run's;
    `replaced` are those whose earlier rows go, `gone` those that leave the lake; `base_version`
    is the table's version when the run was planned (None = no table).
    """

    run: int
    base: Mapping[str, int | None]
    base_version: int | None
    files: list[AddedFile]
    histories: Mapping[str, int] = {}
    replaced: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    facts: Mapping[str, object] = {}

    @property
    def properties(self) -> "CommitProperties":
        """The run's facts, and the transactions that make its histories current."""
        from deltalake import CommitProperties, Transaction

        runs = dict.fromkeys(self.base, self.run) | dict(self.histories)
        runs |= dict.fromkeys(self.gone, 0)
        return CommitProperties(
            custom_metadata={"pullrisk": {"run": self.run, **self.facts}},
            app_transactions=[Transaction(app_id(name), run) for name, run in runs.items()],
        )

    def shown_by(self, table: FeatureTable | None) -> bool:
        """Whether the table has this very change."""
        return table is not None and any(
            table.current_run(name) == self.histories.get(name, self.run) for name in self.base
        )


def landed(table: FeatureTable | None, run: int, repositories: Iterable[str]) -> bool:
    """Whether the table shows the run."""
    return table is not None and any(
        run <= (table.current_run(name) or 0) < run + HISTORY_NUMBERS for name in repositories
    )
