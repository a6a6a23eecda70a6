"""The brief of one open pull from a clone alone, as a repository's configuration asks for it."""

from datetime import datetime
from typing import TYPE_CHECKING

from pullrisk.errors import NotEnoughDataError
from pullrisk.repository_config.options import RepositoryConfig
from pullrisk.repository_config.rules import bands_of
from pullrisk.wiring.scoring import Clone, FoldedClone
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief
    from pullrisk.pulls.record import Pull


def brief_open_pull(
    session: Session,
    clone: Clone,
    pull: "Pull",
    *,
    config: RepositoryConfig,
    model: str | None = None,
    now: datetime,
) -> "Brief":
    """The brief of a pull whose commits the clone has; `clone.ref` is the branch learnt from.

    Raises InputError, NotEnoughDataError if no merge there names a pull or its commits cannot be
    read, ModelError.
    """
    from pullrisk.brief.make import BriefMaker
    from pullrisk.model.metadata import OperatingPoints

    with FoldedClone(session, clone) as folded:
        (whole,) = folded.complete([pull])
        if whole.files is None:
            raise NotEnoughDataError("its commits cannot be compared with the branch it goes into")
        bands = bands_of(config, whole)
        points = OperatingPoints(high=bands.high, elevated=bands.elevated)
        scorer, _ = folded.scorer(model, points=points)
        return BriefMaker(scorer, folded.diffs()).brief(whole, now=now)
