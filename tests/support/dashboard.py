"""A home whose pages are looked at: kedro's first pulls, of which some are open, one hostile."""

from pathlib import Path
from typing import Final

import httpx
import msgspec

from pullrisk.pulls.sqlite import SqliteStore
from support.processes import until
from support.sample import sample_pulls
from support.serving import STORED, Served, make_home

HOSTILE: Final = "<script>alert(1)</script> \u202e\" onload='x' {{ 7*7 }} [a](javascript:b) &amp;"
TITLES: Final = ("Rework the runner", HOSTILE, "A small change")
"""Titles of the open pulls."""
PUBLISHED: Final = 60
"""Pulls whose scores are published."""


def make_dashboard_home(folder: Path) -> Path:
    """The home, without any score yet."""
    home = make_home(folder / "home")
    pulls = sample_pulls(STORED + len(TITLES))[STORED:]
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert(
            msgspec.structs.replace(
                pull,
                title=title,
                merged_at=None,
                closed_at=None,
                labels=("bug", "<b>"),
                checks="failure",
                head_sha="ab" * 20,
            )
            for pull, title in zip(pulls, TITLES, strict=True)
        )
    return home


def open_numbers() -> list[int]:
    """The numbers of the open pulls."""
    return [pull.number for pull in sample_pulls(STORED + len(TITLES))[STORED:]]


def wait_until_published(service: Served) -> None:
    """Until every score is."""

    def listed() -> str:
        return httpx.get(f"{service.url}/live/pulls?shown=all").text

    until(lambda: f"{PUBLISHED} pulls" in listed(), explain=listed)
