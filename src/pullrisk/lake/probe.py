"""Whether a bucket has conditional puts, on which commits rest: a name is written only once."""

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from pullrisk.errors import LakeError, MissingExtraError
from pullrisk.lake.s3 import SCHEME, bucket_of, s3_error, storage_options
from pullrisk.options import S3

if TYPE_CHECKING:
    from obstore.store import S3Store

_RETRIES: Final = 3


def check_conditional_put(s3: S3, root: str) -> None:
    """Put one object twice, each time only where it is new; LakeError if both are taken.

    With obstore, which is the object_store under delta-rs: the very request that a commit makes.
    """
    try:
        import obstore
    except ImportError as error:
        raise MissingExtraError.of("obstore", "lake") from error
    store, path = _store(s3, root), f"probe-{uuid4()}"
    try:
        obstore.put(store, path, b"", mode="create")
        try:
            obstore.put(store, path, b"", mode="create")
        except obstore.exceptions.AlreadyExistsError:
            return
        finally:
            obstore.delete(store, path)
    except obstore.exceptions.BaseError as error:
        raise s3_error(root, str(error)) or _unsupported(root, str(error)) from error
    raise _unsupported(root, "a second object took the place of the first")


def _store(s3: S3, root: str) -> "S3Store":
    from obstore.store import S3Store

    options = {
        name.lower(): value
        for name, value in storage_options(s3).items()
        if name not in ("AWS_ALLOW_HTTP", "AWS_S3_ALLOW_UNSAFE_RENAME")
    }
    return S3Store(
        bucket_of(root),
        prefix=root.removeprefix(SCHEME).partition("/")[2] or None,
        config=options,  # type: ignore[arg-type]  # the names of delta-rs are obstore's too
        client_options={"allow_http": True},
        retry_config={"max_retries": _RETRIES},
    )


def _unsupported(root: str, why: str) -> LakeError:
    reason = why.split("\n", maxsplit=1)[0]
    return LakeError(
        f"lake {root}: the bucket has no conditional put (If-None-Match), so that of two runs "
        f"at once one would be lost ({reason})",
        hint="take a service that has it; or set PULLRISK_S3__CONDITIONAL_PUT=false and never "
        "let two runs write at once",
    )
