import multiprocessing
from pathlib import Path

from pullrisk.serve.limits import RateLimit


def test_a_bucket_fills_again_at_its_rate() -> None:
    limit = RateLimit(2, 3)
    assert [limit.wait("key", 100.0) for _ in range(4)] == [0, 0, 0, 1]
    assert limit.wait("key", 100.4) == 1
    assert limit.wait("key", 100.9) == 0
    assert limit.wait("key", 1000.0) == limit.wait("key", 1000.0) == limit.wait("key", 1000.0) == 0
    assert limit.wait("key", 1000.0) == 1


def test_keys_have_a_bucket_each() -> None:
    limit = RateLimit(1, 1)
    assert limit.wait("one", 5.0) == 0
    assert limit.wait("two", 5.0) == 0
    assert limit.wait("one", 5.0) == 1


def test_a_rate_of_zero_is_no_limit() -> None:
    limit = RateLimit(0, 1)
    assert {limit.wait("key", 1.0) for _ in range(100)} == {0}


def test_keys_beyond_the_slots_push_out_those_that_were_idle_for_longest() -> None:
    limit = RateLimit(0.001, 1)
    assert limit.wait("first", 1.0) == 0
    for place in range(100_000):
        limit.wait(f"key {place}", 2.0 + place)
    assert limit.wait("first", 200_000.0) == 0


def take(path: Path, count: int) -> int:
    limit = RateLimit(0.001, 50, path=path)
    return sum(limit.wait("key", 10.0) == 0 for _ in range(count))


def test_processes_take_from_one_bucket(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        taken = pool.starmap(take, [(tmp_path / "rates", 40)] * 2)
    assert sum(taken) == 50
