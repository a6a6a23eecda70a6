"""The secret that turns authors' e-mail addresses into pseudonyms."""

import os
import secrets
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Final

from pullrisk.atomic import make_folder
from pullrisk.errors import StoreError, is_full

SALT_BYTES: Final = 32


def read_salt(path: Path) -> bytes:
    """The salt in the file, which is created with mode 0600 if it is missing.

    Several processes may call this at once. Raises StoreError if the file is damaged or cannot
    be created.
    """
    try:
        if not path.exists():
            _create(path)
        salt = path.read_bytes()
    except OSError as error:
        what = "the disk is full" if is_full(error) else error.strerror
        raise StoreError(
            f"salt {path}: {what}", hint="check the folder's permissions and space"
        ) from error
    if len(salt) != SALT_BYTES:
        raise StoreError(
            f"salt {path} has {len(salt)} bytes, expected {SALT_BYTES}",
            hint="restore it, or delete it: authors then get new pseudonyms",
        )
    return salt


def pseudonym(email: str, salt: bytes) -> str:
    """`author-` and 12 hex digits; upper and lower case in the address make no difference."""
    return f"author-{digest(salt, email.strip().lower().encode(), sha256).hex()[:12]}"


def _create(path: Path) -> None:
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb", opener=_open_own) as file:  # Path's has no opener
            file.write(secrets.token_bytes(SALT_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link is created completely or not at all, and never replaces another process's salt.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _open_own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
