"""Made-up histories of one repository: a strategy for Hypothesis and a fixed one by hand."""

from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.pulls.lines import TOKENS, ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull

START = datetime(2024, 1, 1, tzinfo=UTC)
PATHS = (
    "src/app.py", "src/core/engine.py", "src/core/cache.py", "tests/test_app.py",
    "docs/guide.md", "package.json", ".github/workflows/ci.yml", "vendor/lib/a.c", "Makefile",
)  # fmt: skip
TITLES = (
    "Fix crash in the cache", "Add engine", "Bump left-pad from 1 to 2", "feat(core): new engine",
    "Refactor app", "Docs for the guide", "", "Überarbeite `app`", "Enable cache by default",
)  # fmt: skip


# Strategies are made once: making one takes as long as drawing from it.
_CHOSEN_PATHS = st.lists(st.sampled_from(PATHS), unique=True, max_size=5)
_STATUS = st.sampled_from(("added", "modified", "removed", "renamed", "strange"))
_BOOLEANS = st.booleans()
_TO_3, _TO_4, _TO_9, _TO_30, _TO_300 = (st.integers(0, most) for most in (3, 4, 9, 30, 300))
_HOURS = st.integers(0, 24 * 200)
_TITLE = st.sampled_from(TITLES)
_AUTHOR = st.sampled_from(("ada", "bob", "eve", None))
_LINES, _CODE, _COMMITS, _SIZE, _FILES = (
    st.none() | st.integers(0, most) for most in (400, 300, 9, 10_000, 50)
)
_COUNTS = st.tuples(*[_TO_30] * len(TOKENS))


@cache
def _origins(earlier: int) -> st.SearchStrategy[tuple[Origin, ...]]:
    one = st.builds(Origin, st.integers(-1, earlier), st.integers(1, 50), st.integers(-1, 6))
    return st.lists(one, max_size=4).map(tuple)


@st.composite
def changed_files(draw: st.DrawFn) -> tuple[ChangedFile, ...] | None:
    if draw(_TO_9) == 0:
        return None
    return tuple(
        ChangedFile(path, draw(_STATUS), draw(_LINES), draw(_LINES), None, draw(_CODE), draw(_CODE))
        for path in draw(_CHOSEN_PATHS)
    )


@st.composite
def changed_lines(draw: st.DrawFn, *, earlier: int) -> ChangedLines | None:
    """Lines of code, with or without origins: earlier pulls, pushes, and those nobody knows."""
    if draw(_TO_3) == 0:
        return None
    origins = _origins(earlier)
    known = draw(_BOOLEANS)
    return ChangedLines(
        rewrites=draw(origins) if known else None,
        neighbours=draw(origins) if known else None,
        code_added=draw(_TO_300),
        code_removed=draw(_TO_300),
        comments_added=draw(_TO_30),
        hunks_added=draw(_TO_9),
        hunks_changed=draw(_TO_9),
        tokens_added=draw(_COUNTS),
        tokens_removed=draw(_COUNTS),
    )


@st.composite
def pulls(draw: st.DrawFn, *, number: int, earlier: int) -> Pull:
    """A merged or closed pull; some say that they revert one of the `earlier` ones."""
    opened = START + timedelta(hours=draw(_HOURS))
    ended = START + timedelta(hours=draw(_HOURS))  # may lie before `opened`: clocks are skewed
    merged = draw(_TO_4) > 0
    title, body = draw(_TITLE), ""
    if earlier and draw(_TO_3) == 0:
        title = f'Revert "{title}"'
        body = f"Reverts owner/name#{draw(st.integers(1, earlier))}"
    return Pull(
        repository="owner/name",
        number=number,
        created_at=opened,
        updated_at=ended,
        merged_at=ended if merged else None,
        closed_at=ended,
        title=title,
        body=body,
        author=draw(_AUTHOR),
        bot=draw(_BOOLEANS),
        merge_sha=f"{number:040x}",
        commits=draw(_COMMITS),
        additions=draw(_SIZE),
        deletions=draw(_SIZE),
        changed_files=draw(_FILES),
        files=draw(changed_files()),
        lines=draw(changed_lines(earlier=earlier)),
    )


