"""Who wrote a pull request, as far as its source tells: names, bots and agents.

The parsers of GitHub's objects and the reader of clones all ask here. A *bot* is an account that
no person stands behind; an *agent* is a program that writes code on a person's behalf, be it under
an account of its own (then it is a bot too) or as the co-author of a person.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypedDict

import msgspec

ROBOTIC: Final = "name:robot"
"""Stands among an author's names where the name could be a robot's or a person's (`prombot`).

The history decides by the pattern of work.
"""


class Account(msgspec.Struct, frozen=True):
    """What a source says of an author: GitHub a login and a type, a commit a name and address."""

    login: str = ""
    type: str | None = None
    name: str = ""
    email: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is called, in lower case: logins, display name, address."""
        login = (self.login or login_of(self.email) or "").lower()
        names = (login, self.name.strip().lower(), self.email.strip().lower())
        return tuple(name for name in names if name)


class BotNames(msgspec.Struct, frozen=True):
    """What the settings say of accounts: names of bots, and of persons who look like bots.

    A name is a login, a display name or an address, in lower case.
    """

    bots: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    @classmethod
    def of(cls, add: Iterable[str], remove: Iterable[str]) -> "BotNames":
        """Names as people write them: any case, blanks around them."""
        bots, people = ({name.strip().lower() for name in names} for names in (add, remove))
        return cls(frozenset(bots), frozenset(people))

    def fingerprint(self) -> str:
        """What tells these names from others, for a checkpoint."""
        names = repr((sorted(self.bots), sorted(self.people)))
        return sha256(names.encode()).hexdigest()[:16]


NO_NAMES: Final = BotNames()

_ACCOUNTS: Final = 4_096
"""Accounts of which the answers are kept: the same ones write most of a repository's pulls."""
_NOREPLY: Final = re.compile(
    r"(?:\d+\+)?([a-z\d](?:[a-z\d_-]*[a-z\d])?(?:\[bot\])?)@users\.noreply\.(?!gitlab\.)[\w.-]+",
    re.IGNORECASE | re.ASCII,
)
_PSEUDONYM: Final = re.compile(r"author-([0-9a-f]{12})")

_BOTS: Final = frozenset(
    """allcontributors bors brewtestbot dependabot dependabot-preview github-actions greenkeeper
    greenkeeperio-bot imgbot jenkins-ci k8s-ci-robot mend-bolt-for-github mergify
    openshift-merge-robot pre-commit-ci pyup-bot release-please renovate renovatebot rustbot
    scala-steward semantic-release-bot snyk-bot travis-ci updatecli web-flow weblate
    whitesource-bolt github_actions github_merge_queue hosted_weblate kubernetes_prow_robot
    mend_renovate scala_steward""".split()
)
"""Logins and names (blanks as _) of well-known bots that do not end in [bot]."""
_BOT: Final = re.compile(r".*(?:\[bot\]|(?:^|[ ._+-])bots?)")
_ROBOTIC: Final = re.compile(
    r".*[a-z\d](?:bot|[ ._-](?:ci|robot|releaser?|automations?|builder|deployer|merger|publisher"
    r"|roller|autoroll|sync(?:er)?|updater))|(?:ro)?bot[ ._-].*"
)

