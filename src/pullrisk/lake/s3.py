"""A bucket for pyarrow, which writes files, and for delta-rs, which commits; what its errors mean.

Made for DigitalOcean Spaces and tested against SeaweedFS; docs/preprocess.md says what each
setting does and what happens where a service lacks something.
"""

import os
from re import compile as pattern
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from pyarrow.fs import AwsDefaultS3RetryStrategy, FileSystem, FileType, S3FileSystem
from pydantic import SecretStr

from pullrisk.errors import LakeError, SettingsError, needs_extra
from pullrisk.options import S3

if TYPE_CHECKING:
    from obstore.store import S3Store

SCHEME: Final = "s3://"
_CONNECT_SECONDS: Final = 3
_ATTEMPTS: Final = 11
"""The waits double from 25 ms: together 51 s, in which a server that was stopped may return."""
_RETRIES: Final = 3
_ENDPOINT: Final = pattern(r"https?://[^/?#@]+/?")
_REFUSED: Final = (
    "ACCESS_DENIED",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_ACCESS_KEY_ID",
    "403 Forbidden",
    "lacked the necessary privileges",
    "lacked valid authentication",
)
_UNREACHABLE: Final = (
    "NETWORK_CONNECTION",
    "error sending request",
    "error trying to connect",
    "Connection refused",
    "HTTP error",
)


def open_bucket(s3: S3, *, attempts: int = _ATTEMPTS) -> S3FileSystem:
    """For data files and objects; a call is tried `attempts` times.

    Sets AWS_REQUEST_CHECKSUM_CALCULATION and its twin where the environment does not: the
    AWS SDK in pyarrow takes this choice from there alone, and by default sends checksums
    in a way that services other than AWS refuse. Raises SettingsError for an endpoint that is no
    URL, and for one key without the other.
    """
    _refuse_wrong(s3)
    for kind in ("REQUEST_CHECKSUM_CALCULATION", "RESPONSE_CHECKSUM_VALIDATION"):
        os.environ.setdefault(f"AWS_{kind}", s3.checksums)
    scheme, _, host = (s3.endpoint or "https://").partition("://")
    return S3FileSystem(
        access_key=_revealed(s3.access_key),
        secret_key=_revealed(s3.secret_key),
        region=s3.region,
        scheme=scheme,
        endpoint_override=host.rstrip("/") or None,
        force_virtual_addressing=not s3.path_style,
        connect_timeout=_CONNECT_SECONDS,
        retry_strategy=AwsDefaultS3RetryStrategy(max_attempts=attempts),
    )


def storage_options(s3: S3) -> dict[str, str]:
    """For delta-rs, which keeps the log."""
    options = {
        "AWS_REGION": s3.region,
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": str(not s3.path_style).lower(),
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ALLOW_HTTP": "true" if (s3.endpoint or "").startswith("http://") else None,
        "AWS_ACCESS_KEY_ID": _revealed(s3.access_key),
        "AWS_SECRET_ACCESS_KEY": _revealed(s3.secret_key),
        "aws_conditional_put": "etag" if s3.conditional_put else None,
        "AWS_S3_ALLOW_UNSAFE_RENAME": None if s3.conditional_put else "true",
    }
    return {name: value for name, value in options.items() if value is not None}


def check_bucket(s3: S3, root: str) -> None:
    """One try: the service answers, takes the keys, and has the bucket; LakeError otherwise."""
    bucket = bucket_of(root)
    try:
        once: FileSystem = open_bucket(s3, attempts=1)
        info = once.get_file_info(bucket)
    except OSError as error:
        raise s3_error(root, str(error)) or LakeError(f"lake {root}: {error}") from error
    if info.type == FileType.NotFound:
        raise LakeError(
            f"lake {root}: there is no bucket {bucket}",
            hint="create it, or correct PULLRISK_LAKE (s3://BUCKET/PREFIX)",
        )


def _refuse_wrong(s3: S3) -> None:
    if s3.endpoint and not _ENDPOINT.fullmatch(s3.endpoint):
        raise SettingsError(
            f"s3.endpoint is {s3.endpoint}, which is no URL of a service",
            hint="write https://HOST, without the bucket: https://fra1.digitaloceanspaces.com",
        )
    if (s3.access_key is None) != (s3.secret_key is None):
        raise SettingsError(
            "of s3.access_key and s3.secret_key only one is set", hint="set both or neither"
        )


def bucket_of(root: str) -> str:
    """The bucket of `s3://bucket/prefix`; SettingsError if there is none."""
    bucket = root.removeprefix(SCHEME).partition("/")[0]
    if not bucket:
        raise SettingsError(f"lake {root} names no bucket", hint="write s3://BUCKET/PREFIX")
    return bucket


def s3_error(root: str, text: str) -> LakeError | None:
    """What an error of pyarrow or delta-rs says about the service; None for any other."""
    if any(sign in text for sign in _REFUSED):
        return LakeError(
            f"lake {root}: the service refused the credentials or their rights",
            hint="check PULLRISK_S3__ACCESS_KEY, PULLRISK_S3__SECRET_KEY and what the key may do",
        )
    if any(sign in text for sign in _UNREACHABLE):
        return LakeError(
            f"lake {root}: the S3 service cannot be reached",
            hint="check PULLRISK_S3__ENDPOINT (no bucket in it) and the network; then run again",
        )
    return None


def _revealed(key: SecretStr | None) -> str | None:
    return None if key is None else key.get_secret_value()


def check_conditional_put(s3: S3, root: str) -> None:
    """Put one object twice, each time only where it is new; LakeError if both are taken.

    With obstore, which is the object_store under delta-rs: the very request that a commit makes.
    """
    with needs_extra("lake"):
        import obstore
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
