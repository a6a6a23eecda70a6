"""Options that several commands share, so that each means the same everywhere."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder of everything that is local. [dim](PULLRISK_HOME; .pullrisk)[/dim]",
        show_default=False,
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output instead of a table.")
]
Form = Literal["text", "json", "markdown"]
TableForm = Literal["text", "json", "markdown", "csv"]
Format: TypeAlias = Annotated[
    Form | None,
    typer.Option("--format", help="How to print it. [dim](text)[/dim]", show_default=False),
]
TableFormat: TypeAlias = Annotated[
    TableForm | None,
    typer.Option("--format", help="How to print it. [dim](text)[/dim]", show_default=False),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Git: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--git",
        metavar="PATH",
        help="A local clone: its merges, or the pull requests of --file, instead of the store's.",
        show_default=False,
    ),
]
Ref: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Of a clone, the branch or commit that was merged into. "
        "[dim](the remote's default branch)[/dim]",
        show_default=False,
    ),
]
Branches: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--branches",
        help="Of a clone, name the unmerged branches that change the same files or lines.",
    ),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress; print results only.")
]
Repositories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        "-r",
        metavar="OWNER/NAME",
        help="Only this repository; repeat the option for more.",
        show_default=False,
    ),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Processes to use. [dim](PULLRISK_WORKERS; the number of cores)[/dim]",
        show_default=False,
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="A file, a registered version (3) or alias (@champion), or general, the model that "
        "comes with pullrisk; else that of the home.",
        show_default=False,
    ),
]
File: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="Pull requests as JSON, what gh api, gh pr list --json or pullrisk store export "
        "print, plain or gzip; - is standard input.",
        show_default=False,
    ),
]
SkipBadLines: TypeAlias = Annotated[
    bool,
    typer.Option("--skip-bad-lines", help="Of files, go on after what cannot be read, and say so."),
]


def chosen_form(form: TableForm | None, *, as_json: bool) -> TableForm:
    """How to print, of --format and --json."""
    return "json" if as_json else form or "text"
