"""The stage spark-preprocess on a session: its store replayed into its lake."""

from typing import TYPE_CHECKING, Literal

from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.preprocess import PreprocessReport

Engine = Literal["local", "spark"]


def preprocess(
    session: Session,
    *,
    engine: Engine = "local",
    repositories: list[str] | None = None,
    full: bool = False,
) -> "PreprocessReport":
    """Replay what is new, or with `full` everything, of all or of the named repositories.

    `local` uses processes of this machine, `spark` the cluster of the settings, whose session it
    starts and stops.
    """
    names = repositories or None
    if engine == "spark":
        from pullrisk.preprocess.spark import preprocess_spark

        return preprocess_spark(
            session.store,
            session.lake,
            options=session.settings.spark,
            json_logs=session.settings.log_format == "json",
            repositories=names,
            full=full,
            progress=session.progress,
        )
    from pullrisk.preprocess import preprocess as replay

    return replay(
        session.store,
        session.lake,
        workers=session.settings.worker_count,
        repositories=names,
        full=full,
        progress=session.progress,
    )
