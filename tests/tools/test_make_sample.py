"""Making the bundled sample: by the product's own path, small, without an address."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

import make_sample
from pullrisk.errors import InputError
from pullrisk.pulls.outcomes.claims import claims
from pullrisk.pulls.record import Pull
from pullrisk.pulls.record_json import decode_line
from support.clones import make_clone
from support.sample import FOLDER, PUSH, sample_file, sample_pulls

AT = datetime(2024, 1, 1, tzinfo=UTC)
ADDRESS = rb"[\w.+-]+@(?:[\w-]+\.)+(?:com|org|net|io|dev|de|uk|fr)\b"


def pull(**fields: object) -> Pull:
    known = {"repository": "o/r", "number": 9, "created_at": AT, "updated_at": AT, "merged_at": AT}
    return Pull(**(known | fields))  # type: ignore[arg-type]


def test_a_clone_becomes_a_file_of_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clone(tmp_path / "clones" / "o__r", sample_pulls(60))
    arguments = [str(tmp_path / "clones"), "--output", str(tmp_path), "--repository", "o/r"]
    assert make_sample.main(arguments) == 0
    with gzip.open(tmp_path / "o__r.jsonl.gz") as lines:
        records = [decode_line(line) for line in lines]
    assert {record.repository for record in records} == {"o/r"}
    assert len(records) == 60
    assert all(record.lines is not None for record in records)
    assert "60 pulls, 0 pushes" in capsys.readouterr().out


def test_a_clone_that_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_sample.main([str(tmp_path), "--repository", "o/r"]) == 4
    assert "o__r" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("A long story.\n\nWith a second part, see #4.", ""),
        ("It was slow.\n\nReverts o/r#4\n\nSigned-off-by: Ann", "Reverts o/r#4"),
        ("This reverts commit 0123456789abcdef.\nSorry.", "This reverts commit 0123456789abcdef."),
    ],
)
def test_of_a_body_stays_what_outcomes_read(body: str, kept: str) -> None:
    whole = pull(body=body, head_sha="01" * 20)
    reduced = make_sample.reduced(whole)
    assert (reduced.body, reduced.head_sha) == (kept, None)
    assert claims(reduced) == claims(whole)


@pytest.mark.parametrize("field", ["title", "author", "head_ref", "head_repository"])
def test_a_record_with_an_address_is_refused(field: str) -> None:
    with pytest.raises(InputError, match="o/r#9 holds an e-mail address"):
        make_sample.reduced(pull(**{field: "ann@example.org"}))


def test_what_is_bundled_is_large_enough_and_holds_no_address() -> None:
    import re

    pulls = 0
    for path in FOLDER.glob("*.jsonl.gz"):
        text = gzip.decompress(path.read_bytes())
        pulls += text.count(b"\n") - text.count(PUSH)
        assert re.findall(ADDRESS, text) == []
    assert pulls >= 20_000
    assert {sample_file(name).exists() for name in make_sample.REPOSITORIES} == {True}
