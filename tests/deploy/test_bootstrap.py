"""The script that brings a new cluster to where Argo CD takes over."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from support.deploy.manifests import APPS, ROOT, Object, of_kind, pods, render, values_at
from support.deploy.vault import AUTHORITY

SCRIPT = APPS / "bootstrap.sh"
BIN = Path(sys.executable).parent
OPTIONS = re.compile(r"--[a-z-]+")


def run(
    *arguments: str, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        env=environment or {"PATH": os.environ["PATH"]},
    )


def planned(environment: str = "staging") -> list[str]:
    done = run(environment, "--dry-run")
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("+ ") for line in done.stdout.splitlines()]


def commands() -> list[list[str]]:
    return [shlex.split(part) for line in planned() for part in line.split(" | ")]


def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(
        [BIN / "shellcheck", "--enable=all", "--exclude=SC2250,SC2312", SCRIPT],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [(), ("test",), ("staging", "--force"), ("staging", "", "x")])
def test_a_wrong_command_line_is_refused(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_git_decides_at_the_end(environment: str) -> None:
    last = shlex.split(planned(environment)[-1])
    folder = ROOT / last[last.index("--kustomize") + 1]
    assert folder == APPS / "clusters" / environment
    assert {one["kind"] for one in render(folder)} == {"AppProject", "Application"}


def test_every_option_of_kubectl_exists() -> None:
    for words in commands():
        if words[0] != "kubectl":
            continue
        verb = words[1:3] if words[1] == "create" else words[1:2]
        shown = [
            subprocess.run([BIN / "kubectl", *each], capture_output=True, text=True).stdout
            for each in ([*verb, "--help"], ["options"])
        ]
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= set(OPTIONS.findall("".join(shown))), words


def test_a_namespace_is_what_kubectl_makes_of_the_command() -> None:
    made = []
    for words in commands():
        if words[:3] == ["kubectl", "create", "namespace"]:
            done = subprocess.run([BIN / "kubectl", *words[1:]], capture_output=True, text=True)
            made.append(yaml.safe_load(done.stdout)["metadata"]["name"])
    assert len(made) == len(set(made)) >= 7


def test_every_namespace_that_a_policy_names_is_made(base: list[Object]) -> None:
    made = {words[3] for words in commands() if words[:3] == ["kubectl", "create", "namespace"]}
    policies = [one["spec"] for one in of_kind(base, "NetworkPolicy")]
    named = set()
    for way in (("egress", "to"), ("ingress", "from")):
        for labels in values_at(policies, *way, "namespaceSelector", "matchLabels"):
            named |= (
                {labels["kubernetes.io/metadata.name"]}
                if "pullrisk/client" not in labels
                else set()
            )
    assert named - {"kube-system"} <= made


def test_the_pull_secret_is_the_one_that_the_service_accounts_name(base: list[Object]) -> None:
    made = [words for words in commands() if words[0] == "doctl"]
    named = {
        name
        for account in of_kind(base, "ServiceAccount")
        for name in values_at(account["imagePullSecrets"], "name")
    }
    assert {words[words.index("--name") + 1] for words in made} == named
    assert {words[words.index("--namespace") + 1] for words in made} == {
        one["metadata"]["namespace"] for one in of_kind(base, "ServiceAccount")
    }


def test_pods_find_the_authority_of_vault_s_and_mongodb_s_certificates(base: list[Object]) -> None:
    made = [words for words in commands() if words[:3] == ["kubectl", "create", "configmap"]]
    spaces = {pod.namespace for pod in pods(base)}
    assert {words[words.index("--namespace") + 1] for words in made} == spaces
    for words in made:
        assert words[3] == "authorities"
        assert f"--from-file={PurePosixPath(AUTHORITY).name}=/dev/stdin" in words


def test_vault_and_mongodb_take_no_connection_without_tls() -> None:
    platform = {
        path.stem: list(yaml.safe_load_all(path.read_text()))
        for path in (APPS / "platform").glob("*.yaml")
    }
    (values,), (mongodb,) = platform["vault"], platform["mongodb"]
    made = {
        (one["metadata"]["namespace"], one["spec"]["secretName"]): one["spec"]
        for one in of_kind(platform["certificates"], "Certificate")
    }
    assert values["global"]["tlsDisabled"] is False
    assert "tls_disable" not in values["server"]["ha"]["raft"]["config"]
    (volume,) = values["server"]["volumes"]
    assert "vault.vault.svc" in made["vault", volume["secret"]["secretName"]]["dnsNames"]
    tls = mongodb["spec"]["security"]["tls"]
    assert tls["enabled"] is True
    assert "optional" not in tls
    named = {tls[name]["name"] for name in ("certificateKeySecretRef", "caCertificateSecretRef")}
    assert [f"mongodb/{name}" for name in named] == ["mongodb/mongodb-certificate"]
    assert "mongodb-svc.mongodb.svc" in made["mongodb", "mongodb-certificate"]["dnsNames"]


def test_the_store_s_address_in_the_page_is_one_with_tls() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    addresses = re.findall(r"mongodb://\S+mongodb\.svc\S+", page)
    assert addresses
    for address in addresses:
        options = parse_qs(urlsplit(address.rstrip("`.")).query)
        assert options["tls"] == ["true"]
        assert options["tlsCAFile"] == [AUTHORITY]


def test_every_chart_and_manifest_is_of_one_exact_version() -> None:
    charts = [words for words in commands() if words[0] == "helm"]
    listed = yaml.safe_load((APPS / "platform" / "Chart.yaml").read_text())["dependencies"]
    installed = [
        {"name": words[4], "version": words[-1], "repository": words[-2]}
        for words in (
            [*each, each[each.index("--repo") + 1], each[each.index("--version") + 1]]
            for each in charts
        )
    ]
    assert installed == listed
    for chart in listed:
        assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])
    files = [word for words in commands() for word in words if word.startswith("https://")]
    remote = [file for file in files if file.endswith(".yaml")]
    assert len(remote) == 2
    assert all(re.search(r"/v\d+\.\d+\.\d+/", file) for file in remote)


def test_mlflow_is_of_the_version_that_the_images_speak() -> None:
    pinned = re.search(r"^mlflow==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert f"MLFLOW={pinned[1]} " in SCRIPT.read_text()


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """Programs that write down how they were called; `helm` and the check fail where FAIL says."""
    for name in ("kubectl", "helm", "doctl", "curl", "sha256sum"):
        program = tmp_path / name
        fails = f"[[ ${{FAIL:-}} != {name} ]] || exit 1\n"
        program.write_text(
            "#!/usr/bin/env bash\n"
            'if [[ " $* " == *" --filename - "* || $* == --check* ]]; then cat >/dev/null; fi\n'
            f'echo "{name} $*" >> "$CALLED"\n{fails}'
        )
        program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLED": str(tmp_path / "called")}


def test_values_for_mlflow_are_handed_on(tmp_path: Path) -> None:
    given = {"PATH": os.environ["PATH"], "MLFLOW_VALUES": "mlflow.yaml"}
    done = run("staging", "--dry-run", environment=given)
    (line,) = [one for one in done.stdout.splitlines() if " mlflow mlflow " in one]
    assert line.endswith(" --values mlflow.yaml")
    assert done.stderr == ""
    assert "MLFLOW_VALUES" in run("staging", "--dry-run").stderr


def test_every_file_that_is_applied_is_there() -> None:
    for words in commands():
        for word in words:
            if word.startswith("argo-apps/"):
                assert (ROOT / word).exists()


def test_what_is_run_is_what_the_dry_run_says(programs: dict[str, str]) -> None:
    done = run("production", environment=programs)
    assert done.returncode == 0, done.stderr
    called = sorted(Path(programs["CALLED"]).read_text().splitlines())
    parts = [part for line in planned("production") for part in line.split(" | ")]
    wanted = [" ".join(shlex.split(part)) for part in parts if not part.startswith("echo ")]
    assert called == sorted(wanted)


def test_it_stops_at_the_first_failure(programs: dict[str, str]) -> None:
    done = run("staging", environment=programs | {"FAIL": "helm"})
    assert done.returncode != 0
    called = Path(programs["CALLED"]).read_text()
    assert called.count("helm ") == 1
    assert "--kustomize" not in called


def test_a_manifest_that_is_not_the_one_that_was_looked_at_is_not_applied(
    programs: dict[str, str],
) -> None:
    assert run("staging", environment=programs | {"FAIL": "sha256sum"}).returncode != 0
    called = Path(programs["CALLED"]).read_text()
    assert "curl " in called
    assert "--namespace argocd" not in called


def test_a_missing_program_is_named_before_anything_is_done(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(
            f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/bin/{name}"
        )
    (tmp_path / "env").symlink_to("/usr/bin/env")
    done = run("staging", environment={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr == "error: kubectl is not installed\n"
    assert done.stdout == ""
