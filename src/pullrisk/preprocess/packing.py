"""Repositories shared out over tasks: a large one alone, small ones together, evenly."""

from typing import Final

from pullrisk.preprocess.plan import Work

TASKS_PER_SLOT: Final = 4
"""Tasks for each core: enough to even out their lengths, few enough to cost nothing."""
LEAST_PULLS: Final = 2_000
"""A task of fewer pulls than this costs more than it replays."""


def pack(works: list[Work], *, slots: int) -> list[list[Work]]:
    """The tasks, the longest first, so that none starts late and runs on alone.

    A repository is never divided: its replay is a fold.
    """
    total = sum(work.size for work in works)
    target = max(LEAST_PULLS, total // (slots * TASKS_PER_SLOT))
    tasks: list[list[Work]] = []
    room = 0
    for work in sorted(works, key=lambda work: work.size, reverse=True):
        size = work.size
        if not tasks or size > room:
            tasks.append([])
            room = target
        tasks[-1].append(work)
        room -= size
    return tasks
