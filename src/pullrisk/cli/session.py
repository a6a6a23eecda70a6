"""The settings in force, and a session with the progress display that fits them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pullrisk.cli.display.log import write_json_lines
from pullrisk.progress import Progress
from pullrisk.settings import Settings, load
from pullrisk.wiring.session import Session


def load_settings(**options: object) -> Settings:
    """The settings in force; from now on lines are written as they say. Raises SettingsError."""
    settings = load(**options)
    write_json_lines(settings.log_format == "json")
    return settings


@contextmanager
def open_session(
    *, stage: str | None = None, quiet: bool = False, **options: object
) -> Iterator[Session]:
    """`Session.open`, with progress on standard error unless `quiet`."""

    def display(settings: Settings) -> Progress:
        from pullrisk.cli.display.progress import progress

        write_json_lines(settings.log_format == "json")
        return progress(quiet=quiet)

    with Session.open(stage=stage, display=display, **options) as session:
        yield session
