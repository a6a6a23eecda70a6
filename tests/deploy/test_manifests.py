"""The manifests of argo-apps: rendered, valid, in accord with the code, Vault and each other."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullrisk.wiring.golden import read as read_golden
from support.deploy import program, rules, schema
from support.deploy.claims import claimed
from support.deploy.manifests import (
    APPS,
    BASE,
    COMPONENTS,
    OVERLAYS,
    ROOT,
    STAGES,
    Object,
    name_of,
    of_kind,
    pods,
    render,
    render_with,
    values_at,
)
from support.sample import sample_file

CLUSTERS = ("staging", "production")


def told(objects: list[Object]) -> list[str]:
    return [f"{one.where}: {one.rule}: {one.why}" for one in rules.violations(objects)]


def test_the_base_breaks_no_rule(base: list[Object]) -> None:
    assert told(base) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_can_be_opted_in_alone(component: str, base: list[Object]) -> None:
    objects = render_with(component)
    assert told(objects) == []
    assert objects != base


def test_all_components_go_together(everything: list[Object]) -> None:
    assert told(everything) == []


def test_every_stage_has_a_workload_an_account_a_policy_and_settings(base: list[Object]) -> None:
    there = {name_of(one) for one in base}
    settings = {one["metadata"]["name"] for one in of_kind(base, "ConfigMap")}
    for stage in STAGES:
        assert {f"ServiceAccount/{stage}", f"NetworkPolicy/{stage}"} <= there
        assert (f"{stage}-settings" in settings) == (stage != "model-serving")
    assert {f"CronJob/{stage}" for stage in STAGES[:3]} | {"Rollout/model-serving"} <= there


def test_kustomize_writes_the_digest_of_the_one_list_into_every_kind(base: list[Object]) -> None:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["images"]
    wanted = {one["name"]: f"{one['name']}@{one['digest']}" for one in listed}
    assert [one["name"].rpartition("/")[2] for one in listed] == list(STAGES)
    used: dict[str, set[str]] = {}
    for pod in pods(base):
        for container in pod.containers:
            name = container["image"].partition("@")[0]
            used.setdefault(name, set()).add(container["image"])
    assert {name: used[name] for name in wanted} == {name: {text} for name, text in wanted.items()}


def test_the_base_is_argo_safe_everything_that_runs_to_an_end_is_a_cron_job(
    everything: list[Object],
) -> None:
    assert of_kind(everything, "Job", "Pod") == []
    annotations = [one["metadata"].get("annotations", {}) for one in everything]
    assert not any("argocd.argoproj.io/hook" in one for one in annotations)


def test_batch_stages_start_in_the_order_of_their_data(base: list[Object]) -> None:
    minutes = {
        one["metadata"]["name"]: int(one["spec"]["schedule"].split()[0])
        for one in of_kind(base, "CronJob")
    }
    assert minutes["data-fetch"] < minutes["spark-preprocess"]
    training = next(one for one in of_kind(base, "CronJob") if one["metadata"]["name"] == STAGES[2])
    assert "--if-new" in str(training)


def test_another_model_is_another_version_of_the_pods(tmp_path: Path) -> None:
    shutil.copytree(APPS, tmp_path / "argo-apps")
    shutil.copytree(ROOT / "tests" / "performance", tmp_path / "tests" / "performance")
    pinned = tmp_path / "argo-apps" / "base" / "model-serving" / "model.env"
    pinned.write_text("version=12\n")
    rollout = of_kind(render(tmp_path / "argo-apps" / "base"), "Rollout")[0]
    assert rollout["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "serve",
        "--model",
        "12",
    ]


def test_what_is_pinned_is_what_was_recorded() -> None:
    folder = BASE / "model-serving"
    lines = (folder / "model.env").read_text().splitlines()
    pinned = [line.partition("=")[2] for line in lines if line.startswith("version=")]
    golden = read_golden(folder / "expected.json")
    assert pinned == [golden.pinned]
    assert len(golden.pulls) == len(golden.answers) >= 10


def test_the_answers_of_the_bundled_model_are_those_that_are_pinned(tmp_path: Path) -> None:
    from pullrisk.cli import main

    golden = read_golden(BASE / "model-serving" / "expected.json")
    if golden.pinned != "general":
        pytest.skip(f"version {golden.pinned} of the registry is pinned, not the bundled model")
    sample = str(sample_file())
    assert main(["golden", "record", "general", "--file", sample, "--folder", str(tmp_path)]) == 0
    now = read_golden(tmp_path / "expected.json")
    same = (now.version, now.schema_hash) == (golden.version, golden.schema_hash)
    assert same, "the bundled model has changed; run: make model-pin"
    from pullrisk.serve.golden import differs

    pairs = zip(golden.answers, now.answers, strict=True)
    assert not any(differs(*pair) for pair in pairs), "run: make model-pin"


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.skipif(
    not schema.have_definitions(),
    reason="no definitions of Argo: ../shared/schemas/argo",
)
def test_a_cluster_s_project_and_application_are_valid(cluster: str) -> None:
    assert list(schema.check(render(APPS / "clusters" / cluster))) == []


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_a_cluster_runs_breaks_no_rule(cluster: str) -> None:
    application = render(APPS / "clusters" / cluster)
    (path,) = [one["spec"]["source"]["path"] for one in of_kind(application, "Application")]
    assert ROOT / path == OVERLAYS / cluster
    assert told([*render(ROOT / path), *application]) == []


def test_the_clusters_differ_in_the_branch_and_in_nothing_else() -> None:
    staging, production = (render(APPS / "clusters" / cluster) for cluster in CLUSTERS)
    branches = [
        one["spec"]["source"].pop("targetRevision")
        for objects in (staging, production)
        for one in of_kind(objects, "Application")
    ]
    paths = [
        one["spec"]["source"].pop("path")
        for objects in (staging, production)
        for one in of_kind(objects, "Application")
    ]
    assert branches == ["staging", "main"]
    assert render(ROOT / paths[0]) == render(ROOT / paths[1])
    assert staging == production
    files = {path.name for path in (APPS / "clusters" / "staging").iterdir()}
    assert files == {path.name for path in (APPS / "clusters" / "production").iterdir()}


def test_the_project_allows_what_is_rendered_and_no_kind_more(
    base: list[Object], everything: list[Object]
) -> None:
    project = of_kind(render(APPS / "clusters" / "staging"), "AppProject")[0]["spec"]
    allowed = {
        (one["group"], one["kind"])
        for name in ("clusterResourceWhitelist", "namespaceResourceWhitelist")
        for one in project[name]
    }
    every = (*base, *everything)  # a component takes a kind away
    rendered = {(one["apiVersion"].rpartition("/")[0], one["kind"]) for one in every}
    assert rendered == allowed


def test_fetching_keeps_its_clones_in_a_volume_and_works_without(base: list[Object]) -> None:
    def fetching(objects: list[Object]) -> tuple[str | None, list[str], int]:
        (pod,) = [each for each in pods(objects) if each.where == "CronJob/data-fetch"]
        claims = of_kind(objects, "PersistentVolumeClaim")
        return program.settings_of(pod, objects).fetch.clone, claimed(pod), len(claims)

    assert fetching(base) == ("/var/lib/pullrisk", ["data-fetch-clones"], 1)
    assert fetching(render_with("without-clones")) == ("off", [], 0)


def test_github_reaches_one_path_and_people_the_pages() -> None:
    def paths(*components: str) -> list[tuple[str, str]]:
        found = of_kind(render_with(*components), "Ingress")
        places = values_at(found, "spec", "rules", "http", "paths")
        return [(each["path"], each["pathType"]) for each in places]

    assert paths() == []
    assert paths("webhooks") == [("/webhooks/github", "Exact")]
    assert sorted(paths("pages", "webhooks")) == [("/", "Prefix"), ("/webhooks/github", "Exact")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "/"}, "leads / into the service"),
        ({"pathType": "Prefix"}, "leads /webhooks/github into the service"),
        ({"backend": {"service": {"name": "model-serving", "port": {"name": "probes"}}}}, "nobody"),
        ({"backend": {"service": {"name": "mongodb", "port": {"name": "http"}}}}, "nobody"),
    ],
)
def test_an_ingress_of_webhooks_that_leads_elsewhere_is_refused(
    change: dict[str, object], says: str
) -> None:
    objects = render_with("webhooks")
    (ingress,) = of_kind(objects, "Ingress")
    ingress["spec"]["rules"][0]["http"]["paths"][0] |= change
    assert any(says in each for each in told(objects))


def test_a_host_without_tls_and_a_proxy_without_a_policy_are_refused() -> None:
    objects = render_with("webhooks")
    of_kind(objects, "Ingress")[0]["spec"]["rules"][0]["host"] = "elsewhere.example.org"
    assert any("has no TLS" in each for each in told(objects))
    shut = [one for one in render_with("webhooks") if name_of(one) != "NetworkPolicy/webhooks"]
    assert any("the proxy of an Ingress cannot reach" in each for each in told(shut))


def test_the_pages_are_served_under_the_name_of_their_ingress() -> None:
    objects = render_with("pages")
    (host,) = values_at(of_kind(objects, "Ingress"), "spec", "rules", "host")
    (rollout,) = of_kind(objects, "Rollout")
    variables = values_at(rollout["spec"], "template", "spec", "containers", "env")
    assert {"name": "PULLRISK_SIGN_IN__URL", "value": f"https://{host}"} in [*variables]


def test_an_overlay_is_the_base_and_components_and_nothing_else() -> None:
    for cluster in CLUSTERS:
        overlay = yaml.safe_load((OVERLAYS / cluster / "kustomization.yaml").read_text())
        assert overlay.keys() == {"apiVersion", "kind", "resources", "components"}
        assert overlay["resources"] == ["../../base"]
        assert {one.rpartition("/")[2] for one in overlay["components"]} <= set(COMPONENTS)


def test_an_application_deploys_by_itself_and_mends_what_was_changed_by_hand() -> None:
    for cluster in CLUSTERS:
        (one,) = of_kind(render(APPS / "clusters" / cluster), "Application")
        assert one["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_the_first_digest_of_a_stage_resumes_it_and_no_other(tmp_path: Path) -> None:
    from delivery.kustomization import with_digest

    shutil.copytree(APPS, tmp_path / "argo-apps")
    shutil.copytree(ROOT / "tests" / "performance", tmp_path / "tests" / "performance")
    path = tmp_path / "argo-apps" / "base" / "kustomization.yaml"
    left = {"data-fetch", "spark-preprocess", "ml-training", "monitor"}
    for stage, also in (("ml-training", {"monitor"}), ("data-fetch", set()), (STAGES[1], set())):
        path.write_text(with_digest(path.read_text(), stage, f"sha256:{'1' * 64}"))
        left -= {stage} | also
        suspended = {
            one["metadata"]["name"]
            for one in of_kind(render(path.parent), "CronJob")
            if one["spec"].get("suspend")
        }
        assert suspended == left


def test_no_policy_and_no_account_is_left_over(base: list[Object]) -> None:
    labels = [pod.labels for pod in pods(base)]
    for policy in of_kind(base, "NetworkPolicy"):
        selector = policy["spec"]["podSelector"].get("matchLabels", {})
        assert any(selector.items() <= own.items() for own in labels), name_of(policy)


def test_the_load_test_in_the_cluster_is_the_file_that_developers_run(base: list[Object]) -> None:
    found = [one for one in of_kind(base, "ConfigMap") if "locustfile.py" in one.get("data", {})]
    text = (ROOT / "tests" / "performance" / "locustfile.py").read_text()
    assert [one["data"]["locustfile.py"] for one in found] == [text]


def test_config_maps_fit_into_etcd(everything: list[Object]) -> None:
    sizes: dict[str, Any] = {
        name_of(one): len(json.dumps(one)) for one in of_kind(everything, "ConfigMap")
    }
    assert max(sizes.values()) < 500_000
