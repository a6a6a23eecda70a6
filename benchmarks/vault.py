"""What secrets cost at start-up: a fresh process, OpenBao on loopback, Kubernetes auth.

    make bench-vault ARGS="[--runs N] [--json]"

Each run is a new process that has loaded its settings, as every command does, and then takes a
stage's secrets from Vault: the client library's import, login with review of the token, the read
of KV version 2. Beside it the bare parts. Exit code 1 where the median misses its limit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from support.bao import Bao
from support.certificates import make_certificates
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.vault import install, trusting

LIMIT = 150.0
"""Milliseconds, with Vault on loopback."""

PROGRAM = """
import json, sys, time
from pullrisk.settings import load
settings = load()
marks = [time.perf_counter()]
def lap():
    marks.append(time.perf_counter())
from pullrisk.secrets.client import import_hvac
from pullrisk.wiring.provision import provide
import_hvac()
lap()
filled, secrets = provide(settings, "model-serving")
lap()
secrets.refresh()
lap()
for _ in range(100_000):
    secrets.snapshot().values["api_keys"]
lap()
secrets.close()
laps = [1000 * (after - before) for before, after in zip(marks, marks[1:])]
names = ("import of the client", "login and first read", "a read again", "100,000 values")
print(json.dumps(dict(zip(names, laps)) | {"start-up": laps[0] + laps[1]}))
"""


def main() -> int:
    """Measure, print, and say by the exit code whether the limit holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullrisk-bench-") as folder:
        runs = measured(Path(folder), options.runs)
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    if options.json:
        print(json.dumps({"runs": options.runs, "limit_ms": LIMIT, "median_ms": figures}))
    else:
        print(table(figures, runs))
    return int(figures["start-up"] > LIMIT)


def measured(folder: Path, runs: int) -> list[dict[str, float]]:
    """Milliseconds of each part, one mapping a run, after one run that warms the file cache."""
    accounts, certificates = ServiceAccounts(), make_certificates(folder)
    with TokenReviews(accounts, certificates) as reviews, Bao(folder / "bao") as server:
        install(server, trusting(folder / "vault", reviews, certificates, accounts))
        (folder / "token").write_text(accounts.token("model-serving"))
        environment = {
            "PATH": os.environ["PATH"],
            "VAULT_ADDR": server.address,
            "VAULT_JWT_FILE": str(folder / "token"),
        }
        return [one_run(environment) for _ in range(runs + 1)][1:]


def one_run(environment: dict[str, str]) -> dict[str, float]:
    """One fresh process."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    laps: dict[str, float] = json.loads(done.stdout)
    return laps


def table(figures: dict[str, float], runs: list[dict[str, float]]) -> str:
    """The median, smallest and largest of each part in milliseconds."""
    lines = [f"{'ms':26}{'median':>9}{'min':>9}{'max':>9}"]
    for name, median in figures.items():
        values = [run[name] for run in runs]
        lines.append(f"{name:26}{median:9.1f}{min(values):9.1f}{max(values):9.1f}")
    met = "met" if figures["start-up"] <= LIMIT else "MISSED"
    return "\n".join([*lines, f"limit for start-up: {LIMIT:.0f} ms, {met}"])


if __name__ == "__main__":
    sys.exit(main())
