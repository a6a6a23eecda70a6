"""The steps of `make test-cluster`, each where it can run here."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest

from cluster import __main__ as tool
from cluster import checks, images, installing, safety, servers, state
from cluster.inside import client as client_program
from cluster.inside import git_server
from cluster.kubectl import BrokenError, ClusterError, Kubectl, until
from cluster.repository import OVERLAY, ROOT, Desired, Repository
from support.deploy import rules
from support.deploy.manifests import Object, of_kind, pods, render
from support.deploy.program import settings_of
from support.deploy.schema import OLDEST, definitions, have_definitions
from support.loopback import Handler, Loopback

SERVING = ("localhost/model-serving:1", "localhost/model-serving:2")
SPARK = ("example.org/spark-preprocess@sha256:" + "1" * 64,)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(
        tmp_path / "repository",
        {"model-serving": SERVING, "spark-preprocess": SPARK},
        {"locust": "localhost/locust:1"},
    )
    found.start()
    return found


def rendered(repository: Repository, desired: Desired) -> list[Object]:
    repository.write(desired)
    return render(repository.folder / OVERLAY)


def rollout_of(objects: list[Object]) -> Object:
    (found,) = of_kind(objects, "Rollout")
    return found


def cron(objects: list[Object], name: str) -> Object:
    return next(one for one in of_kind(objects, "CronJob") if one["metadata"]["name"] == name)


# The repository that Argo CD reads


def test_the_overlay_breaks_no_rule_but_those_about_images(repository: Repository) -> None:
    found = rules.violations(rendered(repository, Desired()))
    kept = {"images", "batch", "network"}
    assert {one.rule for one in found} <= kept, found
    # a stage with an image stays suspended: the test starts it; the bucket is in the cluster
    assert {one.why for one in found if one.rule == "batch"} <= {
        "is suspended though its stage has an image"
    }


def test_images_are_those_of_the_release_and_executors_run_their_drivers(
    repository: Repository,
) -> None:
    for release, image in ((1, SERVING[0]), (2, SERVING[1]), (3, SERVING[1])):
        objects = rendered(repository, Desired(release=release))
        used = {one["image"] for pod in pods(objects) for one in pod.containers}
        assert {image, *SPARK, "localhost/locust:1"} <= used
        template = rollout_of(objects)["spec"]["template"]
        assert template["metadata"]["annotations"] == {"pullrisk/release": str(release)}
        driver = next(pod for pod in pods(objects) if pod.where == "CronJob/spark-preprocess")
        spark = settings_of(driver, objects).spark
        assert (spark.image, spark.executors) == (SPARK[0], 2)
        assert spark.conf["spark.kubernetes.executor.request.cores"] == "100m"
        assert spark.conf["spark.authenticate"] == "true"


def test_a_commit_changes_what_it_is_asked_to(repository: Repository) -> None:
    first = rendered(repository, Desired())
    other = rendered(repository, Desired(schedule="7 * * * *", touched=3, wrong=True))
    assert rollout_of(first) == rollout_of(other)
    assert cron(other, "data-fetch")["spec"]["schedule"] == "7 * * * *"
    assert {one["metadata"]["annotations"]["pullrisk/touched"] for one in of_kind(other, "Service")}
    maps = [
        next(one for one in of_kind(objects, "ConfigMap") if "expected.json" in one.get("data", {}))
        for objects in (first, other)
    ]
    assert maps[0] != maps[1]


def test_the_load_test_has_thresholds_for_a_small_machine(repository: Repository) -> None:
    templates = of_kind(rendered(repository, Desired()), "AnalysisTemplate")
    (load,) = [one for one in templates if one["metadata"]["name"] == "serving-load"]
    variables = [(one["name"], one["value"]) for one in next(pods([load])).containers[0]["env"]]
    assert len(dict(variables)) == len(variables)
    assert (
        dict(variables).items()
        >= {
            "PULLRISK_TEST_P50_MS": "250",
            "PULLRISK_TEST_P95_MS": "1000",
            "PULLRISK_TEST_P99_MS": "2500",
            "PULLRISK_TEST_FAILURES": "0",
        }.items()
    )


def test_going_back_is_the_same_manifest_again(repository: Repository) -> None:
    first = rendered(repository, Desired())
    rendered(repository, Desired(release=2, wrong=True))
    assert rendered(repository, Desired()) == first


def test_stages_without_an_image_stay_suspended(repository: Repository) -> None:
    objects = rendered(repository, Desired())
    for name in ("data-fetch", "ml-training", "monitor"):
        assert cron(objects, name)["spec"]["suspend"] is True


@pytest.fixture
def git() -> Iterator[str]:
    """The program of the pod, here."""
    server = git_server.Server(("127.0.0.1", 0), git_server.Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def put(url: str, repository: Repository, commit: str) -> None:
    answer = httpx.put(
        f"{url}/repository", params={"commit": commit}, content=repository.pack(commit)
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("protocol", ["0", "2"])
def test_git_clones_and_fetches_what_was_put_into_the_server(
    git: str, repository: Repository, tmp_path: Path, protocol: str
) -> None:
    def run(*words: str) -> str:
        command = ["git", "-c", f"protocol.version={protocol}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    clone = str(tmp_path / "clone")
    commits = []
    for number in (1, 2, 3):
        commits.append(repository.commit(Desired(touched=number), f"Commit {number}"))
        put(git, repository, commits[-1])
        if number == 1:
            run("clone", "--quiet", f"{git}/pullrisk.git", clone)
        else:
            run("-C", clone, "fetch", "--quiet", "origin", "--tags", "--force", "--prune")
        assert run("-C", clone, "rev-parse", "origin/staging").strip() == commits[-1]
    assert run("-C", clone, "rev-list", "origin/staging").split() == commits[::-1]
    run("-C", clone, "checkout", "--quiet", commits[-1])
    assert render(Path(clone) / OVERLAY)
    # what Argo CD resolved a moment before the branch moved on
    late = str(tmp_path / "late")
    run("init", "--quiet", late)
    run("-C", late, "fetch", "--quiet", f"{git}/pullrisk.git", commits[0])
    assert run("-C", late, "rev-parse", "FETCH_HEAD").strip() == commits[0]
    told = run("ls-remote", f"{git}/pullrisk.git")
    assert {line.split()[1] for line in told.splitlines()} == {"HEAD", "refs/heads/staging"}


# What runs in the cluster beside it


def test_the_servers_manifests_are_valid() -> None:
    made = [
        *servers.vault("a:1"), *servers.mongo("a:1"), *servers.s3("a:1"), *servers.git("a:1"),
        *servers.client("a:1", "{}"), *servers.prometheus(), servers.namespace("a", b="c"),
    ]  # fmt: skip
    for one in made:
        if not one["apiVersion"].startswith("monitoring.coreos.com"):
            kubernetes_validate.validate(one, OLDEST, strict=True)
    wide = {
        (one["kind"].lower(), one["metadata"]["name"])
        for one in made
        if one["kind"].startswith("ClusterRole")
    }
    assert wide == set(servers.CLUSTER_WIDE)


def test_vault_holds_every_secret_that_a_stage_requires() -> None:
    from pullrisk.secrets.names import STAGES

    for stage in ("data-fetch", "spark-preprocess", "model-serving"):
        assert STAGES[stage].missing(installing.secrets_of(stage)) == ()


def test_the_controllers_are_those_of_the_bootstrap_script() -> None:
    script = (ROOT / "argo-apps" / "bootstrap.sh").read_text()
    for name, one in {one.name: one for one in installing.controllers({})}.items():
        pinned = installing.pinned_versions(script).get(name.upper().replace("-", "_"))
        assert pinned is None or f"/{pinned}/" in one.manifest
    chosen = {one.name: one for one in installing.controllers({"argo-cd": "present"})}
    assert chosen["argo-cd"].manifest == installing.PRESENT
    with pytest.raises(ClusterError, match="nothing is called flux"):
        installing.controllers({"flux": "present"})


def test_the_application_reads_the_repository_inside() -> None:
    kubectl = Kubectl("none")
    made = installing.application(
        ROOT / "argo-apps" / "clusters" / "staging", kubectl, "http://10.0.0.1/a.git"
    )
    kinds = {one["kind"]: one["spec"] for one in made}
    assert kinds["AppProject"]["sourceRepos"] == ["http://10.0.0.1/a.git"]
    assert kinds["Application"]["source"] == {
        "repoURL": "http://10.0.0.1/a.git",
        "path": OVERLAY,
        "targetRevision": git_server.BRANCH.rpartition("/")[2],
    }


def test_what_is_present_is_neither_started_nor_taken_away(program: Path) -> None:
    kubectl = Kubectl("kind-test", str(program))
    images_of = servers.default_images()
    chosen = dict.fromkeys(("vault", "mongodb", "s3", "monitoring"), "present")
    installing.start_servers(kubectl, images_of, "a:1", chosen | {"s3": "own.yaml"})
    installing.remove_servers(kubectl, chosen)
    called = (program.parent / "called").read_text().splitlines()
    assert any(
        line.endswith("--namespace s3 apply --server-side --filename own.yaml") for line in called
    )
    assert not any("--namespace vault" in line or "namespace mongodb" in line for line in called)
    assert any("delete namespace git " in line for line in called)


@pytest.mark.parametrize(
    ("address", "url"),
    [("10.0.0.1", "http://10.0.0.1/pullrisk.git"), ("fd00::1", "http://[fd00::1]/pullrisk.git")],
)
def test_the_repository_has_an_address_that_needs_no_dns(
    program: Path, address: str, url: str
) -> None:
    (program.parent / "answer").write_text(json.dumps({"spec": {"clusterIP": address}}))
    assert installing.git_url(Kubectl("kind-test", str(program))) == url


class Answers(Handler):
    """200, but 503 for what holds "bad"."""

    def do_POST(self) -> None:
        self.answer(503 if b"bad" in self.body() else 200, self.headers["Authorization"].encode())


def test_the_client_tells_failures_from_answers() -> None:
    with Loopback(Answers) as server:
        assert client_program.ask(server.url, "key", b"good") == ""
        assert client_program.ask(server.url, "key", b"bad") == "503 Bearer key"
    assert "refused" in client_program.ask(server.url, "key", b"good")


# What the cluster says


def test_a_commit_is_applied_when_the_sync_says_so() -> None:
    synced = {"sync": {"status": "Synced", "revision": "b"}}
    done = {"operationState": {"phase": "Succeeded", "syncResult": {"revision": "a"}}}
    assert state.is_applied({"status": synced}, "b")
    assert state.is_applied({"status": {**done, "sync": {"status": "OutOfSync"}}}, "a")
    assert not state.is_applied({"status": done}, "b")
    running = {"operationState": {"phase": "Running", "syncResult": {"revision": "a"}}}
    assert not state.is_applied({"status": running}, "a")
    assert not state.is_applied({}, "a")


def waiting(**blue: object) -> Any:
    passed = {"prePromotionAnalysisRunStatus": {"status": "Successful"}, "activeSelector": "old"}
    return {
        "metadata": {"generation": 4},
        "status": {
            "phase": "Paused",
            "observedGeneration": "4",
            "currentPodHash": "new",
            "blueGreen": passed | blue,
        },
    }


def test_a_rollout_waits_for_a_person_only_after_its_analysis() -> None:
    assert state.waits_for_a_person(waiting())
    assert not state.waits_for_a_person(
        waiting(prePromotionAnalysisRunStatus={"status": "Running"})
    )
    assert not state.waits_for_a_person(waiting(activeSelector="new"))
    assert state.is_settled(waiting())
    assert not state.is_settled(waiting() | {"metadata": {"generation": 5}})


def test_traffic_goes_to_pods_that_are_ready() -> None:
    def endpoint(name: str, *, ready: bool) -> Any:
        return {"conditions": {"ready": ready}, "targetRef": {"name": name}}

    slices = [{"endpoints": [endpoint("a", ready=True), endpoint("b", ready=False)]}, {}]
    assert state.targets(slices) == {"a"}


def test_local_clusters_are_told_from_others() -> None:
    assert safety.is_local("kind-kind", "https://127.0.0.1:4711")
    assert safety.is_local("mine", "https://localhost:6443")
    assert not safety.is_local("do-fra1-pullrisk", "https://x.k8s.ondigitalocean.com")


def test_only_an_empty_cluster_is_touched() -> None:
    names = ("default", "kube-system", "argocd", "shop", "default-shop")
    listed = [{"metadata": {"name": name}} for name in names]
    assert safety.strangers(listed) == ["argocd", "shop", "default-shop"]
    assert safety.strangers(listed, ["argocd", "default-shop"]) == ["shop"]


def test_a_cluster_elsewhere_is_touched_only_if_a_person_types_its_name(program: Path) -> None:
    view = {"clusters": [{"cluster": {"server": "https://x.example.org"}}]}
    (program.parent / "answer").write_text(json.dumps(view))
    kubectl = Kubectl("do-fra1", str(program))
    for said in ("", "yes", "kind"):
        with pytest.raises(ClusterError, match="nothing was touched"):
            safety.check_place(kubectl, yes=False, ask=lambda question, said=said: said)  # type: ignore[misc]
    safety.check_place(kubectl, yes=False, ask=lambda question: "do-fra1\n")
    safety.check_place(kubectl, yes=True)


def test_a_cluster_that_is_not_empty_is_left_alone(program: Path) -> None:
    items = [{"metadata": {"name": "shop"}}]
    (program.parent / "answer").write_text(json.dumps({"items": items}))
    with pytest.raises(ClusterError, match="is not empty: it has shop"):
        safety.check_empty(Kubectl("kind-test", str(program)), [])


# Calls of kubectl


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A kubectl that writes down how it is called, and answers from a file."""
    path = tmp_path / "kubectl"
    path.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with (folder / 'called').open('a') as file: print(*sys.argv[1:], file=file)\n"
        "if 'fail' in sys.argv: sys.exit('no such thing')\n"
        "answer = folder / 'answer'\n"
        "print(answer.read_text() if answer.exists() else '{\"items\": []}')\n"
    )
    path.chmod(0o755)
    return path


