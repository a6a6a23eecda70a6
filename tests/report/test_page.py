from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.report.page import write


def test_a_page_replaces_the_earlier_one_and_leaves_no_draft(tmp_path: Path) -> None:
    write("old", tmp_path / "new" / "r.html")
    write("new", tmp_path / "new" / "r.html")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["r.html"]
    assert (tmp_path / "new" / "r.html").read_text() == "new"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"r\.html cannot be written"):
        write("page", tmp_path / "file" / "r.html")


def test_a_folder_in_the_page_s_place_is_refused_and_no_draft_stays(tmp_path: Path) -> None:
    (tmp_path / "r.html").mkdir()
    with pytest.raises(InputError):
        write("page", tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
