"""`make loadtest`: serve the bundled model on the bundled sample, and let Locust loose on it.

    python tests/performance/loadtest.py [--seconds N] [--users N] [--soak] [--out FOLDER]

--soak runs 30 minutes at about 70 % of what the first ten seconds could take, and watches the
memory and the file descriptors of the workers. Exit code 1 where a threshold is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.serving import make_home, served  # noqa: E402  (a script beside the tests)

CAPACITY = 0.7


def main() -> int:
    """Serve, load, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / ".pullrisk" / "loadtest")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pullrisk-load-") as folder:
        home = make_home(Path(folder) / "home")
        with served(home, access_log=True) as one:
            if not options.soak:
                return locust(one.url, options.out, options.seconds, options.users)
            locust(one.url, options.out, 10, options.users)
            figures = json.loads((options.out / "load.json").read_text(encoding="utf-8"))
            seconds = max(options.seconds, 1800) if options.seconds == 30 else options.seconds
            rate = CAPACITY * figures["requests_per_second"]
            own = {
                "PULLRISK_TEST_SOAK_PID": str(one.process.pid),
                "PULLRISK_TEST_WAIT": str(4 * options.users / rate),
            }
            return locust(one.url, options.out, seconds, 4 * options.users, **own)


def locust(url: str, out: Path, seconds: int, users: int, **variables: str) -> int:
    """One run of the locustfile; its exit code."""
    arguments = [
        *(sys.executable, "-m", "locust", "--headless", "--only-summary", "--host", url),
        *("-f", str(ROOT / "tests" / "performance" / "locustfile.py")),
        *("--users", str(users), "--spawn-rate", "100", "--run-time", f"{seconds}s"),
        *("--html", str(out / "load.html"), "--loglevel", "WARNING"),
    ]
    own = {"PULLRISK_TEST_JSON": str(out / "load.json"), **variables}
    return subprocess.run(arguments, env=os.environ | own, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
