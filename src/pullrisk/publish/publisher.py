"""What a pull request is told at GitHub, as `.github/pullrisk.yml` of its base branch asks for it:
a check run, one comment that is updated in place, a label for the band.
"""

from collections.abc import Awaitable, Callable, Iterator

import msgspec

from pullrisk.fetch.github.failures import Forbidden, NotFound
from pullrisk.publish import change, comments, render
from pullrisk.publish.api import Api, repository_path
from pullrisk.publish.change import Snapshot
from pullrisk.publish.checks import Annotation, CheckOutput, put_check
from pullrisk.publish.labels import put_labels
from pullrisk.publish.result import Result
from pullrisk.repository_config.options import DEFAULTS, PATH, RepositoryConfig
from pullrisk.repository_config.reading import ConfigError, parse
from pullrisk.repository_config.rules import reaches


class Publisher(msgspec.Struct, frozen=True, kw_only=True):
    """Publishes in one repository.

    `author` tells the login that `api` writes as, `foot` is the last line of what is written.
    `checks_by_default` is whether a check run is written if the configuration does not say.
    """

    api: Api
    repository: str
    author: Callable[[], Awaitable[str]]
    foot: str
    checks_by_default: bool

    async def read_config(self, branch: str | None) -> tuple[RepositoryConfig, tuple[str, ...]]:
        """What the file of the branch says, and what is wrong with it. Raises a Failure."""
        path = repository_path(self.repository, "contents") + f"/{PATH}"
        try:
            data = await self.api.raw(path, **({} if branch is None else {"ref": branch}))
        except NotFound:
            return DEFAULTS, ()
        except Forbidden:
            return DEFAULTS, (f"{PATH} may not be read: grant the permission contents: read",)
        try:
            return parse(data), ()
        except ConfigError as error:
            return DEFAULTS, (error.notice,)

    async def publish(
        self,
        result: Result,
        config: RepositoryConfig,
        *,
        subject: str,
        before: Snapshot | None = None,
        relayed: bool = False,
    ) -> None:
        """Check run, comment and label as the configuration asks. May be repeated.

        `subject` tells the pull's check run from others, `before` is what was told without a
        comment. Raises a Failure.
        """
        if self.writes_check(config):
            output = check_output(result, self.foot, annotated=config.annotations)
            await put_check(
                self.api, self.repository, result.head_sha, subject=subject, output=output
            )
        if config.comment != "off":
            await self._comment(result, config, before, relayed=relayed)
        if config.labels is not None:
            await put_labels(self.api, self.repository, result.number, config.labels, result.band)

    def writes_check(self, config: RepositoryConfig) -> bool:
        """Whether a check run is asked for."""
        return self.checks_by_default if config.check_run is None else config.check_run

    async def _comment(
        self, result: Result, config: RepositoryConfig, before: Snapshot | None, *, relayed: bool
    ) -> None:
        """Bring the comment up to date, or write one if the band asks for it."""
        existing = await comments.own_comment(
            self.api, self.repository, result.number, author=await self.author()
        )
        if existing is None and not reaches(result.band, config.comment):
            return
        earlier, now = comments.snapshot_in(existing), change.snapshot_of(result)
        if earlier == now:  # what it says of the last push stays
            return
        earlier = earlier or before
        changes = [] if earlier is None else change.sentences(earlier, now)
        text = render.comment(result, changes, foot=self.foot, relayed=relayed)
        await comments.put_comment(
            self.api, self.repository, result.number, existing, text=text, snapshot=now
        )


def check_output(result: Result, foot: str, *, annotated: bool) -> CheckOutput:
    """The verdict as the title, the whole brief below, a note at each range of lines to look at."""
    brief = result.brief
    title = f"Not scored: {result.reason}" if brief is None else brief.verdict
    return CheckOutput(
        title=title,
        summary=render.comment(result, foot=foot),
        annotations=tuple(_annotations(result)) if annotated else (),
    )


def _annotations(result: Result) -> Iterator[Annotation]:
    """The most important place first, as in the brief."""
    for place in result.brief.places if result.brief else ():
        for lines in place.ranges:
            yield Annotation(
                path=place.path, start_line=lines.first, end_line=lines.last, message=lines.text
            )
