"""Write delivery/requirements.txt: what jobs with credentials install, each wheel by its hash.

    python tools/lock_delivery.py > delivery/requirements.txt

pip resolves the package's own dependencies with the extras delivery and vault at the versions of
constraints.txt, for the Python and the machine that it runs on: Python 3.11 on Linux, x86-64, as
the runners are.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
EXTRAS: Final = ("delivery", "vault")
UNUSED: Final = "onnxruntime"
"""What a delivery does not need of the package's own dependencies: it scores nothing."""
HEAD: Final = """\
# Written by tools/lock_delivery.py: wheels for Python 3.11 on Linux, x86-64.
# Jobs with credentials install these and nothing else: .github/actions/delivery.
"""


def main() -> int:
    """Print the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line for line in project["dependencies"] if not line.startswith(UNUSED)]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    print(HEAD, end="")
    for package in sorted(_resolved(wanted), key=lambda each: each["metadata"]["name"].lower()):
        facts, digest = package["metadata"], package["download_info"]["archive_info"]["hashes"]
        print(f"{facts['name'].lower()}=={facts['version']} --hash=sha256:{digest['sha256']}")
    return 0


def _resolved(wanted: list[str]) -> list[dict[str, Any]]:
    """pip's report of each package that it would install into an empty environment."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
         "--only-binary", ":all:", "--constraint", str(ROOT / "constraints.txt"),
         "--report", "-", *wanted],
        stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    return list(json.loads(done.stdout)["install"])


if __name__ == "__main__":
    sys.exit(main())
