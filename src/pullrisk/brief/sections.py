"""The sections of a brief in the order in which they are read; every form of output shows these."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pullrisk.brief.result import Brief, LineRange, Place, Precedent, Reason
from pullrisk.brief.wording import share

MOST_PLACES: Final = 5
MOST_RANGES: Final = 3
_ALL: Final = 0.995
NO_REASON: Final = "nothing that has a name stands out"


class Mention(NamedTuple):
    """A part of a text that leads somewhere: a path (shown as code), `#123`, a name."""

    words: str
    url: str | None
    is_path: bool = False


class Item(NamedTuple):
    """One line of a section; `aside` is said in a lower voice, `below` are lines under it."""

    text: str
    mentions: tuple[Mention, ...] = ()
    aside: str = ""
    below: tuple["Item", ...] = ()


class Section(NamedTuple):
    """A heading and its lines; a `folded` one may be hidden until it is asked for."""

    heading: str
    items: tuple[Item, ...]
    folded: bool = False


def sections(brief: Brief) -> list[Section]:
    """The sections that have something to say."""
    every = (
        Section("Why", tuple(map(_reason, brief.raising)) or _nothing(brief)),
        Section("What speaks for it", tuple(map(_reason, brief.lowering))),
        Section("Where to look", tuple(map(_place, brief.places[:MOST_PLACES]))),
        Section("What is missing", tuple(_missing(brief))),
        Section("What would lower the risk", tuple(_relief(brief))),
        Section("Who knows this code", tuple(_reviewers(brief)), folded=True),
        Section("What happened last time", tuple(map(_precedent, brief.precedents)), folded=True),
        Section("What else is under way", tuple(_under_way(brief)), folded=True),
    )
    return [section for section in every if section.items]


def parts(text: str, mentions: tuple[Mention, ...]) -> Iterator[str | Mention]:
    """The text in parts: each mention where it first stands, and what lies between them."""
    for place, mention in enumerate(mentions):
        before, there, after = text.partition(mention.words)
        if there:
            yield from parts(before, mentions[place + 1 :])
            yield mention
            yield from parts(after, mentions[place + 1 :])
            return
    yield text


def answers(brief: Brief) -> str:
    """The other answers in one line: band, repair and revert, novelty, kind of work."""
    parts = [f"band {brief.band}"] if brief.band else []
    if brief.repair is not None and brief.revert is not None:
        parts += [f"fix {share(brief.repair)}", f"revert {share(brief.revert)}"]
    if brief.novelty is not None:
        parts.append(f"more unusual than {min(99, int(brief.novelty))} % of the pulls here")
    if brief.category is not None:
        parts.append(brief.category.name)
    return " · ".join(parts)


def notes(brief: Brief) -> tuple[str, ...]:
    """As of when it is told, from where its ages count, if not of now; what the answers lack."""
    if brief.state == "open" or brief.as_of is None:
        return brief.notes
    end = "merge" if brief.state == "merged" else "closing"
    return f"told as of its {end} on {brief.as_of:%Y-%m-%d}", *brief.notes


def _nothing(brief: Brief) -> tuple[Item, ...]:
    """What is said instead of reasons where a pull is risky and nothing that has a name is why."""
    return (Item(NO_REASON),) if brief.band in ("elevated", "high") else ()


def _reason(reason: Reason) -> Item:
    return Item(reason.text, _mentions(reason), f"{share(reason.without)} without it")


def _mentions(reason: Reason) -> tuple[Mention, ...]:
    """The pull or the path that a reason is about; its address is the pull's if it names one."""
    number = () if reason.number is None else (Mention(f"#{reason.number}", reason.url),)
    url = None if reason.number is not None else reason.url
    path = () if reason.path is None else (Mention(reason.path, url, is_path=True),)
    return (*number, *path)


def _place(place: Place) -> Item:
    ranges = tuple(map(_range, place.ranges[:MOST_RANGES]))
    text = f"{place.path}: {place.text}" if place.text else place.path
    path = Mention(place.path, place.url, is_path=True)
    aside = f"{share(place.share)} of the risk" if place.share < _ALL else ""
    return Item(text, (path,), aside, ranges)


def _range(each: LineRange) -> Item:
    where = f"line {each.first}" if each.first == each.last else f"lines {each.first}-{each.last}"
    return Item(f"{where}: {each.text}", (Mention(where, each.url),))


def _missing(brief: Brief) -> Iterator[Item]:
    for each in brief.missing:
        paths = (
            Mention(each.path, each.url, is_path=True),
            Mention(each.with_path, None, is_path=True),
        )
        yield Item(each.text, paths)


def _relief(brief: Brief) -> Iterator[Item]:
    if brief.relief is not None:
        yield Item(brief.relief.text)


def _reviewers(brief: Brief) -> Iterator[Item]:
    for each in brief.reviewers:
        text = each.text if each.name in each.text else f"{each.name}: {each.text}"
        yield Item(text, (Mention(each.name, each.url),))


def _precedent(each: Precedent) -> Item:
    """What the fix says of itself tells what had gone wrong; it stands behind the fix's number."""
    numbers = (*_numbered(each.number, each.url), *_numbered(each.by, each.by_url))
    paths = tuple(Mention(path, None, is_path=True) for path in each.paths)
    return Item(
        each.text, (*numbers, *paths), (each.title if each.by is None else each.by_title) or ""
    )


def _under_way(brief: Brief) -> Iterator[Item]:
    for each in brief.under_way:
        paths = tuple(Mention(path, None, is_path=True) for path in each.paths)
        yield Item(each.text, (*_numbered(each.number, each.url), *paths))


def _numbered(number: int | None, url: str | None) -> tuple[Mention, ...]:
    return () if number is None else (Mention(f"#{number}", url),)
