"""Which pulls say that they fix something, and whose lines they repair. All wording is made up."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pullrisk.pulls.bug_labels import labelled_as_bug
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.outcomes import Link, Linker, says_fix
from pullrisk.pulls.record import Pull, fingerprint, push_number

START = datetime(2024, 1, 1, tzinfo=UTC)
PUSH = push_number("4831a9fd639e9386075f0622710675105c43cff9")


def a_pull(number: int, title: str, *origins: Origin, **known: object) -> Pull:
    """A merged pull that removes the lines of `origins`."""
    at = START + timedelta(hours=number if number > 0 else 2)
    fields: dict[str, object] = {
        "repository": "acme/rocket", "number": number, "created_at": at, "updated_at": at,
        "merged_at": at, "title": title, "lines": ChangedLines(rewrites=origins),
    }  # fmt: skip
    return Pull(**{**fields, **known})  # type: ignore[arg-type]


def repairs(pull: Pull) -> tuple[Link, ...]:
    """What the pull repairs, after three others."""
    linker = Linker()
    for earlier in (a_pull(1, "Add a pump"), a_pull(2, "Add a valve"), a_pull(PUSH, "Tidy")):
        linker.observe(earlier)
    return tuple(link for link in linker.observe(pull) if link.kind == "repair")


@pytest.mark.parametrize(
    "title",
    [
        "Fix the pump", "fixes the nozzle when cold", "Fixed: pump stalls", "fix: pump stalls",
        "fix(pump)!: never stall", "FIX pump", "[Fix] pump stalls", "[bugfix] pump stalls",
        "bugfix: pump", "Bug fix for the pump", "hotfix: restart the pump", "[Hot Fix] Ensure flow",
        "BUG: pump stalls", "HOTFIX: pump", "pump: fix stall", "[pump] Fix stall", "🐛 pump stalls",
        ":bug: pump stalls", "ROCKET-12: Fix stall", "Handle nil pressure in the pump",
        "Avoid a deadlock between pumps", "Prevent crash when the tank is empty",
        "Don't panic on an empty tank", "Incorrect pressure after restart",
        "Correctly close the valve", "Regression in the pump since 2.1", "Repair broken valve",
        "Fix memory leak", "[`test-names`] Fix a wrong count", "Fix `docs` command",
        "Fix 'lint' key",
        "Fixing a race condition of two pumps", "perf: fix slow start", "Backport: fix the pump",
        'Fix "README" being launched', "Add missing seal, fixes #12", "Fixes #12",
        "fix(build-rs): pump", "Show the pressure again (fixes #12)", "Fix quick start",
    ],
)  # fmt: skip
def test_a_title_says_that_it_fixes_something(title: str) -> None:
    assert says_fix(a_pull(9, title))


@pytest.mark.parametrize(
    "title",
    [
        "Add a pump", "Fix typo", "fix: typo in the pump", "Fix spelling", "Fix docs of the pump",
        "docs: fix the pump", "fix(docs): pump", "Fix flaky test", "test: fix the pump",
        "fix(tests): pump", "[Tests] Fix pump", "ci: fix the build", "Fix CI", "fix(ci): pump",
        "Fix lint errors", "Fix eslint", "style: fix whitespace", "Fix formatting",
        "chore(deps): bump fixer", "Bump pump from 1 to 2 to fix a leak", "Fix translations",
        "i18n: fix", "build: fix linking", "Fix compiler warnings", "Revert \"Fix the pump\"",
        "Reland \"Fix the pump\"", "feat: fix positions of pumps", "refactor: correct names",
        "Add fixtures", "Prefix all names", "A fixed-size buffer", "Linear regression model",
        "Release 1.2.1 with fixes", "Merge branch fix", "Improve debugging", "DOC: fix the pump",
        "chore: fix it", "", "Suffixes of names", "Fixed width columns",
        "Update the changelog: fix",
        "Style fixes", "Add an auto-fix for pumps", "Show quick fixes", "Move fix suggestion down",
        "Fix a few rule violations", "Add a second pump (fixes #12)", "Prune regression 3/n",
        "Allow two pumps. Fixes #12",
        "Apply fixes from StyleCI", "Backmerge 1.2 fixes to main",
    ],
)  # fmt: skip
def test_a_title_says_no_fix(title: str) -> None:
    assert not says_fix(a_pull(9, title))


@pytest.mark.parametrize(
    ("branch", "fixes"),
    [
        ("fix/pump", True), ("hotfix/pump", True), ("bugfix/pump", True), ("fix-pump", True),
        ("mara/fix_pump", True), ("bug/12", True), ("hotfix", True), ("hot-fix/1", True),
        ("feature/pump", False), ("prefix/pump", False), ("fixtures", False), ("debug-pump", False),
        ("add-fix-button", False), (None, False),
    ],
)  # fmt: skip
def test_a_branch_says_so(branch: str | None, *, fixes: bool) -> None:
    assert says_fix(a_pull(9, "Start the pump earlier", head_ref=branch)) is fixes


@pytest.mark.parametrize(
    ("label", "fixes"),
    [
        ("bug", True), ("Bug", True), ("kind/bug", True), ("type: bug", True), ("C-bug", True),
        ("bugfix", True), ("bug fix", True), ("regression", True), ("kind/regression", True),
        ("🐛 bug", True), ("bug :beetle:", True), ("Type: Bug", True), ("t:bug", True),
        ("hotfix", True), ("pr: bugfix", True), ("enhancement", False), ("debug", False),
        ("not a bug", False), ("needs: bug", False), ("no-bug", False), ("bug bash", False),
        ("documentation", False), ("bug-report", False), ("", False), ("crash", True),
        ("wont-fix", False), ("docs: bug", False), ("test-bug", False), ("invalid: bug", False),
    ],
)  # fmt: skip
def test_a_label_says_so(label: str, *, fixes: bool) -> None:
    assert labelled_as_bug((label,)) is fixes
    assert says_fix(a_pull(9, "Start the pump earlier", labels=("ready", label))) is fixes


@pytest.mark.parametrize(("label", "counts"), [("bug", True), ("ready", False)])
def test_only_a_label_that_tells_an_outcome_makes_a_pull_another_event(
    label: str, *, counts: bool
) -> None:
    before = a_pull(9, "Start the pump earlier", Origin(1, 3))
    after = replace(before, labels=(label,))
    assert (fingerprint(after) != fingerprint(before)) is counts
    assert (repairs(after) != repairs(before)) is counts


@pytest.mark.parametrize("title", ["Typo in the pump", "docs: the pump", "chore: tidy", "Bump it"])
def test_what_is_no_code_overrules_branch_and_label(title: str) -> None:
    assert not says_fix(a_pull(9, title, head_ref="fix/pump", labels=("bug",)))


@pytest.mark.parametrize("bugs", [None, ()])
def test_a_closed_issue_is_no_evidence_unless_it_is_labelled_as_a_bug(
    bugs: tuple[str, ...] | None,
) -> None:
    closes = ("acme/rocket#3",)
    pull = a_pull(9, "Start the pump", body="Fixes #3", closes=closes, closed_bugs=bugs)
    assert not says_fix(pull)


CLOSES_BUG: dict[str, object] = {"closes": ("acme/valves#3",), "closed_bugs": ("acme/valves#3",)}


@pytest.mark.parametrize(
    "title",
    [
        "Start the pump earlier", "Add a second pump (fixes #12)", "Allow two pumps. Fixes #12",
        "feat: let pumps overlap", "feat(pump)!: two at once", "[Feature] two pumps", "Pump 2",
        "refactor: read the pressure once", "ENH: two pumps", "MAINT: tidy the pump", "wip: pump",
        "Rename `docs` and `test-names`", "perf: start faster", "",
    ],
)  # fmt: skip
def test_who_closes_a_bug_says_fix_also_by_a_feature(title: str) -> None:
    assert says_fix(a_pull(9, title, **CLOSES_BUG))


@pytest.mark.parametrize(
    "title",
    [
        "docs: the pump", "Document the pump", "docs(pump): two", "test: the pump", "Add tests",
        "fix(ci): run the pump", "ci: pump", "build: link the pump", "chore: tidy", "Bump it",
        "TST: pump", "BLD: pump", "Fix typo", "Release 1.2", "Merge branch 1.x", "v1.2.3",
        'Revert "Add a pump"', 'Reland "Add a pump"', "Update translations", "Fix lint errors",
        "style: pump",
    ],
)  # fmt: skip
def test_what_is_no_code_overrules_a_closed_bug(title: str) -> None:
    assert not says_fix(a_pull(9, title, **CLOSES_BUG))


def test_who_closes_a_bug_repairs_whose_lines_it_removes_and_is_another_event() -> None:
    before = a_pull(9, "Two pumps", Origin(1, 3), closed_bugs=())
    after = replace(before, **CLOSES_BUG)
    assert (repairs(before), repairs(after)) == ((), (Link("repair", 1, "lines", lines=3),))
    assert fingerprint(replace(before, closed_bugs=None)) == fingerprint(before)
    assert fingerprint(after) != fingerprint(before)
    unknown = replace(before, lines=None)
    assert fingerprint(replace(unknown, **CLOSES_BUG)) == fingerprint(unknown)


def test_a_fix_repairs_the_pulls_and_pushes_whose_lines_it_removes() -> None:
    fix = a_pull(9, "Fix flow", Origin(1, 3), Origin(2, 1, 1), Origin(1, 4, 2), Origin(PUSH, 2))
    assert set(repairs(fix)) == {
        Link("repair", 1, "lines", lines=7),
        Link("repair", 2, "lines", lines=1),
        Link("repair", PUSH, "lines", lines=2),
    }


def test_a_push_repairs_too_and_says_when() -> None:
    number = push_number("a1b2c3d4e5" * 4)
    fix = a_pull(number, "Fix flow", Origin(1, 3))
    assert repairs(fix) == (Link("repair", 1, "lines", fix.merged_at, 3),)


@pytest.mark.parametrize(
    "pull",
    [
        a_pull(9, "Redo flow", Origin(1, 3)),
        a_pull(9, "Fix flow", Origin(0, 3)),
        a_pull(9, "Fix flow", Origin(9, 3)),
        a_pull(9, "Fix flow"),
        a_pull(9, "Fix flow", lines=None),
        a_pull(9, "Fix flow", lines=ChangedLines()),
        a_pull(9, "Fix flow", Origin(1, 3), changed_files=51),
        a_pull(9, "Fix flow", Origin(1, 3), merged_at=None),
        a_pull(9, 'Revert "Fix flow"', Origin(1, 3)),
    ],
    ids=[
        "no fix", "unknown origin", "its own lines", "only additions", "no facts",
        "no history", "many files", "not merged", "revert",
    ],
)  # fmt: skip
def test_nothing_is_repaired(pull: Pull) -> None:
    assert repairs(pull) == ()


def test_who_wrote_few_of_the_removed_lines_is_not_repaired() -> None:
    origins = [Origin(1, 2), Origin(1, 2, 1), Origin(2, 5)]
    lines = ChangedLines(rewrites=tuple(origins), code_removed=100)
    assert [link.number for link in repairs(a_pull(9, "Fix flow", lines=lines))] == [2]


def test_a_change_of_very_many_files_is_not_repaired() -> None:
    linker = Linker()
    linker.observe(a_pull(1, "Format everything", changed_files=301))
    linker.observe(a_pull(2, "Rename the pump", changed_files=300))
    linker = Linker.restore(linker.state())
    fix = a_pull(9, "Fix flow", Origin(1, 3), Origin(2, 3))
    assert linker.observe(fix) == (Link("repair", 2, "lines", lines=3),)


def test_a_fix_that_blames_a_pull_both_hot_fixes_and_repairs_it() -> None:
    fix = a_pull(9, "Fix regression from #1", Origin(1, 3), changed_files=50)
    linker = Linker()
    linker.observe(a_pull(1, "Add a pump"))
    assert linker.observe(fix) == (
        Link("hotfix", 1, "number"),
        Link("repair", 1, "lines", lines=3),
    )
