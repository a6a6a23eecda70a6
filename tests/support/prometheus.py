"""A real Prometheus that scrapes one service, to ask it what a roll-out's analysis asks."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import yaml

from support.ports import free_port
from support.processes import Server

UP = "pullrisk_model_info and on () (count_over_time(up[1m]) >= 4)"


def available() -> bool:
    return shutil.which("prometheus") is not None


class Prometheus(Server):
    """A server that scrapes `url`, ready once it has done so a few times."""

    def __init__(self, url: str, labels: Mapping[str, str], folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()
        target = {"targets": [urlsplit(url).netloc], "labels": dict(labels)}
        job = {"job_name": "serving", "scrape_interval": "500ms", "scrape_timeout": "500ms"}
        config = {"scrape_configs": [{**job, "static_configs": [target]}]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]

    def is_ready(self) -> bool:
        return bool(self.ask(UP))

    def ask(self, query: str) -> list[float]:
        """The values of an instant vector."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urlencode({'query': query})}"
        with urlopen(url, timeout=10) as answer:
            body = json.load(answer)
        return [float(one["value"][1]) for one in body["data"]["result"]]
