from pullrisk.preprocess.packing import LEAST_PULLS, TASKS_PER_SLOT, pack
from pullrisk.preprocess.plan import Work


def works(*sizes: int) -> list[Work]:
    return [
        Work(repository=f"o/r{index}", pulls=dict.fromkeys(range(size), 0))
        for index, size in enumerate(sizes)
    ]


def packed(*sizes: int, slots: int) -> list[list[int]]:
    tasks = pack(works(*sizes), slots=slots)
    return [[len(work.pulls) for work in task] for task in tasks]


def test_a_large_repository_is_alone_and_comes_first() -> None:
    assert packed(10, 90_000, 20, slots=2) == [[90_000], [20, 10]]


def test_small_ones_are_packed_evenly() -> None:
    tasks = packed(*[100] * 1_000, slots=4)
    assert len(tasks) <= 4 * TASKS_PER_SLOT + 1
    assert {sum(task) for task in tasks[:-1]} == {100_000 // (4 * TASKS_PER_SLOT) // 100 * 100}


def test_a_task_is_not_cut_smaller_than_is_worth_its_start() -> None:
    assert packed(*[LEAST_PULLS // 4] * 8, slots=64) == [[LEAST_PULLS // 4] * 4] * 2


def test_every_repository_is_in_exactly_one_task() -> None:
    tasks = pack(works(*range(0, 5_000, 7)), slots=3)
    names = [work.repository for task in tasks for work in task]
    assert len(names) == len(set(names)) == len(range(0, 5_000, 7))
    assert pack([], slots=2) == []
