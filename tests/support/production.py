"""Everything that a service has in production, for tests: MongoDB, S3, MLflow, and Vault's path."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pullrisk.lake import Lake
from pullrisk.model.bundle import Bundle
from pullrisk.preprocess import preprocess
from pullrisk.pulls.mongo import MongoStore
from support.bao import Bao
from support.mlflow_server import MlflowServer
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.sample import sample_pulls
from support.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, Seaweed
from support.serving import GENERAL
from support.vault import put

USER = "service"


@dataclass
class Production:
    """The servers; `passwords` are those that MongoDB takes now."""

    mongo: MongoStandIn
    gate: int
    passwords: list[str]
    spaces: Seaweed
    mlflow: MlflowServer

    def mongo_uri(self, password: str) -> str:
        place = f"127.0.0.1:{self.gate}/pulls?authMechanism=SCRAM-SHA-256"
        return f"mongodb://{USER}:{password}@{place}&serverSelectionTimeoutMS=2000"

    def secrets(self, *, keys: Sequence[str], password: str) -> dict[str, Any]:
        """What Vault holds for model-serving."""
        return {
            "mongo_uri": self.mongo_uri(password),
            "do_spaces_endpoint": self.spaces.endpoint,
            "do_spaces_bucket": BUCKET,
            "do_spaces_key": ACCESS_KEY,
            "do_spaces_secret": SECRET_KEY,
            "mlflow_uri": self.mlflow.uri,
            "api_keys": list(keys),
        }

    def store_in(self, bao: Bao, *, keys: Sequence[str], password: str) -> None:
        put(bao, "mlops/model-serving", self.secrets(keys=keys, password=password))


@contextmanager
def production(folder: Path, *, pulls: int = 300, password: str = "first") -> Iterator[Production]:
    """Started, with pulls in MongoDB, their lake on S3, and version 1 as champion in MLflow."""
    passwords = [password]
    with ExitStack() as stack:
        mongo = stack.enter_context(MongoStandIn(folder / "mongo"))
        spaces = stack.enter_context(Seaweed(folder / "spaces"))
        mlflow = stack.enter_context(MlflowServer(folder / "mlflow", seaweed=spaces))
        port = stack.enter_context(gate(mongo.port, user=USER, password=passwords))
        with MongoStore(f"mongodb://127.0.0.1:{mongo.port}/pulls") as store:
            store.upsert(sample_pulls(pulls))
            preprocess(store, Lake(f"s3://{BUCKET}/lake", s3=spaces.s3))
        register(mlflow.uri, folder, champion=True)
        yield Production(mongo, port, passwords, spaces, mlflow)


def register(uri: str, folder: Path, *, note: str = "", champion: bool = False) -> str:
    """Register the general model with a note in it, as the champion if asked to; its version."""
    import onnx

    from pullrisk.train.mlflow_client import Tracking, connected
    from pullrisk.train.registry import CHAMPION
    from pullrisk.train.tracking import MODEL_NAME, RunRecord, track

    model = onnx.load(GENERAL)
    model.doc_string = note
    bundle = Bundle.of(model.SerializeToString())
    tracking = Tracking(uri, folder / "artifacts")
    version = track(tracking, bundle, RunRecord(settings={}, tags={})).version
    if champion:
        with connected(tracking) as (_, client):
            client.set_registered_model_alias(MODEL_NAME, CHAMPION, version)
    return version
