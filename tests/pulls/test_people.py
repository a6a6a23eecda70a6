"""Who is a bot, which agent wrote a pull, which login an address names."""

import pytest

from pullrisk.pulls.people import (
    Account,
    BotNames,
    agent_account,
    agent_of,
    is_bot,
    is_robotic,
    login_of,
    name_of,
)

ANN = Account(name="Ann", email="ann@x.org", login="ann")


@pytest.mark.parametrize(
    ("address", "login"),
    [
        ("77+Mara@users.noreply.github.com", "mara"),
        ("mara@users.noreply.github.com", "mara"),
        ("7+mara-x@users.noreply.git.acme.example", "mara-x"),
        ("mara_acme@users.noreply.github.com", "mara_acme"),
        ("4+dependabot[bot]@users.noreply.github.com", "dependabot[bot]"),
        ("77-mara@users.noreply.gitlab.com", None),
        ("mara@noreply.github.com", None),
        ("users.noreply.github.com", None),
        ("mara@users.noreply.github.com, x", None),
        ("", None),
    ],
)
def test_a_noreply_address_names_a_login(address: str, login: str | None) -> None:
    assert login_of(address) == login


def test_an_author_is_named_by_login_or_by_a_hash_of_the_address() -> None:
    assert name_of("Mara") == "login:mara"
    assert name_of("author-0123456789ab") == "email:0123456789ab"
    assert name_of("author-of-books") == "login:author-of-books"


@pytest.mark.parametrize(
    "account",
    [
        Account(login="x", type="Bot"),
        Account(login="dependabot[bot]"),
        Account(login="Release-Bot"),
        Account(login="Copilot", type="User"),
        Account(login="renovate"),
        Account(name="dependabot[bot]", email="9+dependabot[bot]@users.noreply.github.com"),
        Account(name="Renovate Bot", email="x@y.org"),
        Account(name="Mend Renovate", email="x@y.org"),
        Account(name="x", email="bot@renovateapp.com"),
        Account(name="GitHub Actions", email="actions@github.com"),
        Account(name="Copilot", email="198+Copilot@users.noreply.github.com"),
        Account(name="Claude", email="noreply@anthropic.com"),
        Account(name="Cursor Agent", email="cursoragent@cursor.com"),
    ],
)
def test_a_bot_is_known_by_type_name_or_address(account: Account) -> None:
    assert is_bot(account)


@pytest.mark.parametrize(
    "account",
    [
        Account(),
        Account(login="abbot", type="User"),
        Account(name="Justin Talbott", email="justin@x.org"),
        Account(name="Sylvain Rabot", email="sylvain@x.org"),
        Account(name="Claude", email="claude@dupont.example"),
        Account(name="Claude Dupont", email="claude.talbot@x.org"),
        Account(name="Jules", email="jules@x.org"),
        Account(name="Devin Christensen", email="7+devin@users.noreply.github.com"),
        Account(name="Dana", email="robot@dana.example"),
        Account(name="Felix", email="f@anthropic.com"),
        Account(name="Travis Cline", email="travis.cline@x.org"),
    ],
)
def test_a_person_is_no_bot(account: Account) -> None:
    assert not is_bot(account)
    assert agent_account(account) is None


def test_settings_name_bots_and_persons() -> None:
    names = BotNames(bots=frozenset(("release team", "ci@x.org")), people=frozenset(("jan bot",)))
    assert is_bot(Account(name="Release Team", email="r@x.org"), names)
    assert is_bot(Account(name="Jenkins", email="CI@x.org"), names)
    assert is_bot(Account(name="Jan Bot", email="jan@x.org"))
    assert not is_bot(Account(name="Jan Bot", email="jan@x.org"), names)
    assert not is_robotic(Account(login="prombot"), BotNames(people=frozenset(("prombot",))))


