"""`pullrisk secrets check`: what a stage can and cannot read, never a value."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.text import Text

from pullrisk.cli import options
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import load_settings
from pullrisk.errors import SecretsError

if TYPE_CHECKING:
    from pullrisk.secrets.check import SecretsCheck

Stage: TypeAlias = Annotated[
    str, typer.Option("--stage", metavar="STAGE", help="Whose secrets: data-fetch, ml-training, …")
]


def run() -> None:
    """Say what a stage can and cannot read, never a value."""


def check(stage: Stage, home: options.Home = None, as_json: options.Json = False) -> None:
    """Say which secrets a stage can read, and that it can read no other stage's.

    With VAULT_ADDR it logs in to Vault as that stage would; otherwise it looks at the settings
    and the environment. The exit code is 10 when something is missing or readable by mistake.

    [bold]Examples[/bold]

      pullrisk secrets check --stage data-fetch

      pullrisk secrets check --stage ci --json | jq '.readings[] | select(.state == "missing")'
    """
    from pullrisk.secrets.check import check as look
    from pullrisk.wiring.provision import secrets_in

    settings = load_settings(home=home)
    checked = look(stage, secrets_in(settings), allow_local=settings.allow_local_secrets)
    if as_json:
        print_json(checked)
    else:
        _print(checked)
    if checked.missing:
        raise SecretsError(
            f"{stage} lacks {', '.join(checked.missing)}",
            hint="write them with `bao kv patch`, or without Vault, set them",
        )
    if checked.too_wide:
        raise SecretsError(
            f"{stage} can read what is not its own: {', '.join(checked.too_wide)}",
            hint="narrow its policy: vault/install.sh installs the one in vault/policies",
        )


def _print(checked: "SecretsCheck") -> None:
    styles = {"readable": "green", "missing": "bold red", "absent": "dim"}
    rows: list[list[str | Text]] = [
        [Text(each.state, style=styles[each.state]), each.name, each.sentence]
        for each in checked.readings
    ]
    say(f"{checked.stage}, from {checked.source}")
    print_table(("state", "secret", "what it is"), rows)
    refused = [each.path for each in checked.reach if not each.readable]
    if refused:
        say(f"refused, as it should be: {', '.join(refused)}")
    for path in checked.too_wide:
        warn(f"readable, and not this stage's: {path}")


COMMANDS = {"check": check}
