"""The salt and the pseudonyms it makes."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pullrisk.errors import StoreError
from pullrisk.fetch.salt import SALT_BYTES, pseudonym, read_salt


def test_the_salt_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "salt"
    salt = read_salt(path)
    assert len(salt) == SALT_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_salt(path) == salt
    assert list(path.parent.iterdir()) == [path]
    assert read_salt(tmp_path / "other") != salt


def test_all_who_ask_at_once_get_the_same_salt(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        salts = set(pool.map(read_salt, [tmp_path / "salt"] * 64))
    assert len(salts) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "salt"]


def test_a_damaged_salt_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(b"short")
    with pytest.raises(StoreError, match="has 5 bytes, expected 32"):
        read_salt(tmp_path / "salt")
    assert (tmp_path / "salt").read_bytes() == b"short"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(StoreError, match="home/salt"):
        read_salt(tmp_path / "home" / "salt")


def test_a_pseudonym_ignores_case_depends_on_the_salt_and_hides_the_address() -> None:
    name = pseudonym("Ann@X.org ", b"a" * 32)
    assert name == pseudonym("ann@x.org", b"a" * 32)
    assert name != pseudonym("ann@x.org", b"b" * 32)
    assert re.fullmatch(r"author-[0-9a-f]{12}", name)
