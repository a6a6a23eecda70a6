"""Which of an author's names are one person's, in one repository's history.

Sources name people differently: GitHub by login, a clone by e-mail address. Every pull may tie
some names together (`Pull.author_names`); what is tied later counts for earlier pulls too, because
the records of authors that turn out to be one are merged (`author.Authors`).
"""

from typing import Final

from pullrisk.pulls.people import ROBOTIC, name_of
from pullrisk.pulls.record import Pull

LOGIN: Final = 1
EMAIL: Final = 2
ROBOT: Final = 4
"""Kinds of names, as bits of one number."""
BOT: Final = 8
"""Stands among the kinds of an author who was called a bot."""


def names_of(pull: Pull) -> list[str]:
    """The names that the pull's source gives its author, the one that it is filed under first."""
    names = [] if pull.author is None else [name_of(pull.author)]
    for name in pull.author_names:
        if name not in names:
            names.append(name)
    return names


def kinds_of(names: list[str]) -> int:
    """The kinds of these names, as bits."""
    kinds = 0
    for name in names:
        kinds |= _kind(name)
    return kinds


def _kind(name: str) -> int:
    if name == ROBOTIC:
        return ROBOT
    return LOGIN if name.startswith("login:") else EMAIL


def from_commits(names: list[str]) -> bool:
    """Whether a clone alone told the names: all of them are one writer's for sure.

    A pull that GitHub tells of may hold another's commits.
    """
    return not names or not names[0].startswith("login:")


class Identities:
    """The numbers of authors by name."""

    def __init__(self, numbers: dict[str, int] | None = None) -> None:
        self.numbers = numbers or {}

    def known(self, names: list[str]) -> list[int]:
        """The numbers of those who have these names, each once, in order."""
        known: list[int] = []
        for name in names:
            number = self.numbers.get(name, -1)
            if number >= 0 and number not in known:
                known.append(number)
        return known

    def add(self, names: list[str], number: int) -> None:
        """Give the author with this number the names that nobody has."""
        for name in names:
            if name != ROBOTIC:
                self.numbers.setdefault(name, number)

    def replace(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        for name in [name for name, number in self.numbers.items() if number == gone]:
            self.numbers[name] = kept
