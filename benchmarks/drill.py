"""The blue/green drill: two versions of the service behind Traefik, switched under Locust's load.

    make drill-serve ARGS="[--switches N] [--json]"

Each switch starts the other version beside the one that serves, waits for its readiness, asks
it for golden predictions, points the proxy at it, and terminates the old one, which drains.
Two broken versions are refused on the way: one that cannot start (its readiness never comes),
and one that is ready and answers differently (its golden predictions). The last switch is a
rollback. Exit code 1 where a single request failed or a broken version got through.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np

from support.ports import answers, free_port
from support.processes import Server, until
from support.serving import GENERAL, ROOT, Served, make_home, opened

LOCUSTFILE = ROOT / "tests" / "performance" / "locustfile.py"
GOLDEN = 10
TOLERANCE = 1e-4
SETTINGS: dict[str, Any] = {"drain": 1, "access_log": "false"}


class Switch(msgspec.Struct):
    """One attempt: which version, whether it got the traffic, why not, and how long it took."""

    number: int
    to: str
    switched: bool
    reason: str
    seconds: float


class Proxy(Server):
    """Traefik with one upstream, changed by its file: neither listener nor clients notice.

    Caddy restarts its server at each change of configuration, which closes idle connections of
    clients: a few requests in ten thousand meet one that is closing.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port, self._routes = free_port(), folder / "routes.yml"
        self._routes.write_text("{}")

    def command(self) -> list[str | Path]:
        """Traefik, of this environment."""
        return [
            Path(sys.executable).with_name("traefik"),
            f"--entrypoints.web.address=127.0.0.1:{self.port}",
            f"--providers.file.filename={self._routes}",
            "--providers.providersthrottleduration=50ms",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=ERROR",
        ]

    def is_ready(self) -> bool:
        """Whether it listens."""
        return answers(self.port)

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self.port}"

    def point_at(self, one: Served) -> None:
        """Send new requests to this version; returns once they arrive there."""
        service = {"loadBalancer": {"servers": [{"url": one.url}]}}
        router = {"rule": "PathPrefix(`/`)", "service": "live", "entryPoints": ["web"]}
        routes = {"http": {"routers": {"all": router}, "services": {"live": service}}}
        fresh = self._routes.with_suffix(".new")
        fresh.write_text(json.dumps(routes))  # JSON is YAML
        fresh.rename(self._routes)
        newest = version(one.url)
        until(lambda: version(self.url) == newest, seconds=10, explain=lambda: "no switch")


def version(url: str) -> str:
    """The model that answers there, empty where nothing does."""
    try:
        answered = httpx.get(f"{url}/v1/model", timeout=5)
    except httpx.TransportError:
        return ""
    return str(answered.json()["version"]) if answered.status_code == 200 else ""


def main() -> int:
    """Run the drill, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullrisk-drill-") as name:
        switches, load = drill(Path(name), options.switches)
    wrong = [s for s in switches if s.switched != (s.to in {"blue", "green"})]
    if options.json:
        print(json.dumps({"switches": msgspec.to_builtins(switches), "load": load}))
    else:
        print(table(switches, load))
    return int(bool(wrong or load["failures"] or not load["requests"]))


def drill(folder: Path, count: int) -> tuple[list[Switch], dict[str, Any]]:
    """`count` switches and two refusals under load; the figures of the load."""
    home, models = make_home(folder / "home"), make_models(folder)
    proxy = Proxy(folder / "proxy").start()
    live = Served(home, "--model", str(models["blue"]), **SETTINGS).wait()
    golden = predictions(live.url)
    proxy.point_at(live)
    load = start_load(proxy.url, folder)
    time.sleep(3)
    switches: list[Switch] = []
    try:
        for number, version in enumerate(plan(count), start=1):
            switch, live = attempt(number, version, models[version], live, proxy, golden)
            switches.append(switch)
    finally:
        load.terminate()
        load.wait(timeout=30)
        proxy.stop()
        live.stop()
    return switches, json.loads((folder / "load.json").read_text(encoding="utf-8"))


def plan(count: int) -> list[str]:
    """Green and blue in turns, with the two broken versions in the middle."""
    turns = ["green" if place % 2 == 0 else "blue" for place in range(count)]
    return [*turns[: count // 2], "corrupt", "different", *turns[count // 2 :]]


def attempt(
    number: int, version: str, model: Path, live: Served, proxy: Proxy, golden: list[float]
) -> tuple[Switch, Served]:
    """Try to replace what serves; what serves afterwards."""
    started = time.monotonic()
    other = Served(live.home, "--model", str(model), **SETTINGS)
    reason = refusal(other, golden)
    if reason:
        other.stop()
        return Switch(number, version, False, reason, time.monotonic() - started), live
    proxy.point_at(other)
    live.stop()
    return Switch(number, version, True, "", time.monotonic() - started), other


def refusal(other: Served, golden: list[float]) -> str:
    """Why a version must not get traffic; empty where it may."""
    try:
        other.wait(15)
    except AssertionError:
        return "never ready"
    predicted = predictions(other.url)
    if not np.allclose(predicted, golden, rtol=TOLERANCE):
        return "golden predictions differ"
    return ""


def predictions(url: str) -> list[float]:
    """The risks of some real pull requests."""
    pulls = [opened(300 + place, number=10**6 + place) for place in range(GOLDEN)]
    answered = httpx.post(f"{url}/v1/score?explain=false", json=pulls, timeout=20)
    return [one["risk"] for one in answered.raise_for_status().json()["scores"]]


def make_models(folder: Path) -> dict[str, Path]:
    """Blue and green, equal but for their version; one cut short; one that answers differently."""
    import onnx
    from onnx import numpy_helper

    paths = {name: folder / f"{name}.onnx" for name in ("blue", "green", "corrupt", "different")}
    data = GENERAL.read_bytes()
    paths["blue"].write_bytes(data)
    paths["corrupt"].write_bytes(data[: len(data) // 2])
    model = onnx.load_from_string(data)
    model.doc_string = "green"
    onnx.save(model, paths["green"])
    head = next(tensor for tensor in model.graph.initializer if tensor.name == "wide")
    weights = numpy_helper.to_array(head)
    head.CopyFrom(numpy_helper.from_array(weights * np.float32(0.5), head.name))
    onnx.save(model, paths["different"])
    return paths


def start_load(url: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Locust with a few users until it is terminated."""
    arguments = [sys.executable, "-m", "locust", "--headless", "-f", str(LOCUSTFILE)]
    own = {"PULLRISK_TEST_JSON": str(folder / "load.json"), "PULLRISK_TEST_WAIT": "0.02"}
    return subprocess.Popen(
        [*arguments, "--host", url, "--users", "8", "--spawn-rate", "8", "--loglevel", "ERROR"],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def table(switches: list[Switch], load: dict[str, Any]) -> str:
    """The figures, a line for each switch."""
    lines = [f"{'':>3}  {'to':10}{'switched':10}{'seconds':>8}  why not"]
    lines += [
        f"{s.number:3}  {s.to:10}{'yes' if s.switched else 'refused':10}"
        f"{s.seconds:8.1f}  {s.reason}".rstrip()
        for s in switches
    ]
    done = sum(s.switched for s in switches)
    lines.append(
        f"\n{done} switches, {load['requests']:,} requests, failure ratio {load['failures']:g}, "
        f"p50 {load['p50']} ms, p99 {load['p99']} ms"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
