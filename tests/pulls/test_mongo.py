"""What only the MongoDB store promises: readable documents, guards, fail-over, clear errors."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from pullrisk.errors import SettingsError, StoreError
from pullrisk.pulls import mongo
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.mongo_database import RETRY_SECONDS, write
from pullrisk.pulls.mongo_documents import SCHEMA, to_document
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.store import Written
from support.certificates import make_certificates
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.ports import free_port
from support.processes import until

DAY = datetime(2024, 1, 1, tzinfo=UTC)
PASSWORD = "p:s/w?rd#%@1"
QUOTED = "p%3As%2Fw%3Frd%23%25%401"

Documents = Collection[dict[str, Any]]


def pull(number: int, *, version: int = 0, title: str = "") -> Pull:
    at = DAY + timedelta(minutes=number)
    return Pull(
        repository="o/r",
        number=number,
        created_at=at,
        updated_at=at + timedelta(microseconds=version),
        merged_at=at,
        title=title or f"Change {number}",
        labels=("bug",),
        files=(ChangedFile("src/a.py", "modified", 3, 1),),
    )


@pytest.fixture
def store(mongo_uri: str) -> Iterator[MongoStore]:
    with MongoStore(mongo_uri) as opened:
        yield opened


@pytest.fixture
def collections(mongo_uri: str) -> Iterator[dict[str, Documents]]:
    """The store's collections as another program sees them."""
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        database = client.get_default_database()
        yield {name: database[name] for name in ("pulls", "checkpoints", "schema")}


# --- documents --------------------------------------------------------------------------------


def test_people_can_query_a_pull_by_the_names_of_the_record(
    store: MongoStore, collections: dict[str, Documents]
) -> None:
    store.upsert([pull(7), pull(8, title="Another")])
    wanted = {"repository": "o/r", "state": "merged", "title": "Change 7"}
    (document,) = collections["pulls"].find(wanted)
    assert document["_id"] == "o/r#7"
    assert document["merged_at"] == datetime(2024, 1, 1, 0, 7)  # a date, which has no zone there
    assert document["files"] == [
        {
            "path": "src/a.py",
            "status": "modified",
            "additions": 3,
            "deletions": 1,
            "previous_path": None,
            "code_added": None,
            "code_removed": None,
        }
    ]
    assert collections["pulls"].count_documents({"labels": "bug"}) == 2


def test_a_document_of_an_earlier_version_takes_the_defaults_of_later_fields(
    store: MongoStore, collections: dict[str, Documents]
) -> None:
    document = to_document(pull(1))
    del document["checks"], document["closes"], document["closed_bugs"]
    store.upsert([pull(2)])
    collections["pulls"].insert_one(document)
    assert store.get("o/r", 1) == pull(1)


@pytest.mark.parametrize("change", [{"schema": SCHEMA + 1}, {"schema": None}, {"files": [7]}])
def test_a_document_that_cannot_be_read_is_named(
    store: MongoStore, collections: dict[str, Documents], change: dict[str, object]
) -> None:
    store.upsert([pull(1)])
    collections["pulls"].replace_one({"_id": "o/r#1"}, to_document(pull(1)) | change)
    with pytest.raises(StoreError, match="o/r#1 cannot be read") as caught:
        list(store.events("o/r"))
    assert "upgrade pullrisk" in str(caught.value)


def test_a_store_of_a_newer_version_is_refused_even_if_it_was_upgraded_while_open(
    store: MongoStore, collections: dict[str, Documents], mongo_uri: str
) -> None:
    store.upsert([pull(1)])
    collections["schema"].update_one({"_id": "pulls"}, {"$set": {"version": SCHEMA + 1}})
    with pytest.raises(StoreError, match=rf"version {SCHEMA + 1}, this pullrisk knows {SCHEMA}"):
        store.upsert([pull(2)])
    with MongoStore(mongo_uri) as other, pytest.raises(StoreError, match="upgrade pullrisk"):
        other.repositories()
    assert collections["pulls"].count_documents({}) == 1


def test_a_collection_of_another_program_is_left_alone(
    store: MongoStore, collections: dict[str, Documents]
) -> None:
    collections["pulls"].insert_one({"_id": 1, "theirs": True})
    with pytest.raises(StoreError, match="of another program"):
        store.upsert([pull(1)])
    with pytest.raises(StoreError, match="name another database"):
        store.repositories()
    assert list(collections["pulls"].find()) == [{"_id": 1, "theirs": True}]


# --- writing ----------------------------------------------------------------------------------