@pytest.mark.parametrize(
    "login", ["prombot", "swift-ci", "acme-release", "PrometheusBot", "bot-acme", "acme-autoroll"]
)
def test_some_names_could_be_a_robot_s(login: str) -> None:
    assert is_robotic(Account(login=login))
    assert not is_bot(Account(login=login))


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("Fix\n\nCo-Authored-By: Claude Opus 4.6 (1M context) <noreply@anthropic.com>", "claude"),
        ("Co-authored-by: Claude <svc-devxp-claude@corp.example>", "claude"),
        ("Co-Authored-By: Claude (Anthropic)", "claude"),
        ("Co-authored-by: Copilot <17+Copilot@users.noreply.github.com>", "copilot"),
        ("Co-Authored-By: GitHub Copilot (Claude Opus 4.6)", "copilot"),
        ("Co-authored-by: Copilot Autofix powered by AI <6+x[bot]@users.noreply.github.com>",
         "copilot"),
        ("Co-authored-by: Codex <noreply@openai.com>", "codex"),
        ("Co-Authored-By: GPT-5.3-Codex <codex@openai.com>", "codex"),
        ("Co-authored-by: Cursor <cursoragent@cursor.com>", "cursor"),
        ("Co-authored-by: Devin AI <1+devin-ai-integration[bot]@users.noreply.github.com>",
         "devin"),
        ("Co-authored-by: aider (gpt-4o) <noreply@aider.chat>", "aider"),
        ("Co-authored-by: openhands <openhands@all-hands.dev>", "openhands"),
        ("Co-authored-by: google-labs-jules[bot] "
         "<1+google-labs-jules[bot]@users.noreply.github.com>", "jules"),
        ("Assisted-by: Claude Opus 5", "claude"),
        ("Co-authored-by: x-claude[bot] <1+x-claude[bot]@users.noreply.github.com>", "claude"),
        ("Generated-By: GitHub Copilot", "copilot"),
        ("Words.\n\n🤖 Generated with [Claude Code](https://claude.com/claude-code)", "claude"),
        ("Generated with assistance from OpenAI Codex.", "codex"),
        ("PR created automatically by Jules for task [1](https://jules.google.com/task/1)",
         "jules"),
        ("Link to Devin run: https://app.devin.ai/sessions/0a", "devin"),
    ],
)  # fmt: skip
def test_trailers_and_signatures_name_the_agent(text: str, agent: str) -> None:
    assert agent_of(ANN, bot=False, text=text) == agent


@pytest.mark.parametrize(
    "text",
    [
        "Co-authored-by: Claude Dupont <claude@dupont.example>",
        "Co-authored-by: Claude <claude@dupont.example>",
        "Co-authored-by: Jules <jules@x.org>",
        "Co-authored-by: Devin Smith <devin@x.org>",
        "Co-authored-by: Keeley <keeley@anthropic.com>",
        "Co-authored-by: dependabot[bot] <9+dependabot[bot]@users.noreply.github.com>",
        "Co-authored-by: pre-commit-ci[bot] <6+pre-commit-ci[bot]@users.noreply.github.com>",
        "Move the cursor\n\nwritten with cursor-based paging in mind",
        "Here are benchmarks that I generated with Claude",
        "Written by Claude, our intern",
        "Add a provider for claude-opus and gemini",
        "",
    ],
)
def test_a_text_about_people_or_programs_names_no_agent(text: str) -> None:
    assert agent_of(ANN, bot=False, text=text) is None


def test_a_branch_tells_an_agent_unless_its_author_has_that_name() -> None:
    assert agent_of(ANN, bot=False, head_ref="claude/fix-x7k") == "claude"
    assert agent_of(ANN, bot=False, head_ref="copilot/fix-1") == "copilot"
    assert agent_of(ANN, bot=False, head_ref="fix/claude/x") is None
    claude = Account(login="claude-dupont", name="Claude Dupont")
    assert agent_of(claude, bot=False, head_ref="claude/fix-x7k") is None


def test_what_a_bot_quotes_says_nothing_of_who_wrote_it() -> None:
    quoted = "Co-authored-by: Claude <noreply@anthropic.com>"
    assert agent_of(Account(login="dependabot[bot]"), bot=True, text=quoted) is None
    assert agent_of(Account(login="copilot-swe-agent[bot]"), bot=True) == "copilot"
