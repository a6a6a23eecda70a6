"""Whether a pull says that it fixes what was wrong for users: by its title, branch or labels, or
by closing an issue that is labelled as a bug; and which earlier changes a fix repairs.

Not meant are fixes of spelling, documents, tests, builds, style, versions and translations, and
reverts. A feature or a refactoring is a fix only if it closes a bug: its own branch and labels are
set by hand or by a robot for other reasons, the issue tells what was wrong.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from pullrisk.pulls.bug_labels import labelled_as_bug
from pullrisk.pulls.outcomes.claims import is_undo
from pullrisk.pulls.outcomes.prefilters import title_may_fix
from pullrisk.pulls.record import Pull

MOST_FILES: Final = 50
"""Files of a fix; one that changes more also does something else, and names origins at random."""
LEAST_SHARE: Final = 0.05
"""Share of the removed code lines that an origin wrote; what has less is touched by the way.

Chosen on links read by hand (docs/outcomes.md)."""
_BULK: Final = 300
"""Files of a change beyond which its lines were only moved, formatted or imported by it."""
_FAULT: Final = (
    r"(?:crash\w*|panics?|segfaults?|dead-?locks?|(?:data )?races?|race conditions?|hangs?"
    r"|leak(?:s|ing|age)?|(?:infinite|endless) (?:loop|recursion)s?|npes?|\w*exceptions?|\w*errors?"
    r"|(?:null|nil)(?:[ -]?pointers?)?|(?:de)?references?|overflows?|corruption|failures?"
    r"|out[- ]of[- ]bounds|division by zero)"
)
_FIX: Final = re.compile(
    r"(?<!\w)(?<!(?:auto|edit|code|uick)[-\u2011 ])"
    r"(?:fix(?:es|ing)?(?! (?:suggest|safety|applicab|availab))"
    r"|fixed(?![- ](?:size|width|point|length|position|version|number)))\b"
    r"|\b(?:bug|hot)[- ]?fix(?:es)?\b|\bbugs? (?:in|with|when|where|which|causing|introduced)\b"
    r"|\b(?:squash|resolve|address)\w* (?:an? |the )?(?:bug|issue|problem)s?\b"
    r"|(?<!logistic )(?<!linear )\bregressions?\b(?! (?:\d|model|task|metric|class|loss))"
    r"|\b(?:regress(?:ed|es)|broken|breakage|repair(?:s|ed|ing)?|correct(?:s|ed|ing|ly)?"
    r"|incorrect(?:ly)?|wrong(?:ly)?|off[- ]by[- ]one|infinite loop|segfaults?|dead-?locks?"
    r"|(?:null|nil) ?pointers?|npe|use[- ]after[- ]free|race conditions?|crash(?:es|ed|ing)?"
    r"|panic(?:s|ked)?|leak(?:s|ed)?)\b"
    r"|\b(?:avoid|prevent|handl|eliminat|guard against|stop|do not|don't|never)(?:e?[sd]|e|ing)?"
    rf"(?: \S+){{0,3}}? {_FAULT}\b",
)
_NO_FAULT: Final = re.compile(
    r"\b(?:typos?|miss?pell\w*|spellings?|spellcheck|grammar|wording|punctuation|changelogs?"
    r"|release[- ]notes?|readme|docs?|\w*doc-?strings?|documentation|(?:java|js|rust|go)docs?"
    r"|comments?|licen[sc]es?|copyright|white-?spaces?|indentation|code ?style|format(?:ting)?"
    r"|(?:\w*-?)lint(?:er|ers|ing|s)?|flake8|pep-?8|rubocop|clippy|spotless|prettier"
    r"|check-?style|style-?ci|\w*link-?check"
    r"|rustfmt|gofmt|isort|mypy|flak(?:y|es?|iness)|(?:unit-?)?tests?|testing|e2e|specs?"
    r"|ci|workflows?|travis|jenkins|appveyor|translations?|i18n|l10n|locali[sz]ations?"
    r"|bump(?:s|ed|ing)?|links?|warnings?|(?:pre-?)?release v?\d[\w.]*|crash ?report\w*)\b"
    r"|\bstyle fixes\b|\b(?:rule|lint|style) violations?\b"
    r"|^document(?:s|ed|ing)? (?:the|an?|how|that|why|when|what|which|new|missing|all|some)\b"
    r"|^(?:back-?)?merge\b|^(?:pre-?)?releas(?:e|ing)\b|^v?\d+\.\d+",
)
# A new feature that closes an issue, as in "Add a flag (fixes #12)".
_NEW: Final = re.compile(
    r"^(?:add|allow|support|implement|introduc|enabl|creat)\w* (?!missing)[^:]*\bfix\w* #\d",
)
_NO_CODE: Final = (
    r"build|chores?|ci|cd|deps?|dependencies|docs?|format(?:ting)?|i18n|l10n|lint(?:ing)?|e2e|specs?"
    r"|styles?|tests?|typos?|translations?|benchmarks?|bench|release"
)
_TYPE: Final = re.compile(
    r"\W{0,3}(?P<type>[a-z][a-z -]{1,14}?)\W{0,2}(?:\((?P<scope>[^)]{0,60})\))?!?[:\]][\s:]*",
)
_FIXING: Final = re.compile(r"(?:bug|hot)?[ -]?fix(?:es|ed)?|bugs?|regression")
_NO_CODE_TYPE: Final = re.compile(rf"{_NO_CODE}|bld|rel|sty|tst|dep|doc")
_NEW_TYPE: Final = re.compile(r"feat(?:ures?)?|enh|maint|refactor(?:ing)?|wip")
_SCOPE: Final = re.compile(rf"(?:^|[\s,/_])(?:{_NO_CODE})(?:$|[\s,/_])")
_NAMES: Final = re.compile(
    r"\[[^\]]*\]|`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d|(?<!\w)'[^']{2,}'(?!\w)"
)
_FIXING_EMOJI: Final = ("\U0001f41b", "\U0001f41e", "\U0001f691", ":bug:", ":ambulance:")
_BRANCH: Final = re.compile(r"(?:^|/)(?:bug|hot)?[-_]?(?:fix(?:es)?|bug)(?:[/_-]|$)", re.IGNORECASE)


def says_fix(pull: Pull) -> bool:
    """Whether the pull's title, branch, labels or closed issues say that it fixes what was wrong.

    A title that speaks of spelling, documents, tests and the like overrules all others; one that
    speaks of a feature overrules branch and labels.
    """
    title = " ".join(pull.title.lower().split())
    closes_bug = bool(pull.closed_bugs)
    marked = closes_bug or title.startswith(_FIXING_EMOJI) or _is_marked(pull)
    if not (marked or title_may_fix(title)):
        return False  # true of most pulls, and cheap
    kind = _TYPE.match(title)
    type_, scope = ("", "") if kind is None else (kind["type"], kind["scope"] or "")
    # A name in brackets or quotes may have any words.
    plain = _NAMES.sub("x", title)
    if _NO_CODE_TYPE.fullmatch(type_) or _SCOPE.search(scope):
        return False
    if not closes_bug and (_NEW_TYPE.fullmatch(type_) or _NEW.search(plain)):
        return False
    fixes = marked or _FIXING.fullmatch(type_) is not None or _FIX.search(plain) is not None
    return fixes and not _NO_FAULT.search(plain) and not is_undo(pull)


def _is_marked(pull: Pull) -> bool:
    """Whether the branch or a label says so."""
    return _BRANCH.search(pull.head_ref or "") is not None or labelled_as_bug(pull.labels)


def repaired_by(pull: Pull) -> Iterator[tuple[int, int]]:
    """The pulls and pushes whose code lines a fix removes, with how many: (number, lines).

    Nothing for a pull that says no fix or changes too many files, for origins of few of the lines,
    for lines of unknown origin and for its own.
    """
    lines = pull.lines
    if lines is None or not lines.rewrites or _files(pull) > MOST_FILES or not says_fix(pull):
        return
    removed = Counter[int]()
    for origin in lines.rewrites:
        removed[origin.number] += origin.lines
    least = max(1, LEAST_SHARE * lines.code_removed)
    for number, count in removed.items():
        if number not in (0, pull.number) and count >= least:
            yield number, count


def is_bulk(pull: Pull) -> bool:
    """Whether the change is so large that nothing is wrong with it where its lines are fixed."""
    return _files(pull) > _BULK


def _files(pull: Pull) -> int:
    return pull.changed_files or len(pull.files or ())