def test_every_call_names_its_context_and_namespace(program: Path) -> None:
    kubectl = Kubectl("kind-test", str(program))
    kubectl.list("pods", "pullrisk", "a=b")
    kubectl.apply([servers.namespace("a")], "vault")
    kubectl.patch("rollout", "x", {"status": None}, "pullrisk", subresource="status")
    kubectl.delete("namespace", "a")
    called = (program.parent / "called").read_text().splitlines()
    assert all(line.startswith("--context kind-test ") for line in called)
    assert "--namespace pullrisk get pods --output json --selector a=b" in called[0]
    assert "--subresource=status" in called[2]
    with pytest.raises(ClusterError, match="no such thing"):
        kubectl.run("fail")


def test_every_option_is_one_of_kubectl_s(program: Path) -> None:
    real = Kubectl("x")
    for verb, options in {
        "patch": ("--subresource", "--type", "--patch"),
        "apply": ("--server-side", "--force-conflicts", "--field-manager"),
        "delete": ("--ignore-not-found", "--wait", "--timeout"),
        "get": ("--ignore-not-found", "--output", "--selector", "--all-namespaces"),
    }.items():
        shown = subprocess.run(
            [real.program, verb, "--help"], capture_output=True, text=True
        ).stdout
        assert all(option in shown for option in options), verb


