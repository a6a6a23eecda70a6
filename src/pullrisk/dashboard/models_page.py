"""The model that answers, the registered versions and what the gate said, drift, and feedback."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from litestar import Response

from pullrisk.dashboard.page import reason_of, render
from pullrisk.dashboard.reading import Reader
from pullrisk.errors import PullriskError
from pullrisk.monitor.findings import Findings
from pullrisk.pulls.feedback import KINDS, load_feedback
from pullrisk.serve.endpoints import model_of
from pullrisk.serve.registry import RegistryContents
from pullrisk.serve.sign_in.viewer import Viewer

_WATCHED: Final = 12
"""Repositories whose drift is told, those with the most pulls."""
_FEEDBACK: Final = 30
"""Answers of people that are shown, the latest."""


class RepositoryDrift(msgspec.Struct, frozen=True):
    """What monitoring finds of a repository now, or why it finds nothing."""

    repository: str
    findings: Findings | None
    fault: str | None = None


async def models_page(reader: Reader, viewer: Viewer) -> Response[bytes]:
    """The page."""
    summaries = await reader.store(lambda store: store.repositories())
    feedback = [
        each for each in await reader.store(load_feedback) if viewer.may_read(each.repository)
    ]
    readable = [each for each in summaries if viewer.may_read(each.repository)]
    readable.sort(key=lambda each: -each.merged)
    registered, fault = await _registered(reader)
    metadata = reader.service.loaded.bundle.metadata
    return render(
        "models.html.j2",
        place="models",
        viewer=viewer,
        model=model_of(reader.service),
        facts=metadata.facts,
        trained_until={
            name: datetime.fromtimestamp(at / 1e6, UTC)
            for name, at in sorted(metadata.facts.trained_until.items())
            if viewer.may_read(name)
        },
        categories=metadata.categories,
        registered=registered,
        fault=fault,
        watched=[await _watch(reader, each.repository) for each in readable[:_WATCHED]],
        feedback=feedback[:_FEEDBACK],
        said={kind: sum(each.kind == kind for each in feedback) for kind in KINDS},
    )


async def _registered(reader: Reader) -> tuple[RegistryContents | None, str | None]:
    try:
        return await reader.tables.registry.get(), None
    except PullriskError as error:
        return None, reason_of(error)


async def _watch(reader: Reader, repository: str) -> RepositoryDrift:
    try:
        figures = await reader.tables.figures.get(reader.service, repository)
    except PullriskError as error:
        return RepositoryDrift(repository, None, reason_of(error))
    if figures is None:
        return RepositoryDrift(repository, None, "no pull of it is preprocessed yet")
    return RepositoryDrift(repository, figures.findings)
