"""What the stages find in a cluster, each part the real server: on 127.0.0.1 of this network."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.bao import Bao
from support.certificates import make_certificates
from support.containers.pod import MANIFESTS
from support.github_server import GitHubServer
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.mlflow_server import ADMIN, PASSWORD, MlflowServer
from support.mongo import MongoStandIn
from support.ports import free_port
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed
from support.vault import install, put, trusting

REPOSITORIES: Final = ("kedro-org/kedro", "astral-sh/uv")
PULLS: Final = 1_200
"""Of each repository: enough to train on, little to wait for."""
GITHUB_TOKEN: Final = "fake-token"
API_KEY: Final = "key-of-the-image-tests-0f1e2d3c"
CREDENTIALS: Final = (GITHUB_TOKEN, SECRET_KEY, PASSWORD, API_KEY)
"""What must turn up nowhere."""


@dataclass(frozen=True)
class Platform:
    """Vault with the repository's policies and roles, and all that its secrets lead to."""

    folder: Path
    bao: Bao
    accounts: ServiceAccounts
    reviews: TokenReviews
    github: GitHubServer
    mongo: MongoStandIn
    seaweed: Seaweed
    mlflow: MlflowServer

    def secrets(self, stage: str, **changed: str) -> dict[str, str]:
        """What Vault holds for a stage."""
        mongo = {"mongo_uri": f"{self.mongo.uri}pullrisk"}
        spaces = {
            "do_spaces_endpoint": self.seaweed.endpoint,
            "do_spaces_bucket": BUCKET,
            "do_spaces_key": ACCESS_KEY,
            "do_spaces_secret": SECRET_KEY,
        }
        registry = {
            "mlflow_uri": self.mlflow.uri,
            "mlflow_username": ADMIN,
            "mlflow_password": PASSWORD,
        }
        known: Mapping[str, dict[str, str]] = {
            "data-fetch": mongo | {"github_token": GITHUB_TOKEN},
            "spark-preprocess": mongo | spaces,
            "ml-training": mongo | spaces | registry,
            "model-serving": mongo | spaces | registry | {"api_keys": API_KEY},
            "serving-analysis": {"api_keys": API_KEY},
        }
        return known[stage] | changed

    def store_secrets(self, stage: str, **changed: str) -> None:
        """Write a stage's secrets; `changed` lead somewhere else."""
        put(self.bao, f"mlops/{stage}", self.secrets(stage, **changed))

    def token(self, stage: str) -> Path:
        """The folder that Kubernetes mounts: a fresh token of the stage's service account."""
        folder = self.folder / f"token-of-{stage}"
        folder.mkdir(exist_ok=True, mode=0o755)
        (folder / "token").write_text(self.accounts.token(stage))
        return folder


@contextmanager
def platform(folder: Path) -> Iterator[Platform]:
    """All of it, started; ended with the context."""
    with ExitStack() as stack:
        accounts, certificates = ServiceAccounts(), make_certificates(folder)
        reviews = stack.enter_context(TokenReviews(accounts, certificates))
        seaweed = stack.enter_context(Seaweed(folder / "seaweed"))
        mlflow = MlflowServer(folder / "mlflow", seaweed=seaweed, logins=True)
        stack.enter_context(mlflow)
        names = [f"--repository={name}" for name in REPOSITORIES]
        github = stack.enter_context(GitHubServer(*names, f"--pulls={PULLS}", "--points=1000000"))
        mongo = stack.enter_context(MongoStandIn(folder))
        bao = Bao(folder / "bao").start()
        stack.callback(bao.stop)
        install(bao, trusting(folder / "vault", reviews, certificates, accounts))
        made = Platform(folder, bao, accounts, reviews, github, mongo, seaweed, mlflow)
        for stage in (*MANIFESTS, "serving-analysis"):
            made.store_secrets(stage)
        yield made


def nowhere() -> str:
    """An address where nothing listens."""
    return f"127.0.0.1:{free_port()}"
