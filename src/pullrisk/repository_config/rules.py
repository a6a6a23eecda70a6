"""What the configuration says of one pull: whether it is scored, and how its bands are cut."""

from typing import Final

from pullrisk.pulls.record import Pull
from pullrisk.repository_config.globs import PathGlobs, matches
from pullrisk.repository_config.options import BandName, Bands, FailOn, From, RepositoryConfig

BANDS: Final[tuple[BandName, ...]] = ("low", "elevated", "high")
"""The bands of risk, the lowest first."""


def reason_to_skip(config: RepositoryConfig, pull: Pull) -> str | None:
    """Why the configuration leaves the pull out; None if it is to be scored."""
    skip = config.skip
    if pull.draft and skip.drafts:
        return "it is a draft"
    if matches(skip.authors, pull.author):
        return "skip.authors names its author"
    if pull.bot and skip.bots:
        return "its author is a bot"
    if any(matches(skip.labels, label) for label in pull.labels):
        return "skip.labels names one of its labels"
    if matches(skip.branches, pull.head_ref):
        return "skip.branches names its branch"
    if matches(skip.bases, pull.base_ref):
        return "skip.bases names the branch that it goes into"
    if matches(skip.titles, pull.title):
        return "skip.titles names its title"
    return None


def bands_of(config: RepositoryConfig, pull: Pull) -> Bands:
    """The bands of the pull: the file's own, or the widest among the thresholds of its paths."""
    paths = [path for file in pull.files or () for path in (file.path, file.previous_path) if path]
    own = [each.bands for each in config.thresholds if PathGlobs(each.paths).any(paths)]
    if not own:
        return config.bands
    high = max(each.high for each in own)
    elevated = max(each.elevated for each in own)
    return Bands(high=high, elevated=min(elevated, (1 - high) * 0.99))


def reaches(band: BandName | None, start: From | FailOn) -> bool:
    """Whether a pull in a band (None: no score) is one for which something is done from `start`."""
    if start in ("off", "never") or band is None:
        return False
    return start == "always" or BANDS.index(band) >= BANDS.index(start)
