"""The script that brings a new cluster to where Argo CD takes over."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from support.deploy.manifests import (
    APPS,
    ROOT,
    Object,
    of_kind,
    pods,
    render,
    render_with,
    values_at,
)
from support.deploy.vault import AUTHORITY

SCRIPT = APPS / "bootstrap.sh"
CHECKSUMS = APPS / "platform" / "checksums"
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
        [BIN / "shellcheck", "--enable=all", "--exclude=SC2250,SC2310,SC2312", SCRIPT],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("test",),
        ("staging", "--force"),
        ("staging", ""),
        ("staging", "--dry-run", "x"),
        ("--record-checksums", "--dry-run"),
    ],
)
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
    assert values["global"]["tlsDisable"] is False
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


def listed() -> list[dict[str, str]]:
    """The charts of Chart.yaml."""
    charts = yaml.safe_load((APPS / "platform" / "Chart.yaml").read_text())["dependencies"]
    assert isinstance(charts, list)
    return charts


def archive(chart: dict[str, str]) -> str:
    return f"{chart['name']}-{chart['version']}.tgz"


def checksums(path: Path = CHECKSUMS) -> dict[str, str]:
    """File → SHA-256, as the lines say."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    made = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert len(made) == len(lines)
    return made


def test_every_chart_and_manifest_is_of_one_exact_version() -> None:
    pulled = [words[words.index("helm") :] for words in commands() if "pull" in words]
    assert listed() == [
        {
            "name": words[2],
            "version": words[words.index("--version") + 1],
            "repository": words[words.index("--repo") + 1],
        }
        for words in pulled
    ]
    for chart in listed():
        assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])
    manifests = [words[-1] for words in commands() if words[0] == "curl"]
    assert len(manifests) == 2
    assert all(re.search(r"/v\d+\.\d+\.\d+/", url) for url in manifests)


def test_checksums_list_what_is_downloaded_and_nothing_else() -> None:
    manifests = [words[words.index("--output") + 1] for words in commands() if words[0] == "curl"]
    wanted = {archive(chart) for chart in listed()} | {PurePosixPath(one).name for one in manifests}
    assert set(checksums()) == wanted, "argo-apps/bootstrap.sh --record-checksums"
    for digest in checksums().values():
        assert re.fullmatch(r"[0-9a-f]{64}", digest)


def test_only_files_that_were_compared_are_installed() -> None:
    lines = planned()
    compared = next(at for at, line in enumerate(lines) if "sha256sum --check --strict" in line)
    for words in (shlex.split(line) for line in lines[:compared]):
        assert words[0] in {"rm", "mkdir", "curl"}
    applied = {
        word for line in lines[compared:] for word in shlex.split(line) if "build/platform/" in word
    }
    assert applied == {f"build/platform/{name}" for name in checksums() if "traefik" not in name}
    assert "https://" not in "".join(lines[compared:])