def test_what_two_writers_know_of_a_pull_is_joined_whoever_comes_last(
    store: MongoStore, mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ChangedLines(rewrites=(Origin(number=4, lines=3, file=0),))
    github = msgspec.structs.replace(pull(1), merge_sha="ab" * 20)
    clone = msgspec.structs.replace(github, lines=lines)
    meanwhile = [clone]

    def overtaken(*arguments: Any) -> Any:
        """Another process writes between the reading and the writing."""
        with MongoStore(mongo_uri) as other:
            while meanwhile:
                other.upsert([meanwhile.pop()])
        return write(*arguments)

    monkeypatch.setattr(mongo, "write", overtaken)
    assert store.upsert([github]) == Written(unchanged=1)
    assert store.get("o/r", 1) == clone
    meanwhile.append(msgspec.structs.replace(clone, updated_at=clone.updated_at + timedelta(1)))
    assert store.upsert([msgspec.structs.replace(clone, title="Early")]) == Written(unchanged=1)
    assert store.get("o/r", 1) == msgspec.structs.replace(
        clone, updated_at=clone.updated_at + timedelta(1)
    )


def test_the_newest_version_stays_whichever_of_several_writers_comes_last(
    mongo_uri: str,
) -> None:
    def write(version: int) -> None:
        with MongoStore(mongo_uri) as own:
            for start in range(1, 201, 50):
                own.upsert(pull(n, version=version) for n in range(start, start + 50))

    writers = [Thread(target=write, args=(version,)) for version in (2, 0, 3, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with MongoStore(mongo_uri) as store:
        assert list(store.events("o/r")) == [pull(n, version=3) for n in range(1, 201)]


def test_a_pull_that_moves_during_a_reading_comes_once_and_in_event_order(
    store: MongoStore, mongo_uri: str
) -> None:
    store.upsert(map(pull, range(1, 2_501)))
    reading = store.events("o/r")
    assert next(reading).number == 1
    late = DAY + timedelta(minutes=2_400, seconds=30)
    moved = msgspec.structs.replace(pull(2_000, version=1), merged_at=late)
    opened = msgspec.structs.replace(pull(2_001, version=1), merged_at=None)
    with MongoStore(mongo_uri) as other:
        other.upsert([moved, opened])
    rest = [found.number for found in reading]
    assert rest == [*range(2, 2_000), *range(2_002, 2_401), 2_000, *range(2_401, 2_501)]


def test_a_server_killed_in_the_middle_of_a_bulk_write_loses_and_doubles_nothing(
    mongo_stand_in: MongoStandIn,
) -> None:
    written: list[Written] = []

    def fail_over() -> None:
        for _ in range(2):
            batches = len(written)
            until(lambda: len(written) > batches)  # noqa: B023 - called before it changes
            mongo_stand_in.kill()
            mongo_stand_in.start()

    with MongoStore(f"{mongo_stand_in.uri}db") as store:
        store.upsert([pull(1)])
        failing = Thread(target=fail_over)
        failing.start()
        while failing.is_alive() or not written:
            first = 1_000 * len(written)
            numbers = range(first + 1, first + 1_001)
            checkpoint = ("c", {"done": numbers[-1]})
            written.append(store.upsert(map(pull, numbers), checkpoint=checkpoint))
        failing.join()
        last = 1_000 * len(written)
        assert sum(written, Written()) == Written(inserted=last - 1, unchanged=1)
        assert list(store.events("o/r")) == [pull(n) for n in range(1, last + 1)]
        assert store.checkpoint("c") == {"done": last}


def test_a_reading_goes_on_after_the_server_was_killed(mongo_stand_in: MongoStandIn) -> None:
    with MongoStore(f"{mongo_stand_in.uri}db") as store:
        store.upsert(map(pull, range(1, 2_501)))
        reading = store.events("o/r")
        start = [next(reading) for _ in range(999)]
        mongo_stand_in.kill()
        coming_back = Thread(target=mongo_stand_in.start)
        coming_back.start()
        assert [*start, *reading] == [pull(n) for n in range(1, 2_501)]
        coming_back.join()


def test_a_server_that_does_not_come_back_is_an_error_after_the_retries(
    mongo_stand_in: MongoStandIn,
) -> None:
    uri = f"{mongo_stand_in.uri}db?serverSelectionTimeoutMS=300"
    with MongoStore(uri, retry_seconds=1) as store:
        store.upsert([pull(1)])
        mongo_stand_in.kill()
        with pytest.raises(StoreError, match=f"127.0.0.1:{mongo_stand_in.port}"):
            store.upsert([pull(2)])
        mongo_stand_in.start()
        assert store.upsert([pull(1), pull(2)]) == Written(inserted=1, unchanged=1)


def test_a_pickled_store_opens_the_same_database_and_shows_no_password(store: MongoStore) -> None:
    store.upsert([pull(1)])
    with pickle.loads(pickle.dumps(store)) as again:
        assert again.get("o/r", 1) == pull(1)
    with MongoStore(f"mongodb://ann:{QUOTED}@h/db") as secret:
        assert repr(secret) == "MongoStore('mongodb://***@h/db')"


# --- what the server says -----------------------------------------------------------------------


@pytest.mark.skipif(
    "PULLRISK_TEST_MONGO_URI" not in os.environ,
    reason="the stand-in explains no query: PULLRISK_TEST_MONGO_URI=...",
)
def test_fingerprints_and_summaries_read_no_document(
    store: MongoStore, collections: dict[str, Documents]
) -> None:
    store.upsert(map(pull, range(1, 101)))
    pulls = collections["pulls"]
    plan = pulls.find(
        {"repository": "o/r", "event_us": {"$gte": -(2**63)}},
        {"_id": False, "number": True, "fingerprint": True},
    ).explain()
    assert plan["executionStats"]["nReturned"] == 100
    assert plan["executionStats"]["totalDocsExamined"] == 0


@pytest.mark.timeout(RETRY_SECONDS - 5)
def test_nobody_answering_is_said_without_retries_and_with_host_and_port() -> None:
    port = free_port()
    uri = f"mongodb://ann:{QUOTED}@127.0.0.1:{port}/db?serverSelectionTimeoutMS=500"
    with MongoStore(uri) as store, pytest.raises(StoreError) as caught:
        store.repositories()
    assert f"no server answers at 127.0.0.1:{port} within 0.5 s" in str(caught.value)
    assert_no_password(caught.value)


def test_a_user_name_and_password_in_the_uri_open_the_store(mongo_stand_in: MongoStandIn) -> None:
    with gate(mongo_stand_in.port, user="ann", password=PASSWORD) as port:
        uri = f"mongodb://ann:{QUOTED}@127.0.0.1:{port}/db?authMechanism=SCRAM-SHA-256"
        with MongoStore(uri) as store:
            assert store.upsert([pull(1)]) == Written(inserted=1)


@pytest.mark.parametrize("user", ["ann", "bob"])
def test_a_wrong_user_or_password_is_named_without_the_password(
    mongo_stand_in: MongoStandIn, user: str
) -> None:
    with gate(mongo_stand_in.port, user="ann", password="another") as port:
        uri = f"mongodb://{user}:{QUOTED}@127.0.0.1:{port}/db?authMechanism=SCRAM-SHA-256"
        with MongoStore(uri) as store, pytest.raises(StoreError) as caught:
            store.upsert([pull(1)])
    assert f"127.0.0.1:{port} refused user {user}" in str(caught.value)
    assert "authSource" in str(caught.value)
    assert_no_password(caught.value)


def test_a_missing_password_is_told_as_a_missing_right(mongo_stand_in: MongoStandIn) -> None:
    with gate(mongo_stand_in.port, user="ann", password="another") as port:
        uri = f"mongodb://127.0.0.1:{port}/db"
        with MongoStore(uri) as store, pytest.raises(StoreError, match="requires authentication"):
            store.repositories()


def test_tls_is_asked_for_in_the_uri_and_an_unknown_authority_is_refused(
    mongo_stand_in: MongoStandIn, tmp_path: Path
) -> None:
    made = make_certificates(tmp_path)
    with gate(mongo_stand_in.port, user="ann", password=PASSWORD, certificates=made) as port:
        uri = f"mongodb://ann:{QUOTED}@127.0.0.1:{port}/db?authMechanism=SCRAM-SHA-256&tls=true"
        with MongoStore(f"{uri}&tlsCAFile={made.authority}") as store:
            assert store.upsert([pull(1)]) == Written(inserted=1)
        short = f"{uri}&serverSelectionTimeoutMS=500"
        with MongoStore(short) as store, pytest.raises(StoreError) as caught:
            store.repositories()
    assert "TLS" in str(caught.value)
    assert "tlsCAFile" in str(caught.value)
    assert_no_password(caught.value)


# --- the URI ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (f"mongodb://ann:{QUOTED}@h/db?retryWritez=true", "retryWrites"),
        (f"mongodb://ann:{QUOTED}@h/db?retryWrites=perhaps", "retrywrites must be"),
        (f"mongodb://ann:{QUOTED}@h/db?w=1&w=2", "Duplicate"),
        (f"mongodb://ann:{QUOTED}@h/db?tls=true&tlsCAFile=/no/such.pem", "no/such.pem"),
        (f"mongodb://ann:{QUOTED}@h/db.pulls", "names a collection"),
        (f"mongodb://ann:{PASSWORD}@h/db", "cannot be read"),
        ("mongodb://ann:p:s/w?rd#%@h/db", "%3A %2F"),
        ("mongodb://", "mongodb://USER"),
    ],
)
def test_a_uri_that_cannot_be_used_is_explained_without_its_password(uri: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        MongoStore(uri)
    assert said.lower() in str(caught.value).lower()
    assert_no_password(caught.value)


def test_without_pymongo_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['pymongo'] = None\n"
        "from pullrisk.wiring.adapters import store_at\n"
        "from pullrisk.errors import MissingExtraError\n"
        "try: store_at('mongodb://h/db')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pullrisk[mongo]" in done.stdout, done.stderr


def assert_no_password(error: BaseException) -> None:
    """Neither the error nor what it was raised from holds the password or a part of it."""
    shown: BaseException | None = error
    while shown is not None:
        for part in (PASSWORD, QUOTED, "w?rd", "w%3Frd", "p:s"):
            assert part not in f"{shown!s} {shown!r}"
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
