"""The command line's options."""

import argparse
from pathlib import Path
from typing import Final

from delivery.stages import REGISTRY, STAGES

COMMANDS: Final = {
    "changes": "Print whether a stage has to be built, and why.",
    "tests": "List the tests that belong to a stage.",
    "login": "Get the registry's token from Vault, with this job's identity.",
    "sbom": "List the packages inside an image's archive (CycloneDX).",
    "result": "Turn reports of passed tests into what may be signed.",
    "attest": "Sign a statement on an image and attach it in the registry.",
    "update": "Write a tested digest into staging's manifest.",
    "plan": "Show what a promotion would change, and every reason against it.",
    "promote": "Judge a commit of staging, and fast-forward main to it.",
    "rollback": "Write the digest that ran before into main and staging.",
    "secrets": "Search the commits since another one for credentials.",
}
EPILOG: Final = """\
examples:
  python -m delivery changes --stage data-fetch
  python -m delivery plan --json
  python -m delivery promote --candidate COMMIT
  python -m delivery rollback --stage model-serving --reason "answers are wrong"

exit codes: 0 done, 2 wrong command line, 3 refused, 4 wrong input, 5 something cannot be reached.
See docs/delivery.md."""


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="python -m delivery",
        description="From a commit on staging to production.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--clone", type=Path, default=Path(), help="The Git clone (here).")
    found = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands = {
        name: found.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()
    }
    _building(commands)
    _publishing(commands)
    _promoting(commands)
    return top


def _building(commands: dict[str, argparse.ArgumentParser]) -> None:
    changes = commands["changes"]
    _stage(changes)
    changes.add_argument("--commit", default="HEAD", help="What to look at (HEAD).")
    changes.add_argument("--json", action="store_true", help="For programs.")
    _outputs(changes)
    tests = commands["tests"]
    _stage(tests)
    tests.add_argument("--commit", default="HEAD", help="What to look at (HEAD).")
    sbom = commands["sbom"]
    _stage(sbom)
    sbom.add_argument("--archive", type=Path, required=True, help="What `podman save` wrote.")
    _to(sbom)
    result = commands["result"]
    _stage(result)
    result.add_argument("--containers", type=Path, help="JUnit report of the container tests.")
    result.add_argument(
        "--load", type=Path, help="Locust's figures, where they stand apart (JSON)."
    )
    _to(result)
    secrets = commands["secrets"]
    secrets.add_argument("--since", help="Commit that is known to be clean; all history else.")
    secrets.add_argument("--json", action="store_true", help="For programs.")


def _publishing(commands: dict[str, argparse.ArgumentParser]) -> None:
    _outputs(commands["login"])
    attest = commands["attest"]
    _stage(attest)
    _image(attest)
    attest.add_argument("--type", choices=("sbom", "tested"), required=True)
    attest.add_argument("--predicate", type=Path, required=True, help="JSON of what is said.")
    update = commands["update"]
    _stage(update)
    _image(update)
    update.add_argument("--commit", required=True, help="What it was built from.")
    _who(update)


def _promoting(commands: dict[str, argparse.ArgumentParser]) -> None:
    for name in ("plan", "promote", "rollback"):
        _registry(commands[name])
        _who(commands[name])
    for name in ("plan", "promote"):
        commands[name].add_argument("--json", action="store_true", help="For programs.")
    plan = commands["plan"]
    plan.add_argument("--candidate", help="A commit of staging (its tip).")
    plan.add_argument("--local", action="store_true", help="This clone's branches, no remote's.")
    plan.add_argument("--markdown", type=Path, help="Also write a pull request's body here.")
    plan.add_argument("--strict", action="store_true", help="Exit with 3 if it is refused.")
    _outputs(plan)
    commands["promote"].add_argument("--candidate", required=True, help="A commit of staging.")
    _stage(commands["rollback"])
    commands["rollback"].add_argument("--reason", required=True, help="Why, for the commit.")


def _stage(command: argparse.ArgumentParser) -> None:
    command.add_argument("--stage", choices=STAGES, required=True)


def _image(command: argparse.ArgumentParser) -> None:
    command.add_argument("--digest", required=True, help="sha256:…, from the build's metadata.")
    _registry(command)


def _registry(command: argparse.ArgumentParser) -> None:
    command.add_argument("--registry", default=REGISTRY, help="The registry's URL.")
    command.add_argument(
        "--trust-config", type=Path, help="Another Sigstore than the public one (for tests)."
    )


def _who(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--repository", metavar="OWNER/NAME", help="On GitHub (GITHUB_REPOSITORY, or the remote)."
    )


def _to(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", type=Path, required=True, help="Where to write the JSON.")


def _outputs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--outputs", type=Path, help="GitHub's file of outputs to append to.")
