import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from pullrisk.pulls.outcomes import is_undo
from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import parse_rest
from synthetic import OWNER, pulls, rest_line
from synthetic.fit import fit
from synthetic.generate import END, sizes
from synthetic.profile import load

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def made() -> list[Pull]:
    return list(pulls(20_000, repositories=4, seed=7))


def by_repository(made: list[Pull]) -> list[list[Pull]]:
    names = dict.fromkeys(pull.repository for pull in made)
    return [[pull for pull in made if pull.repository == name] for name in names]


def test_equal_seeds_give_equal_pulls_and_others_do_not(made: list[Pull]) -> None:
    again, other = (pulls(20_000, repositories=4, seed=seed) for seed in (7, 8))
    assert list(islice(again, 9_000)) == made[:9_000], "of two repositories"
    assert list(islice(other, 100)) != made[:100]


def test_a_process_with_another_hash_seed_makes_the_same_pulls(made: list[Pull]) -> None:
    code = (
        "from synthetic import pulls, rest_line\n"
        "for pull in pulls(300, repositories=3, seed=7): print(rest_line(pull).decode())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "5", "PYTHONPATH": str(BENCHMARKS)},
    )
    lines = ran.stdout.splitlines()
    assert [parse_rest(line) for line in lines] == list(pulls(300, repositories=3, seed=7))


def test_everything_is_labelled_as_synthetic(made: list[Pull]) -> None:
    assert {pull.repository.split("/")[0] for pull in made} == {OWNER} == {"synthetic"}
    assert all((pull.author or "").startswith("synthetic-author-") for pull in made)
    assert b'"synthetic":true' in rest_line(made[0])


def test_the_parser_reads_a_line_back_as_the_same_pull(made: list[Pull]) -> None:
    some = made[::5]
    assert [parse_rest(rest_line(pull)) for pull in some] == some


def test_there_are_as_many_as_were_asked_for_of_each_size() -> None:
    assert sizes(10, 3, 0.0) == [3, 4, 3]
    assert sizes(5, 5, 2.0) == [1] * 5
    large = sizes(100_000, 40, 0.8)
    assert sum(large) == 100_000
    assert all(one >= other for one, other in pairwise(large))
    assert large[0] / large[1] == pytest.approx(2**0.8, rel=0.01)
    counted = Counter(pull.repository for pull in pulls(1_000, repositories=7, seed=1))
    assert [counted[f"synthetic/repository-{i}"] for i in range(1, 8)] == sizes(1_000, 7, 0.8)


@pytest.mark.parametrize(("total", "repositories"), [(3, 4), (3, 0)])
def test_repositories_without_pulls_are_refused(total: int, repositories: int) -> None:
    with pytest.raises(ValueError, match="cannot fill"):
        next(pulls(total, repositories=repositories, seed=1))


def test_pulls_come_in_order_of_merge_with_growing_numbers(made: list[Pull]) -> None:
    for repository in by_repository(made):
        assert [pull.number for pull in repository] == list(range(1, len(repository) + 1))
        assert all(one.event_at <= two.event_at for one, two in pairwise(repository))  # type: ignore[operator]
        assert (repository[-1].merged_at or END) <= END
    huge = list(islice(pulls(5_000_000, repositories=1, seed=1), 10_000))
    assert (huge[0].merged_at or END).year >= END.year - 12


def test_the_distributions_are_the_samples(made: list[Pull]) -> None:
    real, again = load(), fit(by_repository(made))
    for name in ("files", "hours_open", "hours_between", "commits", "title_words"):
        expected = np.array(getattr(real, name))[[25, 50, 75, 90]]
        assert np.array(getattr(again, name))[[25, 50, 75, 90]] == pytest.approx(
            expected, rel=0.25, abs=1.0
        ), name
    assert again.revert == pytest.approx(real.revert, rel=0.35)
    assert again.new_author == pytest.approx(real.new_author, rel=0.15)
    assert again.new_file == pytest.approx(real.new_file, rel=0.3)


def test_the_mean_of_files_can_be_set() -> None:
    many = pulls(6_000, repositories=2, seed=1, mean_files=12.0)
    assert 8 < np.mean([pull.changed_files for pull in many]) < 13


def test_few_files_are_touched_often_and_most_rarely(made: list[Pull]) -> None:
    touches = Counter((pull.repository, file.path) for pull in made for file in pull.files or ())
    counts = sorted(touches.values(), reverse=True)
    assert sum(counts[: len(counts) // 20]) > 0.3 * sum(counts)
    assert np.median(counts) <= 3


def test_a_revert_names_an_earlier_pull_and_touches_its_files(made: list[Pull]) -> None:
    known = {(pull.repository, pull.number): pull for pull in made}
    reverts = [pull for pull in made if is_undo(pull)]
    assert reverts
    for pull in reverts:
        target = known[pull.repository, int(pull.body.rpartition("#")[2])]
        assert target.number < pull.number
        assert target.files == pull.files
        assert pull.title == f'Revert "{target.title}"'


def test_the_profile_is_the_one_of_the_bundled_sample() -> None:
    root = Path(__file__).parents[2]
    code = "import sys; from synthetic.fit import main; sys.exit(main(sys.argv[1:]))"
    files = sorted(str(path) for path in (root / "sample").glob("*.jsonl.gz"))
    ran = subprocess.run(
        [sys.executable, "-c", code, *files],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(BENCHMARKS)},
    )
    assert ran.stdout == (root / "benchmarks/synthetic/profile.json").read_bytes()
