"""Finding the objects in files of JSON of every shape and encoding."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.errors import InputError
from pullrisk.fetch import content, objects
from pullrisk.fetch.objects import read_objects

OBJECTS = [
    {
        "number": 1,
        "title": 'a "quoted" \\ {brace',
        "files": [{"filename": "}{"}, {"filename": "é"}],
    },
    {"number": 2, "title": "line\nend ] and 🚀", "user": {"login": "mara"}, "labels": []},
    {"number": 3, "title": "\\", "body": '{"number": 9}\n{"number": 10}'},
]


def lines(separator: str) -> str:
    return separator.join(map(json.dumps, OBJECTS))


SHAPES = {
    "one a line": lines("\n"),
    "one a line, CRLF": lines("\r\n") + "\r\n",
    "blank lines between": lines("\n \n\n"),
    "one after another": lines(""),
    "array": json.dumps(OBJECTS),
    "array of arrays, as with --slurp": json.dumps([OBJECTS[:1], OBJECTS[1:]]),
    "arrays one after another, as with --paginate": json.dumps(OBJECTS[:1])
    + json.dumps(OBJECTS[1:]),
    "array with one a line": "[\n" + lines(",\n") + "\n]\n",
    "pretty array": json.dumps(OBJECTS, indent=2),
    "pretty objects": "\n".join(json.dumps(each, indent=2) for each in OBJECTS),
    "objects with lines and no indent": "\n".join(json.dumps(each, indent=0) for each in OBJECTS),
    "JSON text sequence": "".join(f"\x1e{json.dumps(each)}\n" for each in OBJECTS),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def read(data: bytes) -> list[tuple[int, bytes]]:
    return list(read_objects(io.BytesIO(data), "pulls"))


@pytest.fixture(params=[1, 7, 2**16], ids="chunks of {}".format)
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_holds_the_same_objects(shape: str) -> None:
    assert [json.loads(data) for _, data in read(SHAPES[shape].encode())] == OBJECTS


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("shape", ["one a line, CRLF", "array", "pretty objects"])
def test_every_encoding_holds_the_same_objects(
    shape: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    data = pack(SHAPES[shape].encode(encoding))
    assert [json.loads(each) for _, each in read(data)] == OBJECTS


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{oops\n{oops\n{"a": 1}\n', [(1, b"{oops"), (2, b"{oops"), (3, b'{"a": 1}')]),
        (b'{"a": "cut\n{"a": 2}\n', [(1, b'{"a": "cut'), (2, b'{"a": 2}')]),
        (b'{"a": [\n{"a": 2}\n', [(1, b'{"a": ['), (2, b'{"a": 2}')]),
        (b'{"a": 1}\n]\n{"a": 2}\n', [(1, b'{"a": 1}'), (2, b"]"), (3, b'{"a": 2}')]),
        (b'nope\n[1, 2]\n"x"', [(1, b"nope"), (2, b"1"), (2, b"2"), (3, b'"x"')]),
        (b'[\n {\n "a": 1\n },\n {}\n]', [(2, b'{\n "a": 1\n }'), (5, b"{}")]),
    ],
)
def test_what_is_broken_stands_alone_and_the_rest_is_read(
    data: bytes, expected: list[tuple[int, bytes]]
) -> None:
    assert read(data) == expected


@pytest.mark.parametrize("cut", [1, 40, 100])
def test_an_array_that_is_cut_short_is_told(cut: int) -> None:
    found = read_objects(io.BytesIO(SHAPES["array"].encode()[:-cut]), "pulls.json")
    assert json.loads(next(found)[1]) == OBJECTS[0]
    with pytest.raises(InputError, match=r"pulls\.json: the file is cut short"):
        list(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    wanted=st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=3),
    indent=st.sampled_from([None, 0, 1, "\t"]),
    array=st.booleans(),
    as_ascii=st.booleans(),
)
def test_any_objects_come_back(
    wanted: list[dict[str, object]], indent: int | str | None, *, array: bool, as_ascii: bool
) -> None:
    def dump(value: object) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=as_ascii)

    text = dump(wanted) if array else "\n".join(map(dump, wanted))
    assert [json.loads(data) for _, data in read(text.encode())] == wanted


BOMBS = {
    "blank lines": (b"", b"\n"),
    "one endless text": (b'{"a": "', b"x"),
    "open brackets": (b"", b"["),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_gzip_bomb_is_refused_in_bounded_memory(
    bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_FREE", 2**20)
    monkeypatch.setattr(objects, "MAX_OBJECT", 2**18)
    first, repeated = BOMBS[bomb]
    packed = gzip.compress(first) + gzip.compress(repeated * (2**24 // len(repeated)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"200 times its own size|longer than"):
            for _ in read_objects(io.BytesIO(packed), "bomb"):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_gzip_may_expand_as_much_as_lists_of_pulls_do() -> None:
    record = json.dumps(OBJECTS[0]).encode() + b"\n"
    whole = b"".join(record.replace(b"1", b"%d" % number) for number in range(1, 5_000))
    assert len(read(gzip.compress(whole))) == 4_999


def test_content_is_read_as_it_comes() -> None:
    """A pipe's first objects are there before its end."""

    def chunks() -> Iterator[bytes]:
        yield b'{"a": 1}\n{"a": 2}\n{"a"'
        raise AssertionError

    class Pipe(io.RawIOBase):
        parts = chunks()

        def read(self, size: int = -1) -> bytes:
            return next(self.parts)

    found = read_objects(Pipe(), "pipe")  # type: ignore[arg-type]
    assert next(found) == (1, b'{"a": 1}')
