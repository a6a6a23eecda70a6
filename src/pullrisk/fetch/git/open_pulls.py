"""Who wrote a pull request that is still open, where the clone has its own commits.

GitHub names the author by login, the clone's history by address: the commits have both met.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.people import Writer, Writers, addresses_of
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.people import Account, agent_of, is_bot, login_of
from pullrisk.pulls.record import Pull

MOST_COMMITS: Final = 250
"""Commits of a pull that are looked at, as many as GitHub's API lists."""
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF: Final = re.compile(r"(?!-)[^\x00-\x20~^:?*\[\\\x7f\ud800-\udfff]{1,255}")
_FORMAT: Final = "--format=%aN%x00%aE%x00%ae%x00%B"


class _Commits(msgspec.Struct):
    """What a pull's own commits say."""

    writers: Writers
    text: str


def with_author(git: Git, pull: Pull, *, base: str, salt: bytes) -> Pull:
    """The pull; if it is open, with the names and the agent that its own commits tell.

    `base` is the commit that the history was read from: a pull's own commits are those that it
    does not reach.
    """
    if pull.event_at is not None:
        return pull
    commits = _own_commits(git, pull, base)
    if commits is None:
        return pull
    account = Account(login=pull.author or "")
    agent = agent_of(account, bot=pull.bot, head_ref=pull.head_ref, text=commits.text)
    writer = _author_among(commits.writers, pull)
    names = addresses_of(writer, salt) if writer else ()
    further = dict.fromkeys((*pull.author_names, *names))
    return replace(pull, author_names=tuple(further), agent=pull.agent or agent)


def _own_commits(git: Git, pull: Pull, base: str) -> _Commits | None:
    """Writers and messages of the commits that only the pull has; None if the clone has none."""
    head = head_of(git, pull)
    if head is None:
        return None
    others = [base, *base_branches(git, pull)]
    tokens = git.log(
        *("--no-patch", "--no-merges", f"--max-count={MOST_COMMITS}", _FORMAT),
        *(head, "--not", *others, "--"),
    )
    writers, messages = Writers(), []
    with suppress(InputError):  # a commit that the clone lacks: what comes before it counts
        for fields in zip(*[iter(tokens)] * 4, strict=False):
            name, email, address, message = (field.decode(errors="replace") for field in fields)
            writers.add(name, email, address)
            messages.append(message)
    return _Commits(writers, "\n\n".join(messages)) if messages else None


def head_of(git: Git, pull: Pull) -> str | None:
    """The pull's last commit; None if the clone does not have it."""
    return next(filter(None, (git.commit(ref) for ref in _heads(git, pull))), None)


def base_branches(git: Git, pull: Pull) -> list[str]:
    """The last commits of the branches with the name of the pull's base: the remote's first."""
    named = (git.commit(ref) for ref in _branches(git, pull.base_ref or ""))
    return list(filter(None, named))


def _heads(git: Git, pull: Pull) -> Iterator[str]:
    """Where the clone may have the pull's head: by sha, as GitHub's ref, as a branch."""
    if pull.head_sha and _SHA.fullmatch(pull.head_sha):
        yield pull.head_sha
    yield f"refs/pull/{pull.number}/head"
    yield f"refs/remotes/{git.remote}/pull/{pull.number}/head"
    yield f"refs/remotes/{git.remote}/pr/{pull.number}"
    # A fork's branch may have the name of another one here.
    if pull.head_ref and pull.head_repository in (None, pull.repository):
        yield from _branches(git, pull.head_ref)


def _branches(git: Git, name: str) -> Iterator[str]:
    if _REF.fullmatch(name):
        yield f"refs/remotes/{git.remote}/{name}"
        yield f"refs/heads/{name}"


def _author_among(writers: Writers, pull: Pull) -> Writer | None:
    """Whose commits are the author's: an address of the login's, else of most commits.

    None if nobody wrote most of them, or a person's for a bot's pull, or a bot's for a person's.
    """
    login = (pull.author or "").lower()
    everyone = list(writers.by_email.values())
    for writer in everyone:
        if login and login in map(login_of, writer.addresses):
            return writer
    main = writers.main
    total = sum(writer.commits for writer in everyone)
    if main is None or 2 * main.commits <= total or is_bot(main.account) != pull.bot:
        return None
    other = main.account.login
    return None if other and login and other.lower() != login else main
