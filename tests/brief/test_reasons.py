"""Reasons are exact: making a sentence's features usual moves the answer by what is shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pullrisk.brief import relief as reliefs
from pullrisk.brief.case import UP, Sentence
from pullrisk.brief.facts import KINDS, SIZE
from pullrisk.brief.make import BriefMaker
from pullrisk.brief.past import Past
from pullrisk.brief.reasons import LEAST_EFFECT, MOST_LOWERING, MOST_RAISING, UNNAMED, joined
from pullrisk.brief.relief import only
from pullrisk.brief.result import Reason
from pullrisk.brief.verdict import ENOUGH_PULLS
from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.model.general import general_bundle
from pullrisk.pulls.lines import ChangedLines
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.score.scorer import Scorer
from support.sample import sample_pulls
from support.serving import make_home

STORED = 300
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pulls() -> list[Pull]:
    return sample_pulls(STORED + 10)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(make_home(tmp_path_factory.mktemp("home"), pulls=STORED) / "lake")


@pytest.fixture(scope="module")
def scorer(lake: Lake) -> Scorer:
    table = lake.table(list(NAMES))
    x = np.stack([table[name].to_numpy() for name in NAMES], axis=1).astype(np.float32)
    return Scorer(general_bundle().recalibrated_for("kedro-org/kedro", x), lake)


def opened(pull: Pull, **changes: object) -> Pull:
    return msgspec.structs.replace(pull, merged_at=None, closed_at=None, **changes)


def test_making_what_a_sentence_stands_for_usual_moves_the_risk_by_its_effect(
    scorer: Scorer, pulls: Sequence[Pull]
) -> None:
    bundle, maker = scorer.bundle, BriefMaker(scorer)
    told = 0
    for pull, scored in zip(pulls[200:], scorer.score_rows(pulls[200:], now=NOW), strict=True):
        usual = bundle.metadata.typical.row(pull.repository)
        for reason in maker.reasons(pull, scored):
            row = scored.row.copy()
            for name in reason.features:
                column = NAMES.index(name)
                if not np.isnan(row[column]) and not np.isnan(usual[column]):
                    row[column] = usual[column]
            x = bundle.comparable(np.stack([scored.row, row]), pull.repository)
            risk, without = bundle.raw(x)[0]
            assert reason.without == pytest.approx(without, rel=1e-4)
            assert reason.effect == pytest.approx(risk - without, abs=1e-6)
            assert abs(reason.effect) >= LEAST_EFFECT * 0.99
            told += 1
    assert told > 10


def weight(reason: Reason) -> float:
    named = reason.kind != SIZE and (reason.path is not None or reason.number is not None)
    return abs(reason.effect) * (1.0 if named else UNNAMED)


def test_what_raises_comes_first_and_what_has_a_name_leads_what_is_not_far_stronger(
    scorer: Scorer, pulls: Sequence[Pull]
) -> None:
    for brief in BriefMaker(scorer).briefs(pulls[200:250], now=NOW):
        told = [each for each in brief.reasons if each.kind != "other"]
        raising = [each for each in told if each.effect > 0]
        lowering = [each for each in told if each.effect <= 0]
        assert told == raising + lowering
        for reasons in (raising, lowering):
            assert reasons == sorted(reasons, key=weight, reverse=True)
        assert len(raising) <= MOST_RAISING
        assert len(lowering) <= MOST_LOWERING
        assert all(each.text for each in brief.reasons)


def with_vendored(pull: Pull) -> Pull:
    """The pull with ten thousand lines of others' code."""
    paths = [f"vendor/lib/m{number}.py" for number in range(5)]
    vendored = tuple(ChangedFile(path, "added", 2_000, 0, None, 2_000, 0) for path in paths)
    source = ChangedFile("kedro/io/core.py", "modified", 4, 2, None, 4, 2)
    lines = ChangedLines(rewrites=(), neighbours=(), code_added=10_004, code_removed=2)
    sizes = {"changed_files": 6, "additions": 10_004, "deletions": 2}
    return opened(pull, files=(source, *vendored), lines=lines, **sizes)


def no_past(pull: Pull) -> Past:
    """The pull in a repository that nothing is known of."""
    return Past(RepositoryHistory(pull.repository), pull, NOW)


