import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.redaction import MASK, SPARK_REDACTION, Redactor

AWKWARD = 'p@ss "w/o"\\rd=ä&%'


def hidden(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.learn(value)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        quote(AWKWARD, safe=""),
        json.dumps({"x": AWKWARD}),
        repr(AWKWARD),
        base64.b64encode(AWKWARD.encode()).decode(),
    ],
)
def test_a_learned_value_is_masked_in_every_form(form: str) -> None:
    shown = hidden(AWKWARD).text(f"before {form} after")
    assert MASK in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "ss" not in shown


@given(st.text(min_size=4), st.text(), st.text())
def test_no_text_shows_a_learned_value(secret: str, before: str, after: str) -> None:
    redactor = hidden(secret)
    shown = redactor.text(f"{before}{secret}{after}")
    assert secret not in shown.replace(MASK, "\0")


def test_the_password_of_a_learned_uri_is_masked_alone_too() -> None:
    redactor = hidden("mongodb://user:p%40ssword@h/db")
    assert redactor.text("failed for p@ssword or p%40ssword") == "failed for *** or ***"


def test_each_line_of_a_learned_key_is_masked() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    redactor = hidden(f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----")
    assert redactor.text(f"bad line {line}!") == "bad line ***!"


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 8,
        "hvs." + "CAES" * 8,
        "s." + "a1B2c3D4e5F6" * 2,
        "eyJhbGciOiJSUzI1NiJ9." + "eyJzdWIiOiJ4In0" + ".c2ln",
        "dop_v1_" + "0a1b2c3d" * 8,
        "AKIA" + "ABCD1234" * 2,
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_credential_is_masked_though_never_learned(secret: str) -> None:
    assert Redactor().text(f"got {secret} there") == "got *** there"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb://me:hush@h/db", "mongodb://***@h/db"),
        ("https://token@host/x", "https://***@host/x"),
        ("Authorization: Bearer abcdefgh12", "Authorization: Bearer ***"),
        ("?api_key=hush&x=1", "?api_key=***&x=1"),
        ("PASSWORD=hush next", "PASSWORD=*** next"),
    ],
)
def test_credentials_in_uris_headers_and_assignments_are_masked(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "read 12 tokens from https://github.com/a/b?page=2",
        "secret/mlops/data-fetch has no mongo_uri",
        "the token expired at 2026-01-01T00:00:00Z",
        "rust-lang/cargo s.rs: merged by a@b.example",
        "src/pullrisk/secrets/token.py",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) == text


def test_fields_are_masked_by_name_and_by_value() -> None:
    fields = {
        "mongo_uri": "anything",
        "nested": {"api_key": "k", "seed": 3, "note": "learned-value here"},
        "list": ["learned-value", 1],
        "tokens_left": 12,
        "password": None,
        "lake": "s3://bucket",
    }
    assert hidden("learned-value").mapping(fields) == {
        "mongo_uri": MASK,
        "nested": {"api_key": MASK, "seed": 3, "note": "*** here"},
        "list": [MASK, 1],
        "tokens_left": 12,
        "password": None,
        "lake": "s3://bucket",
    }


def test_too_short_a_value_is_not_masked_and_the_oldest_are_forgotten() -> None:
    redactor = hidden("abc")
    assert redactor.text("abc") == "abc"
    redactor.learn("first-value")
    for number in range(2000):
        redactor.learn(f"value-{number}-")
    assert redactor.text("value-1999- first-value") == "*** first-value"


def test_it_shows_no_value_itself() -> None:
    assert "learned-value" not in repr(hidden("learned-value"))


def test_the_expressions_for_spark_cover_our_settings() -> None:
    import re

    names = re.compile(SPARK_REDACTION["spark.redaction.regex"])
    for name in (
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.access.key",
        "spark.pullrisk.mongo_uri",
        "spark.executorEnv.VAULT_TOKEN",
        "spark.authenticate.secret",
    ):
        assert names.search(name), name
    assert not names.search("spark.sql.shuffle.partitions")
    values = re.compile(SPARK_REDACTION["spark.redaction.string.regex"])
    assert values.search("mongodb://u:p@h")
