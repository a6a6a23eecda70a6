"""The whole pipeline on a part of the bundled sample, as a person runs it."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from pullrisk.pulls.feedback import Feedback, save_feedback
from pullrisk.pulls.record_json import decode_line
from pullrisk.pulls.rest import rest_object_of
from pullrisk.pulls.sqlite import SqliteStore
from support.forked import TRAINING, run_forked
from support.processes import mortal
from support.sample import KEDRO, latest_lines, sample_file, sample_lines

UV = "astral-sh/uv"
LATEST = 3_500
"""uv's latest pull requests: enough trouble for a risk, few enough for a test."""
FEW = 1_000
"""Kedro's first, for a run that is killed: what it learns matters less than that it is the same."""
TESTS = Path(__file__).parents[1]
KILLED = """
import sys
from pullrisk.cli import main
from support.kills import Moment

when, module, name, *sys.argv[1:] = sys.argv[1:]
Moment(when, module, name).kill()
sys.exit(main())
"""
MOMENTS = [
    ("after", "pullrisk.pulls.sqlite", "SqliteStore.upsert"),
    ("after", "pullrisk.lake.writer", "FeatureWriter.write"),
    ("after", "pullrisk.train.tracking", "_log_epochs"),
]
"""One of each stage, with its work half done."""


