from datetime import UTC, datetime

import pytest

from pullrisk.lake.objects import path, repository_of, run_of
from pullrisk.pulls.consumed import ConsumedPulls


def test_what_was_consumed_comes_back_as_it_was() -> None:
    consumed = ConsumedPulls({7: 2**62, 1: 0}, datetime(2024, 2, 29, 1, 2, 3, 456, tzinfo=UTC))
    assert ConsumedPulls.decode(consumed.encode()) == consumed
    assert ConsumedPulls.decode(ConsumedPulls({}).encode()) == ConsumedPulls({}, None)


@pytest.mark.parametrize("content", [b"", b"\x93\xc0\xc4\x08", b"nonsense"])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        ConsumedPulls.decode(content)


@pytest.mark.parametrize("repository", ["o/r", "a_b/c__d", "a__b/c", "Ö/é.git", "o/._-", "o__/r"])
def test_every_repositorys_name_can_be_read_back_from_its_path(repository: str) -> None:
    where = path(repository, 12, "ledger")
    assert where.count("/") == 2
    assert repository_of(where) == repository
    assert run_of(where) == 12


def test_the_usual_path_is_plain() -> None:
    assert path("o/my_repo.js", 3, "history") == "histories/o__my_repo.js/3.history"


def test_another_file_in_the_folder_belongs_to_no_run() -> None:
    assert run_of("histories/o__r/notes.txt") == 0
    assert run_of("histories/o__r/1.tmp") == 0
