"""What the documents name exists, and what is generated is up to date."""

import json
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest

from pullrisk.cli.app import COMMANDS, load
from pullrisk.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample/*.md")]
    if path.name != "cli.md"
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(pullrisk [^`\n]+)`")


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    benchmarks = {f"bench-{path.stem}" for path in (ROOT / "benchmarks").glob("*.py")}
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)) | benchmarks


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [
        link
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z_-]+)", text))
    named |= {
        name for code in FENCE.findall(text) for name in re.findall(r"^make ([a-z_-]+)", code, re.M)
    }
    assert named <= targets()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_command_and_option_in_an_example_or_a_sentence_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    examples = [
        line.split(" #")[0].split("|")[0].strip().lstrip("$ ")
        for code in FENCE.findall(text)
        for line in code.splitlines()
    ]
    said = [] if page.name == "CHANGELOG.md" else SPAN.findall(text)  # it names what is gone
    for example in [*examples, *said]:
        words = example.split()
        if words[:1] != ["pullrisk"] or not re.match(r"[a-z]", "".join(words[1:2])):
            continue
        assert words[1] in COMMANDS, example
        command = load(words[1])
        command = getattr(command, "commands", {}).get("".join(words[2:3]), command)
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word.split("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help"}, example


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_settings_file_and_every_json_in_an_example_is_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for code in re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        Settings(**tomllib.loads(code))
    for code in re.findall(r"^ *```json\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        json.loads(code)
    assert not re.search(r"^ *```(bash|shell|console|zsh)$", text, re.MULTILINE), (
        "say sh: it is run"
    )


def test_make_help_lists_every_target_or_its_family_in_at_most_25_lines() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = re.findall(r"^  make ([A-Za-z-]+)", shown, re.MULTILINE)
    assert len(listed) <= 25
    families = tuple(name.removesuffix("NAME") for name in listed if name.endswith("NAME"))
    assert {name for name in targets() if not name.startswith(families)} <= set(listed)


def test_the_command_line_reference_is_what_the_commands_say() -> None:
    generated = runpy.run_path(str(ROOT / "tools" / "generate_cli.py"))["page"]()
    assert generated == (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), "run: make docs"


@pytest.mark.filterwarnings("ignore:.*Reserved kwarg:DeprecationWarning")  # of Litestar, to us
@pytest.mark.parametrize("page", ["configuration", "http", "python", "settings"])
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    generated = runpy.run_path(str(ROOT / "tools" / f"generate_{page}.py"))["page"]()
    written = (ROOT / "docs/reference" / f"{page}.md").read_text(encoding="utf-8")
    assert generated == written, "run: make docs"


def test_the_tree_of_the_readme_names_every_folder_and_nothing_else() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = readme[readme.index("├─ Makefile") : readme.index("```\n\n[Architecture]")]
    named = re.findall(r"^[├└]─ (\S+)", tree, re.MULTILINE)
    inside = re.findall(r"^│  [├└]─ (\S+)", tree, re.MULTILINE)
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [name for name in inside if not (ROOT / "src/pullrisk" / name).exists()] == []
    listed = ["git", "ls-files", "*/*"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [path.split("/") for path in files.stdout.splitlines() if not path.startswith(".")]
    assert {f"{parts[0]}/" for parts in paths} - {"src/"} <= set(named)
    packages = {parts[2] for parts in paths if parts[:2] == ["src", "pullrisk"] and parts[3:]}
    assert {f"{package}/" for package in packages} <= set(inside)


def test_the_way_of_one_pull_in_the_architecture_names_files_that_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    way = page[page.index("## The way of one pull request") : page.index("## Five ideas")]
    files = re.findall(r"`([a-z_/]+\.py)`", way)
    assert len(re.findall(r"^\d+\.", way, re.MULTILINE)) <= 12
    assert [name for name in files if not (ROOT / "src/pullrisk" / name).is_file()] == []
    assert files


def test_the_readme_is_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_constraints_name_one_exact_version_each() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)
    ]
    assert wrong == []


def test_the_sample_is_large_enough_to_learn_from_and_small_enough_to_carry() -> None:
    files = list((ROOT / "sample").glob("*.jsonl.gz"))
    assert len(files) >= 3
    assert sum(file.stat().st_size for file in files) <= 6_000_000