class Home:
    """A home folder and the commands run on it, each in a process of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PULLRISK")}
        # One thread: several test processes share the cores, and OpenMP's waiting threads spin.
        return kept | {"PULLRISK_HOME": str(self.path), "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}

    def run(
        self, *arguments: str, code: int = 0, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        ran = run_forked(arguments, env=self.environment(), text=text, preload=TRAINING)
        assert ran.returncode == code, ran.stderr
        return ran

    def json(self, *arguments: str, text: str | None = None) -> Any:
        return json.loads(self.run(*arguments, "--json", "--quiet", text=text).stdout)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The latest of uv's pull requests, and all of Kedro's with its direct pushes."""
    path = tmp_path_factory.mktemp("files") / "uv.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(latest_lines(LATEST, repository=UV)), 1))
    return [str(path), str(sample_file(KEDRO))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def result(home: Home, files: list[str]) -> Any:
    """What `pullrisk run --json` said."""
    return home.json("run", "--file", *files)


def test_a_run_ends_with_an_evaluation_the_riskiest_and_a_report(result: Any) -> None:
    assert result["evaluation"]["positives"] > 10
    baselines = {
        "lines added",
        "code lines added",
        "logistic regression",
        "gradient boosting",
        "IsolationForest",
    }
    assert set(result["evaluation"]["models"]) == baselines | {"pullrisk"}
    assert result["evaluation"]["novelty"]["ours"]
    assert len(result["riskiest"]) == 10
    assert all(pull["brief"]["reasons"] for pull in result["riskiest"][:3])
    assert Path(result["report"]).is_file()


def test_no_repository_fills_the_list_while_others_have_some(result: Any) -> None:
    named = [pull["repository"] for pull in result["riskiest"]]
    assert {UV, KEDRO} == set(named)


def test_a_second_run_reads_and_replays_nothing(result: Any, home: Home, files: list[str]) -> None:
    fetched = home.json("fetch", "--file", *files)
    assert (fetched["read"], fetched["resumed"]) == (0, sum(map(lines_of, files)))
    assert home.json("preprocess")["run"] is None
    assert home.run("train", "--if-new").stdout.startswith("nothing new: version 1 was trained")


def test_a_merged_pull_has_the_same_score_from_store_and_file(
    result: Any, home: Home, files: list[str]
) -> None:
    line = latest_lines(100)[0].decode()
    reference = f"kedro-org/kedro#{json.loads(line)['number']}"
    stored = home.json("score", reference)
    assert stored == home.json("score", "--file", "-", text=line)
    assert stored[0]["basis"] == "row"


def test_an_open_pull_is_scored_with_what_is_known_now(
    result: Any, home: Home, files: list[str]
) -> None:
    found = home.json("score", "--file", "-", text=opened())[0]
    assert (found["state"], found["basis"]) == ("open", "history")
    assert 0 < found["risk"] < 1
    assert 0 <= found["novelty"] <= 100


def test_a_pull_of_an_unknown_repository_is_scored_and_the_reader_is_told(
    result: Any, home: Home, files: list[str]
) -> None:
    line = opened().replace("kedro-org/kedro", "some/where")
    ran = home.run("score", "--file", "-", text=line)
    assert "some/where" in ran.stdout
    assert "Not enough history" in ran.stdout
    assert "without any history" in ran.stderr


def test_scores_are_printed_as_aligned_text_in_a_pipe(result: Any, home: Home) -> None:
    shown = home.run("score", "--recent", "5", "--by-risk", "--no-explain").stdout
    *lines, note = shown.splitlines()
    assert (len(lines), note) == (6, "scored with the general model")
    assert "\t" not in shown
    assert "\x1b" not in shown
    place = lines[0].index("band")
    assert all(line[place:].split()[0] in {"low", "elevated", "high"} for line in lines[1:])
    risks = [float(re.search(r"([\d.]+) %", line)[1]) for line in lines[1:]]  # type: ignore[index]
    assert risks == sorted(risks, reverse=True)


def test_the_bands_follow_the_operating_points(
    result: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = home.json("score", "--recent", "200", "--no-explain")
    (home.path / "pullrisk.toml").write_text("[operating_points]\nhigh = 0.5\nelevated = 0.3\n")
    try:
        after = home.json("score", "--recent", "200", "--no-explain")
    finally:
        (home.path / "pullrisk.toml").unlink()
    counts = [sum(pull["band"] == "high" for pull in found) for found in (before, after)]
    assert counts[0] < counts[1]
    assert [pull["risk"] for pull in before] == [pull["risk"] for pull in after]


@pytest.fixture(scope="module")
def again(result: Any, home: Home) -> Any:
    """What `pullrisk evaluate --json` said when people had answered to five scores of the run."""
    with SqliteStore(home.path / "pulls.sqlite") as store:
        name = store.repositories()[0].repository
        merged = (pull for pull in store.events(name) if pull.state == "merged")
        for comment, pull in enumerate(islice(merged, 5)):
            said = Feedback(
                repository=name, number=pull.number, kind="missed", login="mara", at=pull.updated_at
            )
            save_feedback(store, "github.com", comment, said)
    return home.json("evaluate")


def test_evaluating_again_gives_the_same_figures(result: Any, again: Any, home: Home) -> None:
    assert again["models"]["pullrisk"] == result["evaluation"]["models"]["pullrisk"]
    registered = home.json("evaluate", "--model", "@challenger", "--since", "2026-01-01")
    assert 0 < registered["pulls"] < again["pulls"]


def test_an_evaluation_tells_what_people_said_beside_what_became_of_it(again: Any) -> None:
    (note,) = [note for note in again["notes"] if "people said" in note]
    assert note.startswith("people said 'missed' of 5 pulls: the outcome of ")


def test_everything_is_fresh_after_a_run(result: Any, home: Home) -> None:
    checks = {check["what"]: check for check in json.loads(home.run("doctor", "--json").stdout)}
    assert {checks[what]["state"] for what in ("pull store", "lake", "model", "tracking")} == {"ok"}


class Loads(HTMLParser):
    """Everything that a page would load, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in {"src", "href", "srcset", "data", "poster", "action", "xlink:href"}:
                self.loads.append(f"{tag} {name}={value}")


def test_the_report_loads_nothing_and_links_to_github_only(result: Any) -> None:
    text = Path(result["report"]).read_text(encoding="utf-8")
    page = Loads()
    page.feed(text)
    assert page.loads == []
    assert "url(" not in text
    assert "@import" not in text
    outside = [link for link in page.links if not link.startswith("#")]
    assert len(outside) >= 10
    assert all(re.fullmatch(r"https://github\.com/[^/]+/[^/]+/pull/\d+", one) for one in outside)


def test_the_report_holds_every_plot_and_the_figures_of_the_evaluation(result: Any) -> None:
    text = Path(result["report"]).read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    value = result["evaluation"]["models"]["pullrisk"]["ranking"]["pooled_auc"]["value"]
    assert f"{value:.3f}" in text
    assert "kedro-org/kedro" in text


def test_markup_in_a_title_stays_text_in_the_report(
    result: Any, home: Home, tmp_path: Path, files: list[str]
) -> None:
    pull = json.loads(opened()) | {"title": "<script>alert(1)</script>"}
    (tmp_path / "pull.jsonl").write_text(json.dumps(pull) + "\n")
    copy = Home(tmp_path / "home")
    subprocess.run(["cp", "-r", str(home.path), str(copy.path)], check=True)
    copy.run("fetch", "--quiet", "--file", str(tmp_path / "pull.jsonl"))
    copy.run("report", "--quiet", "--output", str(tmp_path / "r.html"))
    assert "<script>alert" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody else reads what a killed process kept half of: those are started, the rest forked.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "compiled"))
    (tmp_path / "kedro.jsonl").write_bytes(b"".join(sample_lines(FEW)))
    arguments = ["run", "--quiet", "--file", str(tmp_path / "kedro.jsonl")]
    undisturbed, killed = Home(tmp_path / "undisturbed"), Home(tmp_path / "killed")
    undisturbed.run(*arguments)
    for moment in MOMENTS:
        ran = subprocess.run(
            mortal([sys.executable, "-c", KILLED, *moment, *arguments]),
            env=killed.environment() | {"PYTHONPATH": str(TESTS)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == -signal.SIGKILL, ran.stderr
    killed.run(*arguments)
    assert scores(killed) == scores(undisturbed)


def scores(home: Home) -> Any:
    """Every stored pull's scores, which follow from store, lake and model."""
    return home.json("score", "--recent", "5000", "--no-explain")


def lines_of(file: str) -> int:
    with gzip.open(file) as lines:
        return sum(1 for _ in lines)


def opened(repository: str = KEDRO) -> str:
    """Its latest pull as GitHub describes one that is open, under a new number."""
    pull = rest_object_of(decode_line(latest_lines(1, repository=repository)[0]))
    pull |= {"number": 999_999, "merged_at": None, "closed_at": None, "state": "open"}
    return json.dumps(pull)
