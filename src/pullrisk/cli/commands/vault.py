"""`pullrisk vault bootstrap`: engines, policies, roles and secrets into a Vault."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.text import Text

from pullrisk.cli import options
from pullrisk.cli.output import print_json, print_table, say
from pullrisk.errors import InputError, SettingsError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pullrisk.secrets.bootstrap import Loaded, Step

Folder: TypeAlias = Annotated[
    Path, typer.Option("--folder", metavar="DIR", help="Where the policies and roles are.")
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change, change nothing.")
]
Stdin: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--stdin", help='Read secrets as JSON from standard input: {"STAGE": {"NAME": …}}'
    ),
]
Prompt: TypeAlias = Annotated[
    bool, typer.Option("--prompt", help="Ask for each secret of each stage, unseen.")
]
TokenFile: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="The operator's token, as `bao login` leaves it; asked for where there is none.",
    ),
]
Namespace: TypeAlias = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="Kubernetes namespace of the stages.")
]
Repository: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--repository",
        metavar="OWNER/NAME",
        help="GitHub repository whose workflows may log in; without it CI's role is left out.",
        show_default=False,
    ),
]
Host: TypeAlias = Annotated[
    str, typer.Option("--kubernetes-host", metavar="URL", help="Kubernetes' API, as Vault sees it.")
]


def run() -> None:
    """Bring a Vault to the policies and roles in vault/, load secrets."""


def bootstrap(
    folder: Folder = Path("vault"),
    dry_run: DryRun = False,
    stdin: Stdin = False,
    prompt: Prompt = False,
    namespace: Namespace = "pullrisk",
    repository: Repository = None,
    kubernetes_host: Host = "https://kubernetes.default.svc",
    token_file: TokenFile = Path("~/.vault-token"),
    as_json: options.Json = False,
) -> None:
    """Bring the Vault at VAULT_ADDR to what the folder says, and load secrets into it.

    Only what differs is changed, so it can be run again at any time. Secrets come from prompts
    or from standard input, never from arguments or the environment; those that are not given
    stay as they are.

    [bold]Examples[/bold]

      pullrisk vault bootstrap --dry-run

      pullrisk vault bootstrap --repository owner/name --prompt

      sops decrypt secrets.json | pullrisk vault bootstrap --stdin
    """
    from pullrisk.secrets.admin import Admin
    from pullrisk.secrets.bootstrap import bootstrap as install
    from pullrisk.secrets.config import vault_config
    from pullrisk.secrets.folder import read_folder

    if stdin and prompt:
        raise typer.BadParameter("take secrets from --stdin or from --prompt, not from both")
    config = vault_config(os.environ, "operator")
    if config is None:
        raise SettingsError("VAULT_ADDR is not set", hint="set it to the address of your Vault")
    given = {"namespace": namespace, "kubernetes_host": kubernetes_host}
    wanted = read_folder(folder, given | ({"repository": repository} if repository else {}))
    token = _operator_token(token_file.expanduser())
    loaded = _from_stdin() if stdin else _from_prompts() if prompt else {}
    steps = install(Admin(config, token), wanted, loaded, dry_run=dry_run)
    if as_json:
        print_json(steps)
    else:
        _print(steps, dry_run=dry_run)


def _print(steps: "list[Step]", *, dry_run: bool) -> None:
    rows: list[list[str | Text]] = [[one.action, one.kind, one.name, one.note] for one in steps]
    print_table(("action", "what", "name", "note"), rows)
    changes = sum(one.action in ("create", "update") for one in steps)
    say(f"{changes} {'would change' if dry_run else 'changed'}, {len(steps) - changes} left alone")


def _operator_token(path: Path) -> "SecretStr":
    from pydantic import SecretStr

    from pullrisk.redaction import REDACTOR

    if path.is_file():
        token = path.read_text(encoding="utf-8").strip()
    elif sys.stdin.isatty():
        token = getpass.getpass("Vault token: ").strip()
    else:
        raise SettingsError(
            f"no operator's token: {path} is no file", hint="run `bao login`, or use --token-file"
        )
    REDACTOR.learn(token)
    return SecretStr(token)


def _from_stdin() -> "Loaded":
    import msgspec
    from pydantic import SecretStr

    from pullrisk.secrets.names import needs_of

    try:
        found = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, dict[str, str]])
    except msgspec.DecodeError as error:
        raise InputError(
            f"standard input holds no secrets: {error}",
            hint='it has to be JSON of text values: {"data-fetch": {"mongo_uri": "..."}}',
        ) from None
    for stage, values in found.items():
        for name in values:
            if name not in needs_of(stage).names:
                raise InputError(
                    f"{stage} has no secret named {name!r}",
                    hint=f"it has: {', '.join(needs_of(stage).names)}",
                )
    return {
        stage: {name: SecretStr(value) for name, value in values.items()}
        for stage, values in found.items()
    }


def _from_prompts() -> "Loaded":
    from pydantic import SecretStr

    from pullrisk.secrets.names import SECRETS, STAGES

    say("Each answer stays unseen; an empty one leaves what is in Vault.")
    asked = {
        stage: {
            name: getpass.getpass(f"{stage} {name} ({SECRETS[name].sentence}): ").strip()
            for name in needs.names
        }
        for stage, needs in STAGES.items()
    }
    return {
        stage: {name: SecretStr(value) for name, value in values.items() if value}
        for stage, values in asked.items()
    }


COMMANDS = {"bootstrap": bootstrap}
