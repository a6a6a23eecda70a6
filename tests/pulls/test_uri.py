import pytest

from pullrisk.pulls.uri import redacted


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://h:27017/db", "mongodb://h:27017/db"),
        ("mongodb://ann:secret@h/db?tls=true", "mongodb://***@h/db?tls=true"),
        ("mongodb://ann:s/e@c?r#et@h1,h2/db", "mongodb://***@h1,h2/db"),
        ("cannot read 'mongodb://ann:s@h/db' now", "cannot read 'mongodb://***@h/db' now"),
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
    ],
)
def test_secrets_of_a_uri_are_masked_and_nothing_else(uri: str, shown: str) -> None:
    assert redacted(uri) == shown
