"""The peers of `serve.py`: what each runs, and how it is started.

Flask with torch, BentoML and MLServer get an environment each (peers.py): pullrisk needs no torch,
and the others want other versions of what it pins.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil

from pullrisk.features import NAMES

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from peers import install  # noqa: E402
from serve_load import Target  # noqa: E402
from support.ports import free_port  # noqa: E402

GENERAL: Final = ROOT / "src" / "pullrisk" / "model" / "general.onnx"
START_SECONDS: Final = 120
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
    url, pid = stack.enter_context(process(folder, bare, port))
    yield Target("bare ASGI", f"{url}/", [row], pid)
    port = free_port()
    write_mlflow(folder / "mlflow")
    mlflow = ["mlflow", "models", "serve", "-m", "mlflow", "--env-manager", "local"]
    url, pid = stack.enter_context(process(folder, [*mlflow, "-p", str(port)], port))
    yield Target("mlflow models serve", f"{url}/invocations", [json.dumps({"inputs": [ROW]})], pid)
    yield from start_installed(folder, stack)


def start_installed(folder: Path, stack: ExitStack) -> Iterator[Target]:
    """The blueprint's Flask, BentoML and MLServer."""
    programs = install("flask", "flask", "numpy", "torch")
    if programs is not None:
        port = free_port()
        flask = ["python", "flaskapp.py", str(port)]
        url, pid = stack.enter_context(process(folder, flask, port, programs=programs))
        yield Target("Flask + torch", f"{url}/predict", [json.dumps({"features": ROW})], pid)
    programs = install("bentoml", "bentoml==1.4.39", "onnxruntime")
    if programs is not None:
        port, own = free_port(), folder / "bento"
        write_bento(own)
        bento = ["bentoml", "serve", "service:Scorer", "--port", str(port)]
        started = process(own, bento, port, programs=programs)
        url, pid = stack.enter_context(started)
        yield Target("BentoML", f"{url}/predict", [json.dumps({"features": [ROW]})], pid)
    programs = install("mlserver", "mlserver==1.7.1", "onnxruntime")
    if programs is not None:
        ports, own = [free_port() for _ in range(3)], folder / "mlserver"
        write_mlserver(own, ports)
        started = process(own, ["mlserver", "start", "."], ports[0], programs=programs)
        url, pid = stack.enter_context(started)
        rows = {"name": "x", "shape": [1, len(ROW)], "datatype": "FP32", "data": ROW}
        asked = json.dumps({"inputs": [rows]})
        yield Target("MLServer", f"{url}/v2/models/scorer/infer", [asked], pid)


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


@contextmanager
def process(
    folder: Path, arguments: list[str], port: int, *, programs: Path | None = None
) -> Iterator[tuple[str, int]]:
    """A server on this port, once it answers: its URL and process id."""
    own = programs or Path(sys.executable).parent
    with (folder / f"{port}.log").open("wb") as log:
        # some start others by their bare names
        path = f"{own}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "BENTOML_DO_NOT_TRACK": "True"}
        running = subprocess.Popen(
            [str(own / arguments[0]), *arguments[1:]],
            cwd=folder, stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, running, folder / f"{port}.log")
        yield url, running.pid
    finally:
        end(running)


def end(running: "subprocess.Popen[bytes]") -> None:
    """End a server with its children."""
    if running.poll() is None:
        children = psutil.Process(running.pid).children(recursive=True)
        running.terminate()
        running.wait(timeout=20)
        for child in children:
            if child.is_running():
                child.kill()


def wait_for(url: str, running: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until something answers there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"a peer did not start: {log.read_text()}") from None
            time.sleep(0.2)
        else:
            return