def test_mlflow_is_of_the_version_that_the_images_speak() -> None:
    pinned = re.search(r"^mlflow==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert f"MLFLOW={pinned[1]} " in SCRIPT.read_text()
    (line,) = [one for one in planned() if " --install mlflow " in one]
    # the image's tags have no v, unlike MLflow's own
    assert f" --set image.tag={pinned[1]} " in line
    assert f" --set initImages.mlflowDbMigration.tag={pinned[1]}" in line


@pytest.mark.parametrize("host", ["mlflow.mlflow.svc", "mlflow.mlflow.svc:80", "localhost:5000"])
def test_mlflow_answers_by_the_names_that_it_is_asked_by(host: str) -> None:
    security = pytest.importorskip("mlflow.server.security_utils")
    values = yaml.safe_load((APPS / "platform" / "mlflow.yaml").read_text())
    assert security.is_allowed_host_header(values["serverAllowedHosts"], host)
    assert "http://mlflow.mlflow.svc`" in (ROOT / "docs" / "operations.md").read_text()


PROGRAMS = {
    # What helm refuses: a folder that is not there, a chart or version that is unknown.
    "helm": """
        die() { echo "Error: $1" >&2; exit 1; }
        if [[ $1 == pull ]]; then
          [[ $3 == --repo && $5 == --version && $7 == --destination && $# == 8 ]] || die "flags"
          [[ -d $8 ]] || die "open $8: no such file or directory"
          [[ -f $OFFERED/$2-$6.tgz ]] || die "chart $2 version $6 not found in $4 repository"
          cp "$OFFERED/$2-$6.tgz" "$8/$2-v$6.tgz"
        else
          [[ $1 == upgrade && $2 == --install && -f $4 ]] || die "$4 not found"
        fi""",
    "curl": """
        [[ ${@: -3:1} == --output ]] || exit 1
        cp "$OFFERED/$(basename "${@: -2:1}")" "${@: -2:1}" """,
    "kubectl": """
        if [[ " $* " == *" --filename - "* ]]; then cat >/dev/null; fi""",
    "doctl": "",
}
"""Stand-ins that write down how they were called; the one that FAIL names fails."""


@dataclass
class Copy:
    """A copy of the script and what it applies; the folder `offered` is the world outside."""

    root: Path
    offered: Path

    @property
    def called(self) -> list[str]:
        log = self.root / "called"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def checksums(self) -> Path:
        return self.root / "argo-apps" / "platform" / "checksums"

    def run(self, *arguments: str, fail: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "CALLED": str(self.root / "called"),
            "OFFERED": str(self.offered),
            "FAIL": fail,
        }
        return subprocess.run(
            [self.root / "argo-apps" / "bootstrap.sh", *arguments],
            capture_output=True,
            text=True,
            env=environment,
        )

    def raise_version(self, chart: str, version: str) -> str:
        """Ask for another version, which is offered; returns its archive's name."""
        path = self.root / "argo-apps" / "platform" / "Chart.yaml"
        (one,) = [each for each in listed() if each["name"] == chart]
        path.write_text(
            path.read_text().replace(f"version: {one['version']}", f"version: {version}")
        )
        (self.offered / f"{chart}-{version}.tgz").write_text(version)
        return f"{chart}-{version}.tgz"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "copy", tmp_path / "offered")
    for folder in ("platform", "clusters", "overlays"):
        shutil.copytree(APPS / folder, made.root / "argo-apps" / folder)
    shutil.copy(SCRIPT, made.root / "argo-apps")
    (made.root / "bin").mkdir()
    for name, does in PROGRAMS.items():
        program = made.root / "bin" / name
        fails = f"[[ ${{FAIL:-}} != {name} ]] || exit 1\n"
        program.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "$CALLED"\n{fails}{does}\n')
        program.chmod(0o755)
    made.offered.mkdir()
    lines = []
    for name in checksums():
        (made.offered / name).write_text(f"what {name} holds")
        digest = hashlib.sha256((made.offered / name).read_bytes()).hexdigest()
        lines.append(f"{digest}  {name}\n")
    made.checksums.write_text("# as they were looked at\n" + "".join(lines))
    return made


def test_values_for_mlflow_are_handed_on(tmp_path: Path) -> None:
    given = {"PATH": os.environ["PATH"], "MLFLOW_VALUES": "mlflow.yaml"}
    done = run("staging", "--dry-run", environment=given)
    (line,) = [one for one in done.stdout.splitlines() if " --install mlflow " in one]
    assert line.endswith(" --values mlflow.yaml")
    assert done.stderr == ""
    assert "MLFLOW_VALUES" in run("staging", "--dry-run").stderr


def test_every_file_that_is_applied_is_there() -> None:
    for words in commands():
        for word in words:
            if word.startswith("argo-apps/"):
                assert (ROOT / word).exists()


def test_what_is_run_is_what_the_dry_run_says(copy: Copy) -> None:
    done = copy.run("production")
    assert done.returncode == 0, done.stderr
    parts = [part for line in planned("production") for part in re.split(r" \| | && ", line)]
    wanted = [" ".join(shlex.split(part)) for part in parts]
    assert sorted(copy.called) == sorted(
        part for part in wanted if part.startswith(tuple(f"{name} " for name in PROGRAMS))
    )


@pytest.mark.parametrize("program", ["helm", "curl", "doctl"])
def test_it_stops_at_the_first_failure(copy: Copy, program: str) -> None:
    assert copy.run("staging", fail=program).returncode != 0
    assert sum(line.startswith(f"{program} ") for line in copy.called) == 1
    assert not any("--kustomize" in line for line in copy.called)


@pytest.mark.parametrize("name", checksums())
def test_a_file_that_is_not_the_one_that_was_looked_at_stops_all(copy: Copy, name: str) -> None:
    (copy.offered / name).write_text("something else")
    done = copy.run("staging")
    assert done.returncode == 3
    assert f"{name}: FAILED" in done.stdout
    assert "the downloads are not the files that argo-apps/platform/checksums lists" in done.stderr
    assert all(line.startswith(("helm pull ", "curl ")) for line in copy.called)


@pytest.mark.parametrize("arguments", [("staging",), ("production", "--dry-run")])
def test_a_file_without_a_line_is_not_even_downloaded(
    copy: Copy, arguments: tuple[str, ...]
) -> None:
    name = copy.raise_version("vault", "9.9.9")
    done = copy.run(*arguments)
    assert done.returncode == 3
    assert f"checksums has no line for {name}" in done.stderr
    assert "--record-checksums" in done.stderr
    assert copy.called == []