@pytest.mark.skipif(not have_definitions(), reason="shared/schemas/argo is not there")
def test_a_rollout_s_status_can_be_patched_as_the_plugin_does() -> None:
    schema = definitions()["argoproj.io/v1alpha1", "Rollout"]
    assert "pauseConditions" in schema["properties"]["status"]["properties"]


def test_waiting_ends_with_what_was_seen() -> None:
    answers = iter([None, None, "there"])
    assert until("it", lambda: next(answers), seconds=5, pause=0.01) == "there"
    with pytest.raises(ClusterError, match=r"it: not within 0\.1 s; still Pending"):
        until("it", lambda: None, seconds=0.1, pause=0.01, shown=lambda: "still Pending")


def test_a_control_plane_that_restarts_is_waited_for_and_a_broken_promise_is_not() -> None:
    tries = iter([ClusterError("connection refused"), None])

    def away() -> str | None:
        if error := next(tries):
            raise error
        return "back"

    def broken() -> str | None:
        raise BrokenError("traffic goes to two versions")

    assert until("it", away, seconds=5, pause=0.01) == "back"
    started = time.monotonic()
    with pytest.raises(BrokenError, match="two versions"):
        until("it", broken, seconds=60)
    assert time.monotonic() - started < 60


# The command line


def test_every_check_is_named_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(checks.ALL) >= 10
    assert all(line.partition(": ")[2].endswith(".") for line in lines)
    with pytest.raises(ClusterError, match="no check is called x"):
        tool.checks_named(["x"])


def test_images_are_named_or_loaded() -> None:
    assert images.chosen(["model-serving=a,b", "mongo=c"]) == {
        "model-serving": ("a", "b"),
        "mongo": ("c",),
    }
    assert images.loader("kind-test")[-1] == images.loader("k3d-test")[-1] == "test"
    with pytest.raises(ClusterError, match="neither kind nor k3d"):
        images.loader("do-fra1-pullrisk")
    given = {"model-serving": ("a",), "spark-preprocess": ("b",)}
    assert images.provide("do-fra1-pullrisk", given) == given
