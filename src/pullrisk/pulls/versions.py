"""Two versions of one pull request, of which a store keeps the newer one."""

from msgspec.structs import replace

from pullrisk.pulls.people import ROBOTIC, name_of
from pullrisk.pulls.record import Pull


def joined(stored: Pull, new: Pull) -> Pull:
    """The newer version (`new` if both are as old), with the names that the other one knows.

    GitHub names the author by login, a clone by address: a pull that is known from both ties
    them. That the commits are another's work (a bot's pull of a person's commits, two logins)
    ties nothing.
    """
    newer, older = (stored, new) if stored.updated_at > new.updated_at else (new, stored)
    names = dict.fromkeys(newer.author_names)
    own = len(names)
    names.update(dict.fromkeys(_names_for(newer, older)))
    return newer if len(names) == own else replace(newer, author_names=tuple(names))


def _names_for(newer: Pull, older: Pull) -> list[str]:
    """What the older version adds to the names of the newer one's author."""
    names = [name for name in older.author_names if name != ROBOTIC]
    if newer.author != older.author:
        if newer.bot != older.bot or not _from_two_sources(newer, older):
            return []
        names += [name_of(older.author)] if older.author else []
    main = name_of(newer.author) if newer.author else None
    logins = {name for name in (main, *newer.author_names) if name and name.startswith("login:")}
    others = {name for name in names if name.startswith("login:")}
    if logins and others and logins.isdisjoint(others):
        return []
    return [name for name in names if name != main]


def _from_two_sources(newer: Pull, older: Pull) -> bool:
    """Whether one is named by login, or by nobody (a deleted account), the other by address."""
    kinds = {name_of(pull.author)[:5] if pull.author else "login" for pull in (newer, older)}
    return len(kinds) == 2
