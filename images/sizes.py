"""Print the size of the image of each stage at a commit, beside what it may be."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from images.build import REGISTRY, STAGES, git
from images.engine import EngineError, find

MEGABYTE = 1_000_000
LIMITS = {"data-fetch": 250, "ml-training": 900, "model-serving": 350}
"""Megabytes that an image may have, unpacked."""


def main() -> int:
    """A table or JSON; 1 if an image is too large or missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="(all)")
    parser.add_argument("--tag", help="(the commit of HEAD)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = sizes(options.stages or STAGES, options.tag or git("rev-parse", "HEAD"))
    except (EngineError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for stage, size in found.items():
            limit = f"of {LIMITS[stage]} MB" if stage in LIMITS else ""
            print(f"{stage:<18} {size:>7.1f} MB {limit}".rstrip())
    return int(any(size > LIMITS.get(stage, size) for stage, size in found.items()))


def sizes(stages: Sequence[str], tag: str) -> dict[str, float]:
    """Stage → megabytes, unpacked. Raises EngineError if an image is missing."""
    engine = find()
    return {
        stage: round(
            int(engine.inspect("image", f"{REGISTRY}/{stage}:{tag}")["Size"]) / MEGABYTE, 1
        )
        for stage in stages
    }


if __name__ == "__main__":
    sys.exit(main())