def test_a_line_that_is_no_checksum_is_refused(copy: Copy) -> None:
    copy.checksums.write_text(
        re.sub(r"\b[0-9a-f]{64}  vault", "none  vault", copy.checksums.read_text())
    )
    assert copy.run("staging").returncode == 3
    assert not any(line.startswith("kubectl ") for line in copy.called)


def test_missing_lines_are_recorded_and_stale_ones_go(copy: Copy) -> None:
    before = checksums(copy.checksums)
    name = copy.raise_version("vault", "9.9.9")
    done = copy.run("--record-checksums")
    assert done.returncode == 0, done.stderr
    after = checksums(copy.checksums)
    assert copy.checksums.read_text().startswith("# as they were looked at\n")
    assert set(after) - set(before) == {name}
    assert after[name] == hashlib.sha256(b"9.9.9").hexdigest()
    assert {one.partition("-")[0] for one in set(before) - set(after)} == {"vault"}
    assert all(after[one] == before[one] for one in set(before) & set(after))
    assert all(line.startswith(("helm pull ", "curl ")) for line in copy.called)
    assert copy.run("staging").returncode == 0


def test_a_line_of_another_version_is_refused(copy: Copy) -> None:
    with copy.checksums.open("a") as lines:
        lines.write(f"{'0' * 64}  vault-0.0.1.tgz\n")
    done = copy.run("staging")
    assert done.returncode == 3
    assert "vault-0.0.1.tgz: FAILED open or read" in done.stdout


def test_a_line_that_was_looked_at_is_not_recorded_anew(copy: Copy) -> None:
    name = archive(listed()[0])
    before = checksums(copy.checksums)[name]
    (copy.offered / name).write_text("something else")
    done = copy.run("--record-checksums")
    assert done.returncode == 3
    assert f"{name}: FAILED" in done.stdout
    assert checksums(copy.checksums)[name] == before


OPT_IN = "  - ../../components/{}\n"


@pytest.mark.parametrize(
    ("lines", "installed"),
    [
        (OPT_IN.format("pages"), True),
        (OPT_IN.format("webhooks"), True),
        (OPT_IN.format("webhooks") + OPT_IN.format("pages"), True),
        (OPT_IN.format("spark-executors"), False),
        ("  # - ../../components/pages\n", False),
        ("", False),
    ],
)
def test_what_ends_tls_is_installed_where_somebody_outside_is_let_in(
    copy: Copy, lines: str, installed: bool
) -> None:
    with (copy.root / "argo-apps/overlays/staging/kustomization.yaml").open("a") as overlay:
        overlay.write(lines)
    done = copy.run("staging")
    assert done.returncode == 0, done.stderr
    own = [line for line in copy.called if "traefik " in line and "pull" not in line]
    if not installed:
        assert own == []
        return
    name = next(one for one in checksums() if one.startswith("traefik-"))
    assert own[0].startswith("kubectl create namespace traefik")
    assert f"helm upgrade --install traefik build/platform/{name} --namespace traefik" in own[1]
    issuer = "kubectl apply --server-side --filename argo-apps/platform/letsencrypt.yaml"
    assert copy.called.index(issuer) > copy.called.index(own[1])
    assert not any("letsencrypt" in line for line in copy.run("production").stdout.splitlines())


@pytest.mark.parametrize("component", ["pages", "webhooks"])
def test_the_components_ask_for_the_proxy_and_the_issuer_that_are_installed(component: str) -> None:
    (issuer,) = yaml.safe_load_all((APPS / "platform" / "letsencrypt.yaml").read_text())
    objects = render_with(component)
    (ingress,) = of_kind(objects, "Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["cert-manager.io/cluster-issuer"] == issuer["metadata"]["name"]
    assert ingress["spec"]["ingressClassName"] == "traefik"
    (solver,) = issuer["spec"]["acme"]["solvers"]
    assert solver == {"http01": {"ingress": {"ingressClassName": "traefik"}}}
    # cert-manager's pods for it, in the Ingress's namespace, where nothing is let in by default
    (policy,) = (
        one["spec"]
        for one in of_kind(objects, "NetworkPolicy")
        if one["metadata"]["name"] == f"{component}-certificate"
    )
    assert policy["podSelector"]["matchLabels"] == {"acme.cert-manager.io/http01-solver": "true"}
    (way,) = policy["ingress"]
    assert way["ports"] == [{"protocol": "TCP", "port": 8089}]
    (proxy,) = way["from"]
    assert [*values_at(proxy, "namespaceSelector", "matchLabels")] == [
        {"kubernetes.io/metadata.name": "traefik"}
    ]


def test_a_missing_program_is_named_before_anything_is_done(tmp_path: Path) -> None:
    for name in ("awk", "bash", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "env").symlink_to("/usr/bin/env")
    done = run("staging", environment={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr == "error: kubectl is not installed\n"
    assert done.stdout == ""
