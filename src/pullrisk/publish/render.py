"""What people read: the comment and the job's summary, as Markdown."""

from collections.abc import Sequence
from typing import Final

from pullrisk.brief.markdown import as_markdown, escaped, heading
from pullrisk.publish.result import Result

_DOCUMENTATION: Final = "https://github.com/pullrisk/pullrisk/blob/main/docs"
_ADVICE: Final = "advice, not a verdict on the author"
ACTION: Final = (
    f"<sub>[pullrisk]({_DOCUMENTATION}/action.md) · from this repository's history, on the runner; "
    f"{_ADVICE}</sub>"
)
"""The last line of what the Action writes."""
APP: Final = (
    f"<sub>[pullrisk]({_DOCUMENTATION}/app.md) · from this repository's history; {_ADVICE}</sub>"
)
"""The last line of what the App writes."""
_RELAYED: Final = (
    "<sub>Computed in the fork's own workflow, which its author can change: take it as their "
    "word.</sub>"
)


def comment(
    result: Result, changes: Sequence[str] = (), *, foot: str, relayed: bool = False
) -> str:
    """The comment under the pull, without its hidden part; `foot` is its last line."""
    parts = [_body(result)]
    if changes:
        parts.append("\n".join(_change_lines(changes)))
    parts += [f"_{escaped(notice)}_" for notice in result.notices]
    parts += [_RELAYED] if relayed else []
    return "\n\n".join([*parts, f"{foot}\n"])


def summary(result: Result, changes: Sequence[str] = ()) -> str:
    """The job's summary: the comment, under the pull's own title."""
    head = heading(result.brief) if result.brief else f"### pullrisk: #{result.number}"
    return f"{head}\n\n{comment(result, changes, foot=ACTION)}"


def _body(result: Result) -> str:
    if result.brief is not None:
        return as_markdown(result.brief).strip()
    reason = escaped(result.reason or "for an unknown reason")
    return f"**Not scored:** {reason}.\n\nThis says nothing about its risk: look at it as usual."


def _change_lines(changes: Sequence[str]) -> list[str]:
    head, *rest = changes
    return [f"**Since the last push:** {_plain(head)}", *(f"- {_plain(each)}" for each in rest)]


def _plain(text: str) -> str:
    """The sentence, its commits as code."""
    if text.count("`") != 2:
        return escaped(text)
    before, commit, after = text.split("`")
    return f"{escaped(before)} `{commit}` {escaped(after)}"
