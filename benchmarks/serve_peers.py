"""The peers of `serve.py`: what each runs, and how it is started.

Flask with torch, BentoML and MLServer get an environment each (peers.py): pullrisk needs no torch,
and the others want other versions of what it pins.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from peers import install
from pullrisk.features import NAMES
from serve_load import Target
from support.ports import free_port
from support.processes import Server
from support.serving import GENERAL

ROW: Final = [round((place * 37 % 100) / 10, 4) for place in range(1, len(NAMES) + 1)]

BARE: Final = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"risk": 0.5}'})
"""
FLASK: Final = f"""
import torch
from flask import Flask, jsonify, request

width = {len(NAMES)}
torch.set_num_threads(1)
network = torch.nn.Sequential(torch.nn.Linear(width, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16),
                              torch.nn.ReLU(), torch.nn.Linear(16, 64), torch.nn.ReLU(),
                              torch.nn.Linear(64, width)).eval()
app = Flask(__name__)

@app.post("/predict")
def predict():
    x = torch.tensor(request.get_json()["features"], dtype=torch.float32)
    with torch.no_grad():
        error = torch.mean((network(x) - x) ** 2).item()
    return jsonify({{"anomaly_score": error}})

app.run(port=int(__import__("sys").argv[1]))
"""
_SESSION: Final = """
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
"""
BENTO: Final = (
    _SESSION
    + """
import bentoml
@bentoml.service(workers=1)
class Scorer:
    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession("model.onnx", options)
    @bentoml.api
    def predict(self, features: list[list[float]]) -> dict[str, float]:
        risk, error, *_ = self.session.run(None, {"x": np.array(features, np.float32)})
        return {"risk": float(risk[0]), "novelty_error": float(error[0])}
"""
)
MLSERVER: Final = (
    _SESSION
    + """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Scorer(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession("model.onnx", options)
        return True
    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        risk, error, *_ = self.session.run(None, {"x": rows})
        found = {"risk": risk, "novelty_error": error}
        outputs = [NumpyCodec.encode_output(name, value) for name, value in found.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""
)


def start_peers(folder: Path, stack: ExitStack) -> Iterator[Target]:
    """The ceiling, then the peers that can be installed."""
    (folder / "bare.py").write_text(BARE)
    (folder / "flaskapp.py").write_text(FLASK)
    port, row = free_port(), json.dumps(ROW)
    bare = ["granian", "--interface", "asginl", "--loop", "uvloop", "--no-ws", "--log-level"]
    bare += ["error", "--port", str(port), "bare:app"]
    peer = stack.enter_context(Peer(folder, bare, port))
    yield Target("bare ASGI", f"{peer.url}/", [row], peer.pid)
    port = free_port()
    write_mlflow(folder / "mlflow")
    mlflow = ["mlflow", "models", "serve", "-m", "mlflow", "--env-manager", "local"]
    peer = stack.enter_context(Peer(folder, [*mlflow, "-p", str(port)], port))
    yield Target(
        "mlflow models serve", f"{peer.url}/invocations", [json.dumps({"inputs": [ROW]})], peer.pid
    )
    yield from start_installed(folder, stack)


def start_installed(folder: Path, stack: ExitStack) -> Iterator[Target]:
    """The blueprint's Flask, BentoML and MLServer."""
    programs = install("flask", "flask", "numpy", "torch")
    if programs is not None:
        port = free_port()
        flask = ["python", "flaskapp.py", str(port)]
        peer = stack.enter_context(Peer(folder, flask, port, programs=programs))
        yield Target(
            "Flask + torch", f"{peer.url}/predict", [json.dumps({"features": ROW})], peer.pid
        )
    programs = install("bentoml", "bentoml==1.4.39", "onnxruntime")
    if programs is not None:
        port, own = free_port(), folder / "bento"
        write_bento(own)
        bento = ["bentoml", "serve", "service:Scorer", "--port", str(port)]
        peer = stack.enter_context(Peer(own, bento, port, programs=programs))
        yield Target("BentoML", f"{peer.url}/predict", [json.dumps({"features": [ROW]})], peer.pid)
    programs = install("mlserver", "mlserver==1.7.1", "onnxruntime")
    if programs is not None:
        ports, own = [free_port() for _ in range(3)], folder / "mlserver"
        write_mlserver(own, ports)
        command = ["mlserver", "start", "."]
        peer = stack.enter_context(Peer(own, command, ports[0], programs=programs))
        rows = {"name": "x", "shape": [1, len(ROW)], "datatype": "FP32", "data": ROW}
        asked = json.dumps({"inputs": [rows]})
        yield Target("MLServer", f"{peer.url}/v2/models/scorer/infer", [asked], peer.pid)


def write_bento(folder: Path) -> None:
    """A BentoML service of our own model."""
    folder.mkdir()
    shutil.copy(GENERAL, folder / "model.onnx")
    (folder / "service.py").write_text(BENTO)


def write_mlserver(folder: Path, ports: list[int]) -> None:
    """An MLServer of our own model; `ports` are those of HTTP, gRPC and metrics."""
    folder.mkdir()
    (folder / "scorer.py").write_text(MLSERVER)
    shutil.copy(GENERAL, folder / "model.onnx")
    http, grpc, metrics = ports
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings |= {"parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "scorer", "implementation": "scorer.Scorer"}
    (folder / "model-settings.json").write_text(json.dumps(model))


def write_mlflow(folder: Path) -> None:
    """Our own model as MLflow stores it."""
    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    rows = TensorSpec(np.dtype(np.float32), (-1, len(NAMES)))
    mlflow.onnx.save_model(
        onnx.load(GENERAL),
        folder,
        signature=ModelSignature(inputs=Schema([rows])),
        save_as_external_data=False,
    )


class Peer(Server):
    """A server on this port; `programs` is the folder of its own environment."""

    def __init__(
        self, folder: Path, arguments: list[str], port: int, *, programs: Path | None = None
    ) -> None:
        super().__init__(folder)
        self._programs = programs or Path(sys.executable).parent
        self._arguments = arguments
        self.url = f"http://127.0.0.1:{port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    def command(self) -> list[str | Path]:
        """The program of the environment."""
        return [self._programs / self._arguments[0], *self._arguments[1:]]

    def environment(self) -> dict[str, str]:
        """Some start others by their bare names."""
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "BENTOML_DO_NOT_TRACK": "True"}

    def is_ready(self) -> bool:
        """Whether something answers."""
        httpx.get(self.url, timeout=5)
        return True
