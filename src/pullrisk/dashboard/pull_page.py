"""A pull: its brief, its files, how unusual each reason is here, and how the score moved."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from litestar import Response
from litestar.exceptions import NotFoundException

from pullrisk.brief.result import Brief, Place
from pullrisk.brief.sections import answers, notes, sections
from pullrisk.dashboard.page import render
from pullrisk.dashboard.reading import Reader
from pullrisk.dashboard.strip import Strip, strips
from pullrisk.dashboard.trend import steps_plot
from pullrisk.pulls.file_kinds import KINDS, path_facts
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.scores import Key
from pullrisk.serve.scoring import BriefAndRow, examine
from pullrisk.serve.sign_in.viewer import Viewer

MOST_FILES: Final = 300
"""Files of a pull that its page lists."""


class FileRow(msgspec.Struct, frozen=True):
    """A changed file, and its part of the risk, None if nobody knows it."""

    file: ChangedFile
    kind: str
    place: Place | None


async def pull_page(reader: Reader, viewer: Viewer, key: Key) -> Response[bytes]:
    """The page. Raises NotFoundException if the store has no such pull."""
    repository, number = key
    pull = await reader.store(lambda store: store.get(repository, number))
    if pull is None or pull.is_push:
        raise NotFoundException
    published = await reader.scores(lambda table: table.get(repository, number))
    examined = await examine(reader.service, pull, now=datetime.now(UTC))
    brief = examined.brief
    brief_sections = sections(brief)
    return render(
        "pull.html.j2",
        place="pulls",
        viewer=viewer,
        pull=pull,
        brief=brief,
        answers=answers(brief),
        notes=notes(brief),
        leading=[each for each in brief_sections if not each.folded],
        following=[each for each in brief_sections if each.folded],
        strips=_strips(reader, examined),
        files=list(_files(pull, brief)),
        most_files=MOST_FILES,
        kept=published,
        steps=None
        if published is None or len(published.steps) < 2
        else steps_plot(published.steps),
    )


def _strips(reader: Reader, examined: BriefAndRow) -> list[Strip]:
    metadata, brief = reader.service.loaded.bundle.metadata, examined.brief
    return strips(metadata, brief.repository, [*brief.raising, *brief.lowering], examined.row)


def _files(pull: Pull, brief: Brief) -> Iterator[FileRow]:
    """The files, those that carry most of the risk first."""
    places = {place.path: place for place in brief.places}
    files = sorted(
        pull.files or (),
        key=lambda file: -places[file.path].share if file.path in places else 0.0,
    )
    for file in files[:MOST_FILES]:
        yield FileRow(file, KINDS[path_facts(file.path).kind], places.get(file.path))
