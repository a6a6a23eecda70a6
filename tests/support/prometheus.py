"""A real Prometheus that scrapes one service, to ask it what a roll-out's analysis asks."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import yaml

from support.ports import free_port

UP = "pullrisk_model_info and on () (count_over_time(up[1m]) >= 4)"


def available() -> bool:
    return shutil.which("prometheus") is not None


class Prometheus:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query"

    def ask(self, query: str) -> list[float]:
        """The values of an instant vector."""
        with urlopen(f"{self._url}?{urlencode({'query': query})}", timeout=10) as answer:
            found = json.load(answer)
        return [float(one["value"][1]) for one in found["data"]["result"]]


@contextmanager
def scraping(url: str, labels: Mapping[str, str], folder: Path) -> Iterator[Prometheus]:
    """Prometheus on a free port, once it has scraped `url` a few times."""
    target = {"targets": [urlsplit(url).netloc], "labels": dict(labels)}
    job = {"job_name": "serving", "scrape_interval": "500ms", "scrape_timeout": "500ms"}
    config = {"scrape_configs": [{**job, "static_configs": [target]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(port)
        _wait(server, folder)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(server: Prometheus, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if server.ask(UP):
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError((folder / "prometheus.log").read_text())