@st.composite
def histories(draw: st.DrawFn, *, most: int = 10) -> list[Pull]:
    """Events of one repository in event order."""
    count = draw(st.integers(2, most))
    events = [draw(pulls(number=number, earlier=number - 1)) for number in range(1, count + 1)]
    return sorted(events, key=lambda pull: (pull.event_at or START, pull.number))


def pull(number: int, *, day: float = 1, **changes: object) -> Pull:
    """A merged pull of `owner/name`, merged `day` days after START, opened two hours before."""
    merged = START + timedelta(days=day)
    facts: dict[str, object] = {
        "repository": "owner/name",
        "number": number,
        "created_at": merged - timedelta(hours=2),
        "updated_at": merged,
        "merged_at": merged,
        "closed_at": merged,
        "title": f"Change {number}",
        "author": "ada",
        "additions": 10,
        "deletions": 5,
        "changed_files": 1,
        "commits": 1,
        "files": (ChangedFile("src/app.py", "modified", 10, 5),),
    }
    return Pull(**{**facts, **changes})  # type: ignore[arg-type]


def golden_lines(number: int) -> ChangedLines | None:
    """Lines of code of a pull of the golden history, which every sixth does not know."""
    if number % 6 == 5:
        return None
    return ChangedLines(
        rewrites=tuple(Origin(origin, number + origin, 0) for origin in range(number - 3, number)),
        neighbours=None if number % 6 == 4 else (Origin(number // 2, 2),),
        code_added=3 * number,
        code_removed=number,
        comments_added=number % 3,
        hunks_added=2,
        hunks_removed=number % 2,
        hunks_changed=3,
        tokens_added=tuple(range(number, number + len(TOKENS))),
        tokens_removed=tuple(range(len(TOKENS))),
    )


def golden_history() -> list[Pull]:
    """Twelve merges, one of them closed unmerged, one reverting another."""
    people = ("ada", "bob", "ada", None, "eve", "robot")
    merges = []
    for number in range(1, 13):
        chosen = [PATHS[(number * step) % len(PATHS)] for step in (1, 2, 5)][: 1 + number % 3]
        lines = [(7 * number * (i + 1)) % 90 for i in range(len(chosen))]
        files = tuple(
            ChangedFile(
                path, ("modified", "added", "renamed")[(number + i) % 3], lines[i], i, None, i, 1
            )
            for i, path in enumerate(dict.fromkeys(chosen))
        )
        merges.append(
            pull(
                number,
                day=number * 1.7,
                title=TITLES[number % len(TITLES)],
                author=people[number % len(people)],
                bot=people[number % len(people)] == "robot",
                files=files,
                changed_files=len(files),
                additions=sum(file.additions or 0 for file in files),
                deletions=sum(file.deletions or 0 for file in files),
                commits=number % 4,
                lines=golden_lines(number),
                merged_at=None if number == 8 else START + timedelta(days=number * 1.7),
            )
        )
    revert = pull(13, day=23, title='Revert "Refactor app"', body="Reverts owner/name#4")
    return [*merges, revert, pull(14, day=25, title="Fix crash in the engine", author="bob")]


def after(*events: Pull) -> RepositoryHistory:
    """The history of `owner/name` that has seen these."""
    history = RepositoryHistory("owner/name")
    for event in events:
        history.observe(event)
    return history


def row(history: RepositoryHistory, asked: Pull) -> dict[str, float]:
    """The features of a pull as of its merge, by name."""
    assert asked.event_at is not None
    return dict(zip(NAMES, history.features(asked, as_of=asked.event_at), strict=True))