_AGENTS: Final = {
    "aider": "aider", "aider-chat-bot": "aider", "aider@aider.chat": "aider",
    "noreply@aider.chat": "aider",
    "amazon-q-developer": "amazon-q", "amp@ampcode.com": "amp",
    "claude[bot]": "claude", "noreply@anthropic.com": "claude",
    "chatgpt-codex-connector": "codex", "codex@openai.com": "codex",
    "noreply@openai.com": "codex", "openai-codex": "codex",
    "copilot": "copilot", "copilot-swe-agent": "copilot", "copilot@github.com": "copilot",
    "github-copilot": "copilot",
    "cursor[bot]": "cursor", "cursoragent": "cursor", "cursoragent@cursor.com": "cursor",
    "devin-ai-integration": "devin",
    "gemini-cli": "gemini", "gemini-code-assist": "gemini",
    "google-labs-jules": "jules",
    "junie@jetbrains.com": "junie", "jetbrains-junie": "junie",
    "noreply@opencode.ai": "opencode", "opencode-agent": "opencode",
    "openhands-agent": "openhands", "openhands@all-hands.dev": "openhands",
    "sweep-ai": "sweep", "sweep-nightly": "sweep",
    "agent@warp.dev": "warp",
}  # fmt: skip
"""Logins, with or without [bot], and addresses of agents."""
_AGENT_WORDS: Final = frozenset(
    ("aider", "claude", "codex", "copilot", "cursor", "devin", "gemini", "jules", "openhands")
)
"""Words in the login of a GitHub App that say which agent it runs: `electron-claude[bot]`."""
_PRODUCTS: Final = (
    ("copilot", r"(?:github[ -])?copilot\b.*"),
    ("claude", r"claude[ -](?:code|opus|sonnet|haiku|fable|ai|\d).*|anthropic claude.*"
               r"|claude \((?:anthropic|claude).*"),
    ("codex", r"(?:openai )?codex\b.*|chatgpt\b.*|gpt-\d.*"),
    ("cursor", r"cursor(?: (?:agent|ai|bot|composer))?"),
    ("devin", r"devin(?: ai|\.ai|-ai)"),
    ("gemini", r"(?:google )?gemini[ -](?:cli|code|pro|flash|\d).*"),
    ("jules", r"google(?: labs)? jules"),
    ("aider", r"aider(?: \(.*\))?|.* \(aider\)"),
    ("openhands", r"open-?hands(?: agent)?"),
    ("opencode", r"opencode"), ("amp", r"(?:sourcegraph )?amp"), ("junie", r"junie"),
    ("windsurf", r"windsurf"), ("amazon-q", r"amazon q(?: developer)?"),
)  # fmt: skip
_PRODUCT: Final = [(agent, re.compile(rf"(?:{names})\W*")) for agent, names in _PRODUCTS]
"""Display names that no person has."""
_FIRST_NAMES: Final = frozenset(("claude", "devin", "gemini", "jules"))
"""Names of agents that are people's names too: they need an address that no person has."""
_SERVICE: Final = re.compile(
    r"(?:svc|service|no-?reply|agents?|bots?)(?:[._+-].*)?@.*|(?:.*[._+-])?(?:agent|bot)@.*"
)
_HINTS: Final = (
    "claude", "copilot", "codex", "cursor", "devin", "gemini", "jules", "aider", "hands", "gpt",
    "opencode", "ampcode", "junie", "windsurf", "amazon q",
)  # fmt: skip
"""Without one of these no text names an agent."""
_TRAILER: Final = re.compile(
    r"^[ \t*-]*(?:co-?(?:authored|developed)|(?:ai-)?assisted|generated|made|written)-(?:by|with)"
    r"[ \t]*:[ \t]*([^<\n]{0,120})(?:<([^>\n]{0,120})>)?",
    re.MULTILINE,
)
_SIGNATURE: Final = re.compile(
    r"^\W{0,8}(?:pr )?(?:co-)?(generated|created|made|written|authored|implemented|built)"
    r"(?: automatically)? (with|by|using)"
    r" (?:the )?(?:(?:help|assistance) (?:of|from) )?\[?([^\]\n(.,]{2,40})",
    re.MULTILINE,
)
_LINK: Final = re.compile(
    r"(claude)\.ai/code/session|chatgpt\.com/(codex)/tasks/|app\.(devin)\.ai/sessions/"
    r"|(jules)\.google\.com/(?:task|session)|(cursor)\.com/(?:background-agent|agents)"
    r"|start (copilot) coding agent"
)
_BRANCH: Final = re.compile(r"(copilot|codex|cursor|claude|devin|jules)/\S")


def login_of(email: str) -> str | None:
    """The login that a noreply address of GitHub, or of a GitHub Enterprise, names."""
    match = _NOREPLY.fullmatch(email.strip())
    return match[1].lower() if match else None


