"""Serve the fake GitHub: `make fake-github`, or python -m fake_github with tests on the path.

    PULLRISK_GITHUB_URL=http://127.0.0.1:8765 PULLRISK_GITHUB_TOKEN=fake-token pullrisk fetch o/r

GET /_fake/counts tells requests and points so far.
"""

import argparse
import sys
from pathlib import Path

import uvicorn

from fake_github.app import FakeGitHub
from fake_github.faults import KINDS, Faults
from fake_github.schema import NotInstalledError, github_schema
from fake_github.world import World, load_sample
from support.sample import FOLDER

TOKEN = "fake-token"


def main() -> int:
    """Serve until stopped."""
    options = _options()
    try:
        github_schema()
    except NotInstalledError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    world = World()
    for name in options.repository or sample_names():
        load_sample(world, name, first=options.pulls)
    faults = Faults(
        seed=options.seed,
        rates={kind: float(rate) for kind, _, rate in (f.partition("=") for f in options.fault)},
        too_large_above=options.too_large_above,
        delay=options.delay,
        slow=options.slow,
        hang_after=options.hang_after,
    )
    app = FakeGitHub(world, faults=faults, remember=options.remember, clones=options.clones)
    app.accounts.tokens[TOKEN].limit = options.points
    config = uvicorn.Config(
        app, port=options.port, log_level="error", lifespan="off",
        timeout_keep_alive=180,  # a client may be kept from its next request that long
    )  # fmt: skip
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen(128)  # who reads the line below may connect at once
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    names = " ".join(each.name for each in world.repositories.values())
    print(
        f"PULLRISK_GITHUB_URL={url} PULLRISK_GITHUB_TOKEN={TOKEN} pullrisk fetch {names}",
        flush=True,
    )
    server.run(sockets=[socket])
    return 0


def sample_names() -> list[str]:
    """Repositories of the bundled sample."""
    return [
        path.name.removesuffix(".jsonl.gz").replace("__", "/")
        for path in sorted(FOLDER.glob("*.jsonl.gz"))
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_github", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--repository", action="append", help="of the sample; repeat for more")
    parser.add_argument("--pulls", type=int, help="only the first so many of each repository")
    parser.add_argument("--points", type=int, default=5_000, help="budget an hour")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds of the fault `slow`")
    parser.add_argument("--hang-after", type=int, help="pages; the next one is never answered")
    parser.add_argument("--too-large-above", type=int, help="pulls a page")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND=RATE", help=", ".join(KINDS)
    )
    parser.add_argument("--clones", type=Path, help="folder of owner/name.git to clone")
    parser.add_argument("--remember", action="store_true", help="keep answers, for benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
