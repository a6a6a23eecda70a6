"""Texts that are made to slow the redactor down, and secrets that are written another way."""

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.redaction import MASK, Redactor

PIECES = [
    "password", "token", "secret", "pass.", "a-", "=", ":", '"', "'", "\\", '\\"', "://", "@", "?",
    "&", ";", "eyJ", "eyJaaaaaaaaa.", "-----BEGIN ", "PRIVATE KEY-----", "-----END ", "KEY", "ghp_",
    "s.", "--", "%22", "%3A", "%25", "%", "&code=",
    "bearer ", "basic", " ", "\n", "x", "0", "/", ".", "-", "_", "authorization: ", "cookie",
]  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        "?token",
        "--password ",
        "--token', ",
        "password%3A%22",
        "password%3D",
        "%2525",
        'password="',
        "://a",
        "x=",
        "token: ",
        "eyJ-",
    ],
)
def test_no_repeated_piece_takes_long(piece: str) -> None:
    """In seconds of the processor; what was in proportion to a power took 11 s."""
    text = (piece * 16_384)[:16_384]
    before = time.process_time()
    Redactor().text(text)
    assert time.process_time() - before < 1


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_masking_again_changes_nothing_and_no_text_breaks_it(text: str) -> None:
    shown = Redactor().text(text)
    assert Redactor().text(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "a b\\"c", "x": 1}', '{"password": "***", "x": 1}'),
        ('{"user": "u", "pwd": "a"}', '{"user": "u", "pwd": "***"}'),
        ("PWD=/home/somebody", "PWD=/home/somebody"),
        ("code_verifier=abc&code=d", "code_verifier=***&code=***"),
        ("GET /sign-in/callback?code=hush&state=x HTTP/1.1",
         "GET /sign-in/callback?code=***&state=x HTTP/1.1"),
        ("https://b.example/o?X-Amz-Date=1&X-Amz-Signature=hush",
         "https://b.example/o?X-Amz-Date=1&X-Amz-Signature=***"),
        ("GET /a?postcode=1234&encoding=x", "GET /a?postcode=1234&encoding=x"),
        ("mysql --user a --password hush db", "mysql --user a --password *** db"),
        ("mysql --db-password 'hush hush' db", "mysql --db-password '***' db"),
        ("Command '['git', '--token', 'hush', 'x']' failed",
         "Command '['git', '--token', '***', 'x']' failed"),
        ("vault -token hush", "vault -token ***"),
        ("docker login --password-stdin --user a", "docker login --password-stdin --user a"),
        ("--password is needed, or --token", "--password is needed, or --token"),
        ("/q?body=%7B%22password%22%3A%22hush%22%2C%22x%22%3A1%7D",
         "/q?body=%7B%22password%22%3A%22***%22%2C%22x%22%3A1%7D"),
        ("%7b%22api_key%22%3a+%22hu%5c%22sh%22%7d", "%7b%22api_key%22%3a+%22***%22%7d"),
        ("%257B%2522token%2522%253A%2522hush%2522%257D",
         "%257B%2522token%2522%253A%2522***%2522%257D"),
        ("/r?next=%2Fa%3Fpassword%3Dhush%26x%3D1", "/r?next=%2Fa%3Fpassword%3D***%26x%3D1"),
        ('{"password":"hush"}', '{"password":"***"}'),
        ("{'db_password': 'hush'}", "{'db_password': '***'}"),
        ('"{\\"a_secret\\": \\"hush\\", \\"x\\": 1}"', '"{\\"a_secret\\": \\"***\\", \\"x\\": 1}"'),
        ("X-Vault-Token: hush", "X-Vault-Token: ***"),
        ("curl -H 'X-Vault-Token: hush' URL", "curl -H 'X-Vault-Token: ***' URL"),
        ("> authorization: token hush\n> accept: */*", "> authorization: token ***\n> accept: */*"),
        ("Set-Cookie: a=hush; b=hush2\nx", "Set-Cookie: ***\nx"),
        ("X-Api-Key: hush", "X-Api-Key: ***"),
        ("password: hunter2", "password: ***"),
        ("  token: aaaaaaaaaaaaaaaaaaaaaaaa", "  token: ***"),
        ("password = 'hush hush'", "password = '***'"),
        ("export SECRET=hush; ls", "export SECRET=***; ls"),
        ("{:password => \"hush\"}", "{:password => \"***\"}"),
        ("mlflow_token: bearer token at MLflow", "mlflow_token: bearer token at MLflow"),
        ("fetching needs a token: set GITHUB_TOKEN", "fetching needs a token: set GITHUB_TOKEN"),
    ],
)  # fmt: skip
def test_what_stands_behind_a_sensitive_name_is_masked(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


SECRET = "pa/ss+w&rd?<é>'\"=%20\\"
ENCODINGS = {
    "as it is": SECRET,
    "JSON": json.dumps(SECRET),
    "JSON with letters": json.dumps(SECRET, ensure_ascii=False),
    "JSON in JSON": json.dumps(json.dumps(SECRET)),
    "repr": repr(SECRET),
    "HTML": html.escape(SECRET),
    "URL": quote(SECRET, safe=""),
    "path of a URL": quote(SECRET),
    "form": quote_plus(SECRET),
    "URL in small letters": quote(SECRET, safe="").lower(),
    "URL in a URL": quote(quote(SECRET, safe=""), safe=""),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "base64 of user and password": base64.b64encode(f"ann:{SECRET}".encode()).decode(),
    "base64 of more": base64.b64encode(f"an:{SECRET}, ok".encode()).decode(),
    "hex": SECRET.encode().hex(),
    "hex in capitals": SECRET.encode().hex().upper(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_known_secret_is_masked_however_it_is_encoded(encoding: str) -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    shown = redactor.text(f"<{ENCODINGS[encoding]}>")
    assert MASK in shown
    assert len(shown.replace(MASK, "")) <= 14, shown
