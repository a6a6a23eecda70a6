import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pullrisk.redaction import Redactor, redacted
from pullrisk.secret_forms import password_of

SCHEMES = st.sampled_from(["mongodb", "mongodb+srv", "https", "postgresql", "s3", "redis"])
TEXT = st.characters(exclude_categories=("C", "Zl", "Zp"))
USERS = st.from_regex(r"[A-Za-z0-9._%-]{0,8}", fullmatch=True)
PASSWORDS = st.text(TEXT, min_size=4).map(lambda text: f"q{text}q")
"""Any at all, with characters that a URI would have to encode; not a part of what follows it."""
UNSPACED = PASSWORDS.filter(lambda text: not any(one.isspace() for one in text))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://h:27017/db", "mongodb://h:27017/db"),
        ("mongodb://ann:secret@h/db?tls=true", "mongodb://***@h/db?tls=true"),
        ("mongodb://ann:s/e@c?r#et@h1,h2/db", "mongodb://***@h1,h2/db"),
        ("mongodb://ann:two words@h/db", "mongodb://***@h/db"),
        ("'mongodb://ann:two words@h/db'", "'mongodb://***@h/db'"),
        ("cannot read 'mongodb://ann:s@h/db' now", "cannot read 'mongodb://***@h/db' now"),
        ("https://token@host/x", "https://***@host/x"),
        (
            "mongodb://h/?tlsCertificateKeyFilePassword=secret&tls=true",
            "mongodb://h/?tlsCertificateKeyFilePassword=***&tls=true",
        ),
        (
            "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:secret",
            "mongodb://h/?authMechanismProperties=***",
        ),
        ("/srv/a@b/pulls.sqlite", "/srv/a@b/pulls.sqlite"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("see https://h/x\nwritten by ann@h", "see https://h/x\nwritten by ann@h"),
    ],
)
def test_secrets_of_a_uri_are_masked_and_nothing_else(uri: str, shown: str) -> None:
    assert redacted(uri) == shown


@given(SCHEMES, USERS, PASSWORDS)
@example("mongodb", "ann", "p@ss/word")
@example("https", "", "/@ :?#")
def test_no_password_of_a_uri_is_shown_however_it_is_spelled(
    scheme: str, user: str, password: str
) -> None:
    uri = f"{scheme}://{user}:{password}@host.example:1/db"
    assert redacted(uri) == f"{scheme}://***@host.example:1/db"
    assert password_of(uri) == password


@given(SCHEMES, USERS, UNSPACED)
def test_no_password_of_a_uri_within_a_text_is_shown(scheme: str, user: str, password: str) -> None:
    text = f"cannot read {scheme}://{user}:{password}@host/db now"
    assert redacted(text) == f"cannot read {scheme}://***@host/db now"
    assert password not in Redactor().text(text)


@given(SCHEMES, USERS, PASSWORDS)
def test_the_password_of_a_learned_uri_is_masked_wherever_it_stands(
    scheme: str, user: str, password: str
) -> None:
    redactor = Redactor()
    redactor.learn(f"{scheme}://{user}:{password}@host/db")
    assert password not in redactor.text(f"refused: {password} is wrong")


@given(st.text(TEXT))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)
