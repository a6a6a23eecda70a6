"""The store goes on when its user's password is rotated, told of it or refused."""

from collections.abc import Iterator

import pytest

pytest.importorskip("pymongo", reason="the extra mongo is not installed")
pytest.importorskip("nx_27017", reason="nx-27017 is not installed")

from pullrisk.errors import StoreError
from pullrisk.pulls.mongo import MongoStore
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.sample import sample_pulls

PULLS = sample_pulls(3)


class Uri:
    """A URI that is told at once, or only when it is read anew."""

    def __init__(self, uri: str) -> None:
        self.now = self.known = uri
        self.reads = 0

    def refresh(self) -> bool:
        self.reads += 1
        before, self.now = self.now, self.known
        return before != self.now


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoStandIn]:
    with MongoStandIn(tmp_path_factory.mktemp("mongo")) as running:
        yield running


@pytest.fixture
def passwords() -> list[str]:
    """Those that the server takes now."""
    return ["first"]


@pytest.fixture
def port(server: MongoStandIn, passwords: list[str]) -> Iterator[int]:
    with gate(server.port, user="ann", password=passwords) as found:
        yield found


def uri_of(port: int, password: str) -> str:
    place = f"127.0.0.1:{port}/rotation?authMechanism=SCRAM-SHA-256"
    return f"mongodb://ann:{password}@{place}&serverSelectionTimeoutMS=20000"


@pytest.fixture
def uri(port: int) -> Uri:
    return Uri(uri_of(port, "first"))


@pytest.fixture
def store(uri: Uri) -> Iterator[MongoStore]:
    with MongoStore(uri.now, rotating=uri) as opened:
        yield opened


def restart(server: MongoStandIn) -> None:
    """Cut every connection: the next ones have to log in again."""
    server.kill()
    server.start()


def test_a_uri_that_is_told_takes_over_before_the_old_password_ends(
    store: MongoStore, uri: Uri, port: int, passwords: list[str], server: MongoStandIn
) -> None:
    store.upsert(PULLS[:1])
    for fresh in ("second", "third"):
        passwords.append(fresh)
        uri.now = uri_of(port, fresh)
        store.upsert(PULLS[1:2])
        del passwords[0]
        restart(server)
        assert store.get(PULLS[1].repository, PULLS[1].number) == PULLS[1]
    assert uri.reads == 0


def test_a_refused_password_is_read_anew(
    store: MongoStore, uri: Uri, port: int, passwords: list[str], server: MongoStandIn
) -> None:
    store.upsert(PULLS[:1])
    passwords[:] = ["second"]
    uri.known = uri_of(port, "second")
    restart(server)
    store.upsert(PULLS[2:3], checkpoint=("rotated", {"done": True}))
    assert store.checkpoint("rotated") == {"done": True}
    assert uri.reads == 1


def test_a_password_that_stays_refused_is_an_error_that_does_not_show_it(
    store: MongoStore, uri: Uri, passwords: list[str]
) -> None:
    passwords[:] = ["second"]
    with pytest.raises(StoreError, match="refused user ann") as caught:
        store.get("a/b", 1)
    assert "first" not in str(caught.value)
    assert uri.reads == 1
