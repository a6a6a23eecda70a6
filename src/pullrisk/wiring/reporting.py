"""The report on a session: one HTML page about a model and the pulls of its store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import ScoredPull
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.evaluation import Evaluation


def write_report(
    session: Session,
    bundle: "Bundle",
    evaluation: "Evaluation",
    *,
    name: str,
    output: Path | None = None,
) -> Path:
    """Write the page about an evaluated model, called `name`; the path of the file."""
    from pullrisk.features import NAMES
    from pullrisk.report import build, page
    from pullrisk.train.dataset import Dataset
    from pullrisk.wiring.scoring import make_scorer

    path = output or session.settings.home / "report.html"
    with session.progress.task("write the report", total=2, unit="steps") as task:
        days = bundle.metadata.facts.maturity_days
        contents = build.build(
            scorer=make_scorer(session, bundle),
            model=name,
            dataset=Dataset.from_table(session.lake.table(), NAMES, maturity_days=days),
            evaluation=evaluation,
            store=session.store,
            now=datetime.now(UTC),
        )
        task.advance()
        page.write(page.render(contents), path)
        task.advance()
    return path


def riskiest(session: Session, bundle: "Bundle", *, limit: int) -> "list[ScoredPull]":
    """The riskiest of the recent and open pulls of the session's store."""
    from pullrisk.report.build import riskiest_recent
    from pullrisk.wiring.scoring import make_scorer

    scorer = make_scorer(session, bundle)
    return riskiest_recent(scorer, session.store, now=datetime.now(UTC), limit=limit)
