"""A brief as Markdown, for comments on pull requests and summaries of jobs.

Titles, paths and names are strangers' words: nothing in them may format, link, mention or notify.
Links to pulls go through redirect.github.com, which GitHub keeps for this: a direct link would
leave a "mentioned this" on every pull that a brief names.
"""

import re
from typing import Final

from pullrisk.brief.result import Brief
from pullrisk.brief.sections import Item, Mention, Section, answers, notes, parts, sections
from pullrisk.brief.wording import UNSEEN

MOST: Final = 30_000
"""Characters of a brief; GitHub takes 65,536 in a comment."""
_MOST_WORDS: Final = 500
"""Characters of one text or path."""
_GAP: Final = "&#8203;"
"""A space of no width, which keeps what stands beside it from being a mention or an address."""
_MARKS: Final = re.compile(r"[\\`*_{}\[\]#|~!$]")
_MENTION: Final = re.compile(r"(@|#(?=\d)|\b[Gg][Hh]-(?=\d)|:(?=//)|\b[Ww]{3}(?=\.))")
_COMMIT: Final = re.compile(r"\b[0-9a-f]{7,40}\b")
_OPENING: Final = re.compile(r"^(\d*)([-+=]|(?<=\d)[.)](?= |$))")
_UNSHOWN: Final = re.compile(f"[\x00-\x1f{UNSEEN}]+")
_GITHUB: Final = "https://github.com/"
_REDIRECT: Final = "https://redirect.github.com/"


def as_markdown(brief: Brief) -> str:
    """The whole brief, with what is not needed at once in a part that unfolds."""
    shown = sections(brief)
    written = [f"**{escaped(brief.verdict)}**", escaped(answers(brief))]
    written += [_section(section) for section in shown if not section.folded]
    folded = [section for section in shown if section.folded]
    if folded:
        written.append(_details(folded))
    written += [f"_{escaped(note)}_" for note in notes(brief)]
    return _bounded([part for part in written if part])


def heading(brief: Brief) -> str:
    """The pull's own number and title as a heading, for where the brief does not stand in it."""
    number = f"#{brief.number}" if brief.number else ""  # a branch has none before it is opened
    title = escaped(f"{brief.repository}{number} {brief.title}")
    return f"### {title if brief.url is None else f'[{title}]({_address(brief.url)})'}"


def escaped(text: str) -> str:
    """The text as Markdown that shows just these characters on one line, and does nothing."""
    text = _UNSHOWN.sub(" ", text)
    text = _cut(" ".join(text.split()))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = _MENTION.sub(lambda match: f"{match[0]}\x00", text)
    marked = _COMMIT.sub(lambda match: "\x00".join(re.findall(".{1,6}", match[0])), marked)
    marked = _MARKS.sub(r"\\\g<0>", marked)
    return _OPENING.sub(r"\1\\\2", marked).replace("\x00", _GAP)


def code(text: str) -> str:
    """The text as code, in as many back-ticks as it needs."""
    text = _cut(_UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{space}{text}{space}{fence}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"


def _section(section: Section) -> str:
    return f"**{section.heading}**\n\n{_items(section)}"


def _items(section: Section) -> str:
    return "\n".join(line for item in section.items for line in _item(item, "- "))


def _details(folded: list[Section]) -> str:
    names = [
        folded[0].heading,
        *(each.heading[0].lower() + each.heading[1:] for each in folded[1:]),
    ]
    inner = "\n\n".join(map(_section, folded)) if len(folded) > 1 else _items(folded[0])
    return f"<details><summary>{', '.join(names)}</summary>\n\n{inner}\n\n</details>"


def _item(item: Item, before: str) -> list[str]:
    aside = f" <sub>({escaped(item.aside)})</sub>" if item.aside else ""
    text = "".join(map(_part, parts(item.text, item.mentions)))
    lines = [f"{before}{text}{aside}"]
    for each in item.below:
        lines += _item(each, f"  {before}")
    return lines


def _part(part: str | Mention) -> str:
    """The words, escaped, or the mention, linked."""
    if isinstance(part, Mention):
        return _link(part)
    words = escaped(part)
    before = " " if part[:1] == " " else ""
    return f"{before}{words}{' ' if words and part[-1:] == ' ' else ''}"


def _link(mention: Mention) -> str:
    words = code(mention.words) if mention.is_path else escaped(mention.words)
    return words if mention.url is None else f"[{words}]({_address(mention.url)})"


def _address(url: str) -> str:
    address = url.replace(_GITHUB, _REDIRECT, 1) if "/pull/" in url else url
    return address.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def _bounded(written: list[str]) -> str:
    """The parts, as many as fit: none is cut in its middle."""
    fitting, size = [], 0
    for part in written:
        size += len(part) + 2
        if size > MOST:
            fitting.append("_The rest is too long for this place._")
            break
        fitting.append(part)
    return "\n\n".join(fitting) + "\n"
