"""`pullrisk completion`: the script that makes a shell complete our commands."""

from typing import Annotated, Literal, TypeAlias

import typer

from pullrisk.cli.app import COMPLETE

Shell: TypeAlias = Annotated[
    Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")
]


def run(shell: Shell) -> None:
    """Print the shell's completion script.

    [bold]Examples[/bold]

      pullrisk completion bash > ~/.local/share/bash-completion/completions/pullrisk

      pullrisk completion fish > ~/.config/fish/completions/pullrisk.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="pullrisk", complete_var=COMPLETE, shell=shell))
