"""Who wrote a pull request of a clone, as its commits and the branch's .mailmap tell."""

from typing import Final

import msgspec

from pullrisk.fetch.salt import pseudonym
from pullrisk.pulls.people import (
    NO_NAMES,
    ROBOTIC,
    Account,
    AuthorFacts,
    BotNames,
    agent_account,
    agent_of,
    is_bot,
    is_robotic,
    login_of,
    name_of,
)

_MOST_ADDRESSES: Final = 20


class Writer(msgspec.Struct):
    """One author of commits: name and address as .mailmap has them, addresses as written."""

    name: str
    email: str
    addresses: dict[str, None] = {}
    commits: int = 0

    @property
    def account(self) -> Account:
        """What the commits say of the author."""
        login = next(filter(None, map(login_of, (*self.addresses, self.email))), "")
        return Account(name=self.name, email=self.email, login=login)


class Writers(msgspec.Struct):
    """The authors of a pull's own commits, by address; `add` them from the newest to the oldest."""

    by_email: dict[str, Writer] = {}

    def add(self, name: str, email: str, address: str) -> None:
        """Count one commit; `address` is what it says, `name` and `email` what .mailmap says."""
        writer = self.by_email.setdefault(email.lower() or name, Writer(name, email))
        writer.commits += 1
        if len(writer.addresses) < _MOST_ADDRESSES:
            writer.addresses.setdefault(address.strip().lower() or email.strip().lower())

    @property
    def main(self) -> Writer | None:
        """Who wrote most of the commits, of several the one who began; None without a commit."""
        writers = reversed(self.by_email.values())
        return max(writers, key=lambda writer: writer.commits, default=None)

    def of_kind(self, names: BotNames, *, bot: bool) -> "Writers":
        """The bots, or the persons among them."""
        return Writers(
            {
                email: writer
                for email, writer in self.by_email.items()
                if is_bot(writer.account, names) is bot
            }
        )


class Authorship(AuthorFacts):
    """The fields of a record that tell of its author."""

    author: str | None


def authorship(
    writers: Writers,
    *,
    fork: str | None = None,
    head_ref: str | None = None,
    text: str = "",
    salt: bytes,
    names: BotNames = NO_NAMES,
) -> Authorship:
    """Author, further names, bot and agent of a pull with these writers.

    `text` are all its messages. `fork`, the owner of the fork that it came from, tells whether a
    bot or a person opened the pull: bots commit to the pulls of people, and people to those of
    bots.
    """
    of_kind = None
    if fork:
        opener = Account(login=fork)
        of_kind = writers.of_kind(names, bot=is_bot(opener, names)).main
    writer = of_kind or writers.main or Writer("", "")
    account = writer.account
    bot = is_bot(account, names)
    agents = (agent_account(other.account) for other in writers.by_email.values())
    return Authorship(
        author=_author(writer, salt),
        author_names=_names_of(writer, salt, names),
        bot=bot,
        agent=agent_of(account, bot=bot, head_ref=head_ref, text=text)
        or (None if bot else next(filter(None, agents), None)),
    )


def _names_of(writer: Writer, salt: bytes, names: BotNames) -> tuple[str, ...]:
    """The writer's further names: logins of noreply addresses, salted hashes of the others."""
    known = {name_of(author): None} if (author := _author(writer, salt)) else {}
    further: dict[str, None] = {}
    for address in filter(None, (*writer.addresses, writer.email)):
        further.setdefault(name_of(pseudonym(address, salt)))
        if login := login_of(address):
            further.setdefault(f"login:{login}")
    robotic = (ROBOTIC,) if is_robotic(writer.account, names) else ()
    return (*(name for name in further if name not in known), *robotic)


def addresses_of(writer: Writer, salt: bytes) -> tuple[str, ...]:
    """The writer's names but those of noreply addresses, which tell no more than a login."""
    addresses = dict.fromkeys((writer.email.strip().lower(), *writer.addresses))
    logins = [login for address in addresses if (login := login_of(address))]
    hashes = [
        pseudonym(address, salt) for address in addresses if address and not login_of(address)
    ]
    return (*(f"login:{login}" for login in dict.fromkeys(logins)), *map(name_of, hashes))


def _author(writer: Writer, salt: bytes) -> str | None:
    """The pseudonym of the address, or of the name if the commit has no address."""
    identity = writer.email.strip() or writer.name.strip()
    return pseudonym(identity, salt) if identity else None
