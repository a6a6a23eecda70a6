"""A repository: how it fares, how well the answers did, where it is hot, what is open there."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import Response
from litestar.exceptions import NotFoundException
from markupsafe import Markup

from pullrisk.brief.index import index_of
from pullrisk.dashboard.figures import Figures
from pullrisk.dashboard.hot import HotFile, by_directory, hot_files, present
from pullrisk.dashboard.page import reason_of, render
from pullrisk.dashboard.reading import Reader
from pullrisk.dashboard.treemap import treemap
from pullrisk.dashboard.trend import quarters_plot
from pullrisk.errors import PullriskError
from pullrisk.pulls.scores import PublishedScore, ScoreQuery
from pullrisk.pulls.store import RepositorySummary
from pullrisk.serve.scoring import history_of
from pullrisk.serve.sign_in.viewer import Viewer

_OPEN: Final = 300
"""Open pulls that are looked at for what is open in hot files."""
_SHOWN_OPEN: Final = 10
_SHOWN_FILES: Final = 25


class HotRow(msgspec.Struct, frozen=True):
    """A hot file, and how many open pulls change it."""

    file: HotFile
    open: int


class Heat(msgspec.Struct, frozen=True):
    """The picture of the hot files, and the first of them."""

    picture: Markup | None
    rows: list[HotRow]


async def repositories_page(reader: Reader, viewer: Viewer) -> Response[bytes]:
    """All repositories that the viewer may read, with how many open pulls are in each band."""
    summaries = await reader.store(lambda store: store.repositories())
    counts = await reader.scores(lambda table: table.counts())
    readable = [each for each in summaries if viewer.may_read(each.repository)]
    return render(
        "repositories.html.j2",
        place="repositories",
        viewer=viewer,
        summaries=readable,
        counts=counts,
    )


async def repository_page(reader: Reader, viewer: Viewer, name: str) -> Response[bytes]:
    """The page of one repository. Raises NotFoundException if the store has no pull of it."""
    summary = await _summary(reader, name)
    query = ScoreQuery(repository=name, state="open", limit=_OPEN)
    still_open = await reader.scores(lambda table: table.page(query))
    figures, fault = await _figures(reader, name)
    return render(
        "repository.html.j2",
        place="repositories",
        viewer=viewer,
        summary=summary,
        open=still_open.scores[:_SHOWN_OPEN],
        total_open=still_open.total,
        figures=figures,
        fault=fault,
        plot=None if figures is None else quarters_plot(figures.quarters),
        heat=await _heat(reader, name, still_open.scores),
        until=reader.service.loaded.bundle.metadata.facts.trained_until.get(name),
    )


async def _summary(reader: Reader, name: str) -> RepositorySummary:
    summaries = await reader.store(lambda store: store.repositories())
    for summary in summaries:
        if summary.repository == name:
            return summary
    raise NotFoundException


async def _figures(reader: Reader, name: str) -> tuple[Figures | None, str | None]:
    """The figures, and why there are none if the lake cannot be read."""
    try:
        return await reader.tables.figures.get(reader.service, name), None
    except PullriskError as error:
        return None, reason_of(error)


async def _heat(reader: Reader, name: str, still_open: Sequence[PublishedScore]) -> Heat | None:
    """The hot files; None if nothing is known of the repository."""
    history = (await history_of(reader.service, name)).history
    if history is None:
        return None
    index = await asyncio.to_thread(index_of, history)
    files = present(history, await asyncio.to_thread(hot_files, history, index))
    touched = Counter(path for pull in still_open for path in pull.paths)
    picture = await asyncio.to_thread(treemap, by_directory(files), name=name)
    order = sorted(files, key=lambda file: -file.share * file.changes)
    return Heat(picture, [HotRow(file, touched[file.path]) for file in order[:_SHOWN_FILES]])
