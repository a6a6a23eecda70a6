"""Each stage with one thing missing: it says what, and ends with the right exit code, soon."""

from collections.abc import Callable, Iterator

import pytest

from support.containers.platform import CREDENTIALS, REPOSITORIES, Platform, nowhere
from support.containers.pod import Pod

MakePod = Callable[..., Pod]
ARGS = {"data-fetch": ["fetch", REPOSITORIES[0]], "model-serving": ["serve", "--model", "1"]}
SOON = 120
"""Seconds, on a busy machine; far less than a Job's deadline."""


@pytest.fixture
def gone(cluster: Platform) -> Iterator[Callable[[str, str, str], None]]:
    """`gone(stage, secret, address)`: the secret leads to an address where nobody listens."""
    changed: list[str] = []

    def lead(stage: str, secret: str, address: str) -> None:
        changed.append(stage)
        cluster.store_secrets(stage, **{secret: address})

    yield lead
    for stage in changed:
        cluster.store_secrets(stage)


def run(pod: Pod, env: dict[str, str]) -> Pod:
    return pod.run(env, ARGS.get(pod.spec.stage), seconds=SOON)


@pytest.mark.parametrize(
    "stage", ["data-fetch", "spark-preprocess", "ml-training", "model-serving"]
)
class TestVault:
    def test_without_vault_a_stage_ends_with_10(self, make_pod: MakePod, stage: str) -> None:
        env = {"VAULT_ADDR": f"http://{nowhere()}", "VAULT_START_SECONDS": "1"}
        pod = run(make_pod(stage), env)
        assert pod.code == 10, pod.log
        assert "Vault" in pod.errors
        assert "Traceback" not in pod.log

    def test_with_the_role_of_another_stage_a_stage_ends_with_10(
        self, make_pod: MakePod, vault: dict[str, str], stage: str
    ) -> None:
        other = "data-fetch" if stage != "data-fetch" else "ml-training"
        pod = run(make_pod(stage), {**vault, "VAULT_ROLE": other})
        assert pod.code == 10, pod.log
        assert f"role {other}" in pod.errors
        assert not [secret for secret in CREDENTIALS if secret in pod.shown()]

    def test_without_a_mounted_token_a_stage_ends_with_10(
        self, make_pod: MakePod, vault: dict[str, str], stage: str
    ) -> None:
        pod = run(make_pod(stage), {**vault, "VAULT_JWT_FILE": "/var/run/absent/token"})
        assert pod.code == 10, pod.log
        assert "/var/run/absent/token cannot be read" in pod.errors


@pytest.mark.parametrize(
    ("stage", "secret", "address", "code", "said"),
    [
        ("data-fetch", "mongo_uri", "mongodb://{}/pullrisk", 5, "MongoDB"),
        ("spark-preprocess", "mongo_uri", "mongodb://{}/pullrisk", 5, "MongoDB"),
        ("spark-preprocess", "do_spaces_endpoint", "http://{}", 6, "S3 service cannot be reached"),
        ("ml-training", "do_spaces_endpoint", "http://{}", 6, "S3 service cannot be reached"),
        ("ml-training", "mlflow_uri", "http://{}", 7, "MLflow"),
        ("model-serving", "mlflow_uri", "http://{}", 7, "MLflow"),
    ],
)
def test_a_service_that_is_gone_is_named_and_has_its_exit_code(
    make_pod: MakePod,
    vault: dict[str, str],
    gone: Callable[[str, str, str], None],
    request: pytest.FixtureRequest,
    stage: str,
    secret: str,
    address: str,
    code: int,
    said: str,
) -> None:
    if secret == "mlflow_uri":
        request.getfixturevalue("preprocessed")  # so that MLflow is all that is missing
    gone(stage, secret, address.format(nowhere()))
    pod = run(make_pod(stage), vault)
    assert pod.code == code, pod.log
    assert said in pod.log  # a service that writes JSON says it on standard output
    assert "Traceback" not in pod.log
    assert not [found for found in CREDENTIALS if found in pod.shown()]


def test_data_fetch_without_github_ends_with_4(make_pod: MakePod, vault: dict[str, str]) -> None:
    pod = run(make_pod("data-fetch", github_url=f"http://{nowhere()}"), vault)
    assert pod.code == 4, pod.log
    assert "githubstatus.com" in pod.errors
    assert "Traceback" not in pod.log


def test_sparks_image_is_an_executor_too_and_ends_where_its_driver_is_gone(
    make_pod: MakePod,
) -> None:
    """Started by the word and the variables that Spark's driver gives to its pods."""
    address = nowhere()
    env = {
        "SPARK_DRIVER_URL": f"spark://CoarseGrainedScheduler@{address}",
        "SPARK_EXECUTOR_MEMORY": "512m",
        "SPARK_EXECUTOR_ID": "1",
        "SPARK_EXECUTOR_CORES": "1",
        "SPARK_APPLICATION_ID": "spark-1",
        "SPARK_EXECUTOR_POD_IP": "127.0.0.1",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "executor-1",
        "SPARK_JAVA_OPT_0": "--add-modules=jdk.incubator.vector",
    }
    pod = make_pod("spark-preprocess").run(env, ["executor"], seconds=SOON)
    assert pod.code == 1, pod.log
    assert f"Failed to connect to /{address}" in pod.log
    assert pod.changes == set()