def test_what_would_lower_the_risk_is_what_the_model_says_of_the_pull_so_changed(
    scorer: Scorer, pulls: Sequence[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reliefs, "_LEAST", 0.003)  # the sample's risks are all low

    def risk(pull: Pull) -> float:
        return scorer.score([pull], now=NOW)[0].risk or 0.0

    for pull in map(with_vendored, pulls[:5]):
        found = reliefs.relief(no_past(pull), risk(pull), score=risk)
        assert found is not None
        assert (found.kind, len(found.paths)) == ("leave out", 5)
        without = only(pull, ["kedro/io/core.py"])
        assert without.additions == 4
        assert found.risk == pytest.approx(risk(without))
        assert found.risk <= 0.75 * risk(pull)


def test_a_split_is_told_by_the_riskier_part_as_the_model_says(
    scorer: Scorer, pulls: Sequence[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts that never changed together, each scored alone by the real model."""
    monkeypatch.setattr(reliefs, "_LEAST", 0.0)
    monkeypatch.setattr(reliefs, "_LESS", 1.0)
    one, other = ["src/a/one.py", "src/a/two.py"], ["lib/b/three.py"]
    monkeypatch.setattr(reliefs, "never_together", lambda past: [one, other])
    files = tuple(ChangedFile(path, "modified", 90, 9, None, 90, 9) for path in (*one, *other))
    lines = ChangedLines(rewrites=(), neighbours=(), code_added=270, code_removed=27)
    sizes = {"changed_files": 3, "additions": 270, "deletions": 27}
    pull = opened(pulls[-1], files=files, lines=lines, **sizes)

    def risk(pull: Pull) -> float:
        return scorer.score([pull], now=NOW)[0].risk or 0.0

    found = reliefs.relief(no_past(pull), 0.9, score=risk)
    assert found is not None
    assert (found.kind, found.paths) == ("split", tuple(other))
    assert found.risk == pytest.approx(max(risk(only(pull, one)), risk(only(pull, other))))


def test_what_is_said_of_the_lines_of_one_pull_is_said_once() -> None:
    kinds = ("young lines", "repaired lines", "lines of fixes", "repaired files")
    young, repaired, fixes, files = map(KINDS.index, kinds)
    sentences = {
        files: Sentence("1 of the last 2 changes of a.py needed a fix (last: #7)", UP, number=7),
        repaired: Sentence(
            "rewrites 9 lines of #7, which needed a fix", UP, number=7, more="fixed"
        ),
        fixes: Sentence("rewrites 2 lines that a fix wrote (#8)", UP, number=8, more="a fix"),
        young: Sentence("rewrites 9 lines that #7 wrote today", UP, number=7),
    }
    assert joined(list(sentences), sentences) == [[files], [young, repaired], [fixes]]


def test_a_brief_is_the_same_from_json(scorer: Scorer, pulls: Sequence[Pull]) -> None:
    brief = BriefMaker(scorer).brief(opened(pulls[-1]), now=NOW)
    assert msgspec.json.decode(msgspec.json.encode(brief), type=type(brief)) == brief


@pytest.mark.parametrize(
    "changes",
    [{"files": None}, {"files": ()}, {"lines": None}, {"author": None, "author_names": ()},
     {"files": None, "additions": None, "deletions": None, "lines": None, "title": ""}],
    ids=["no files", "empty", "no lines", "no author", "nothing"],
)  # fmt: skip
def test_whatever_is_missing_of_a_pull_a_brief_is_made(
    scorer: Scorer, pulls: Sequence[Pull], changes: dict[str, object]
) -> None:
    brief = BriefMaker(scorer).brief(opened(pulls[-1], **changes), now=NOW)
    assert brief.verdict.endswith(".")
    assert 0 < (brief.risk or 0) < 1


def test_an_unknown_repository_gets_no_number_that_could_look_low(
    scorer: Scorer, pulls: Sequence[Pull]
) -> None:
    asked = opened(pulls[-1], repository="some/where")
    brief = BriefMaker(scorer).brief(asked, now=NOW)
    assert brief.verdict == (
        "Not enough history to tell: no merged pulls of this repository are known."
    )
    unknown = (brief.risk, brief.band, brief.percentile, brief.usual, brief.relief)
    assert unknown == (None,) * 5
    assert brief.reasons == ()
    assert "%" not in brief.verdict


def test_a_repository_s_first_pulls_get_none_either(scorer: Scorer, pulls: Sequence[Pull]) -> None:
    early = sorted(pulls[:STORED], key=lambda pull: str(pull.merged_at))[ENOUGH_PULLS // 2]
    brief = BriefMaker(scorer).brief(early, now=NOW)
    assert brief.verdict.startswith("Not enough history to tell: only ")
    assert brief.risk is None


def test_a_model_without_a_risk_says_unknown(lake: Lake, pulls: Sequence[Pull]) -> None:
    bundle = general_bundle()
    silent: Bundle = bundle.with_metadata(
        msgspec.structs.replace(bundle.metadata, repair_available=False, revert_available=False)
    )
    brief = BriefMaker(Scorer(silent, lake)).brief(opened(pulls[-1]), now=NOW)
    assert brief.verdict.startswith("Unknown: ")
    assert (brief.risk, brief.reasons) == (None, ())


def test_a_lake_without_a_history_is_no_obstacle(
    scorer: Scorer, pulls: Sequence[Pull], tmp_path: Path
) -> None:
    brief = BriefMaker(Scorer(scorer.bundle, Lake(tmp_path / "none"))).brief(pulls[0], now=NOW)
    assert brief.basis == "no history"


def test_every_address_lies_on_the_server_of_github_enterprise(
    scorer: Scorer, lake: Lake, pulls: Sequence[Pull]
) -> None:
    site, usual = "https://git.example.org", BriefMaker(scorer).brief(pulls[-1], now=NOW)
    own = Scorer(scorer.bundle, lake, site=site)
    brief = BriefMaker(own).brief(pulls[-1], now=NOW)
    text, expected = (msgspec.json.encode(each).decode() for each in (brief, usual))
    assert "https://github.com/" in expected
    assert text == expected.replace("https://github.com/", f"{site}/")
    (scored,) = own.score_rows(pulls[-1:], now=NOW)
    assert BriefMaker(own).reasons(pulls[-1], scored) == brief.reasons
    assert scored.score.url == brief.url
