"""Images that are run as in the cluster; `make test-images` builds them and asks for this."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from images.build import REGISTRY, STAGES
from images.engine import Engine, EngineError, find
from support.containers.network import private_network
from support.containers.platform import REPOSITORIES, Platform, platform
from support.containers.pod import BASE, ROOT, Pod, Spec, answers, as_a_volume, until

ASKED = os.environ.get("PULLRISK_TEST_IMAGES", "")
"""Set by `make test-images`: running containers takes minutes."""

MakePod = Callable[..., Pod]


@pytest.fixture(scope="session")
def engine() -> Engine:
    if not ASKED:
        pytest.skip("images are tested beside the rest: make test-images")
    try:
        return find()
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def images(engine: Engine) -> dict[str, str]:
    """Stage → image of HEAD. A missing one is an error, not a skip: it was to be built."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    tag = os.environ.get("PULLRISK_TEST_IMAGES_TAG") or subprocess.check_output(command, text=True)
    names = {stage: f"{REGISTRY}/{stage}:{tag.strip()}" for stage in STAGES}
    missing = [name for name in names.values() if engine.id(name) is None]
    assert not missing, f"not built: {missing}; run `make images`"
    return names


@pytest.fixture(scope="session")
def network(engine: Engine) -> Iterator[None]:
    """A private network for all servers and containers, where the engine runs as this process."""
    if engine.podman and os.geteuid() == 0:
        with private_network():
            yield
    else:
        yield


@pytest.fixture(scope="session")
def cluster(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("platform")) as found:
        yield found


@pytest.fixture(scope="session")
def make_pod(
    engine: Engine,
    images: dict[str, str],
    cluster: Platform,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakePod]:
    """`make_pod(stage, github_url=…)`: a pod with the manifest's settings, and these instead.

    `volume` is the folder of its claim: all pods of a stage have the same one unless it is named.
    """
    made: list[Pod] = []
    volumes: dict[str, Path] = {}

    def make(stage: str, *, volume: Path | None = None, **settings: str) -> Pod:
        spec = Spec.of(stage)
        if stage not in volumes:
            volumes[stage] = as_a_volume(tmp_path_factory.mktemp(f"volume-of-{stage}"), spec)
        folder = tmp_path_factory.mktemp(stage)
        folder.chmod(0o755)  # as a ConfigMap is
        file = folder / "pullrisk.toml"
        if (BASE / stage / file.name).exists():
            shutil.copy(BASE / stage / file.name, folder)
        else:  # its settings stand in the manifest as variables
            file.touch()
        if stage == "data-fetch":
            settings = {"github_url": cluster.github.url, **settings}
        replace(file, settings)
        claim = volumes[stage] if volume is None else volume
        pod = Pod(engine, images[stage], spec, folder, cluster.token(stage), claim)
        made.append(pod)
        return pod

    yield make
    for pod in made:
        pod.remove()


def replace(file: Path, settings: dict[str, str]) -> None:
    """Put other values into a settings file of top-level names."""
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in settings]
    own = [f'{name} = "{value}"' for name, value in settings.items()]
    file.write_text("\n".join([*own, *kept, ""]), encoding="utf-8")


@pytest.fixture(scope="session")
def vault(cluster: Platform) -> dict[str, str]:
    """Where the test's Vault is, in place of the manifest's."""
    return {"VAULT_ADDR": cluster.bao.address}


@pytest.fixture(scope="session")
def fetched(make_pod: MakePod, vault: dict[str, str]) -> Pod:
    return make_pod("data-fetch").run(vault, ["fetch", *REPOSITORIES])


@pytest.fixture(scope="session")
def preprocessed(fetched: Pod, make_pod: MakePod, vault: dict[str, str]) -> Pod:
    return make_pod("spark-preprocess").run(vault)


@pytest.fixture(scope="session")
def trained(preprocessed: Pod, make_pod: MakePod, vault: dict[str, str]) -> Pod:
    return make_pod("ml-training").run(vault)


@pytest.fixture(scope="session")
def served(trained: Pod, make_pod: MakePod, vault: dict[str, str]) -> Pod:
    pod = make_pod("model-serving").start(vault, ["serve", "--model", "1"])
    until(lambda: answers("/readyz"), pod)
    return pod