def name_of(author: str) -> str:
    """A record's author as one of its names: `login:mara`, or `email:…` for a pseudonym."""
    pseudonym = _PSEUDONYM.fullmatch(author)
    return f"email:{pseudonym[1]}" if pseudonym else f"login:{author.lower()}"


@lru_cache(maxsize=_ACCOUNTS)
def is_bot(account: Account, names: BotNames = NO_NAMES) -> bool:
    """Whether no person stands behind the account, as its type or names tell for sure."""
    called = account.names
    if not names.people.isdisjoint(called):
        return False
    return (
        account.type == "Bot"
        or not names.bots.isdisjoint(called)
        or any(name.replace(" ", "_") in _BOTS or _BOT.fullmatch(name) for name in _heads(called))
        or agent_account(account) is not None
    )


@lru_cache(maxsize=_ACCOUNTS)
def is_robotic(account: Account, names: BotNames = NO_NAMES) -> bool:
    """Whether a name could be a robot's: the pattern of its work has to tell."""
    called = account.names
    return names.people.isdisjoint(called) and any(map(_ROBOTIC.fullmatch, _heads(called)))


@lru_cache(maxsize=_ACCOUNTS)
def agent_account(account: Account) -> str | None:
    """The agent whose own account this is, or None."""
    for name in account.names:
        bare = name.removesuffix("[bot]")
        words = _AGENT_WORDS.intersection(re.split(r"[^a-z]+", bare)) if bare != name else ()
        if agent := _AGENTS.get(name) or _AGENTS.get(bare) or min(words, default=None):
            return agent
    return _product(account.name, account.email) if account.name else None


def agent_of(
    account: Account, *, bot: bool, head_ref: str | None = None, text: str = ""
) -> str | None:
    """The agent that wrote the pull, alone or with its author; None if nothing says so.

    Evidence: the account, a trailer or signature in `text` (description or commit messages),
    the prefix of the head branch. What a bot without an agent's name quotes is no evidence.
    """
    own = agent_account(account)
    if own or bot:
        return own
    return _agent_in(text.lower()) or _agent_of_branch(head_ref or "", account)


class AuthorFacts(TypedDict):
    """What a record says of its author, by the names of its fields."""

    author_names: tuple[str, ...]
    bot: bool
    agent: str | None


def author_facts(
    account: Account, names: BotNames, *, head_ref: str | None, text: str
) -> AuthorFacts:
    """The facts of a pull that GitHub describes, whose author is known by an account alone."""
    bot = is_bot(account, names)
    return {
        "author_names": (ROBOTIC,) if is_robotic(account, names) else (),
        "bot": bot,
        "agent": agent_of(account, bot=bot, head_ref=head_ref, text=text),
    }


def _agent_in(text: str) -> str | None:
    if not any(hint in text for hint in _HINTS):
        return None
    for name, email in _TRAILER.findall(text):
        if agent := agent_account(Account(name=name.strip(), email=email)):
            return agent
    for verb, how, name in _SIGNATURE.findall(text):
        # "Written by Claude" may be by a person.
        email = "person@" if how == "by" and verb != "generated" else ""
        if agent := _product(name, email):
            return agent
    link = _LINK.search(text)
    return next(filter(None, link.groups()), None) if link else None


def _agent_of_branch(head_ref: str, account: Account) -> str | None:
    """The agent that the branch is named after, unless its author has that name."""
    match = _BRANCH.match(head_ref)
    if match is None:
        return None
    own = re.split(r"[^a-z]+", " ".join(account.names))
    return None if match[1] in own else match[1]


def _product(name: str, email: str) -> str | None:
    """The agent with this display name, which a person cannot have beside this address."""
    name, email = name.strip().lower(), email.strip().lower()
    if name in _FIRST_NAMES:
        return name if not email or _SERVICE.fullmatch(email) else None
    return next((agent for agent, pattern in _PRODUCT if pattern.fullmatch(name)), None)


def _heads(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, of an address the part before the @."""
    return tuple(name.partition("@")[0] for name in names)
