"""A registered model from an MLflow server, over its REST API alone: mlflow is not needed.

If the server serves artifacts, they come through it, else from the bucket that it names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pullrisk.errors import LakeError, ModelError, needs_extra
from pullrisk.redaction import redacted

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from pullrisk.options import S3

NAME: Final = "pullrisk"
"""The registered model."""
_API: Final = "/api/2.0/mlflow"
_ARTIFACTS: Final = "/api/2.0/mlflow-artifacts/artifacts"
_PROXIED: Final = "mlflow-artifacts:"
_AUDIT: Final = "audit."
_SECONDS: Final = 30.0


class RegisteredModel(msgspec.Struct, frozen=True):
    """A model's ONNX file and its exact version."""

    version: str
    data: bytes


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One registered version; `tags` are its lineage and what the gate said."""

    version: str
    created_at: datetime
    aliases: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class ChampionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of champion."""

    at: datetime
    action: str
    version: str
    by: str
    replaced: str | None = None
    reason: str = ""


class RegistryContents(msgspec.Struct, frozen=True):
    """All versions, the newest first, and all changes of champion, as `models list` has them."""

    versions: list[ModelVersion]
    changes: list[ChampionChange]


class Registry:
    """The models of one MLflow server. Raises ModelError, MissingExtraError without httpx.

    `login` is a user with a password, `token` a bearer token; `s3` reaches the artifacts that
    the server does not hand on.
    """

    def __init__(
        self,
        uri: str,
        *,
        login: "tuple[str, SecretStr] | None" = None,
        token: "SecretStr | None" = None,
        s3: "S3 | None" = None,
    ) -> None:
        self._shown = redacted(uri.rstrip("/"))
        self._uri, self._login, self._token, self._s3 = uri.rstrip("/"), login, token, s3

    def fetch(self, reference: str) -> RegisteredModel:
        """The model of an alias (`@champion`) or a version (`3`)."""
        with self._asking() as client:
            version = self._version(client, reference)
            query = {"name": NAME, "version": version}
            place = self._get(client, f"{_API}/model-versions/get-download-uri", query)
            return RegisteredModel(version, self._file(client, str(place["artifact_uri"])))

    def contents(self) -> RegistryContents:
        """Every version and every change of champion; none if no model was ever registered."""
        query = {"filter": f"name='{NAME}'", "max_results": "200"}
        with self._asking() as client:
            answer = self._get(client, f"{_API}/model-versions/search", query)
            if not answer.get("model_versions"):
                return RegistryContents([], [])
            registered = self._get(client, f"{_API}/registered-models/get", {"name": NAME})
            model = registered["registered_model"]
            aliases = _by_version(model.get("aliases", []))
            versions = [_model_version(version, aliases) for version in answer["model_versions"]]
            changes = [
                msgspec.json.decode(tag["value"], type=ChampionChange)
                for tag in model.get("tags", [])
                if tag["key"].startswith(_AUDIT)
            ]
            return RegistryContents(
                sorted(versions, key=lambda version: -int(version.version)),
                sorted(changes, key=lambda change: change.at, reverse=True),
            )

    def _version(self, client: "httpx.Client", reference: str) -> str:
        if reference.startswith("@"):
            query = {"name": NAME, "alias": reference[1:]}
            answer = self._get(client, f"{_API}/registered-models/alias", query)
        else:
            query = {"name": NAME, "version": reference}
            answer = self._get(client, f"{_API}/model-versions/get", query)
        return str(answer["model_version"]["version"])

    def _file(self, client: "httpx.Client", place: str) -> bytes:
        if place.startswith(_PROXIED):
            root = place.removeprefix(_PROXIED).lstrip("/")
            path = next(self._proxied(client, root), None)
            if path is None:
                raise _no_file(place)
            return self._ask(client, f"{_ARTIFACTS}/{path}").content
        if place.startswith("s3://"):
            return self._from_bucket(place)
        raise ModelError(
            f"the model lies at {place}, which this machine cannot reach",
            hint="start MLflow with --artifacts-destination, so that it hands artifacts on",
        )

    def _proxied(self, client: "httpx.Client", root: str) -> Iterator[str]:
        for file in self._get(client, _ARTIFACTS, {"path": root}).get("files", []):
            if str(file["path"]).endswith(".onnx"):
                yield f"{root}/{file['path']}"

    def _from_bucket(self, place: str) -> bytes:
        """The ONNX file below an s3:// URI, with the keys of the lake."""
        from pyarrow.fs import FileSelector

        from pullrisk.lake.files import translate_errors
        from pullrisk.lake.s3 import open_bucket
        from pullrisk.options import S3

        filesystem = open_bucket(self._s3 or S3(), attempts=3)
        try:
            with translate_errors(place):
                selector = FileSelector(place.removeprefix("s3://"), recursive=True)
                for file in filesystem.get_file_info(selector):
                    if file.path.endswith(".onnx"):
                        with filesystem.open_input_stream(file.path) as stream:
                            return bytes(stream.read())
        except LakeError as error:
            raise ModelError(f"the model at {place} cannot be read: {error.args[0]}") from error
        raise _no_file(place)

    def _get(self, client: "httpx.Client", path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._ask(client, path, query).json()
        except (ValueError, RecursionError):
            raise ModelError(
                f"{self._shown} answers {path} with no JSON", hint="check the setting mlflow_uri"
            ) from None
        return answer

    def _ask(
        self, client: "httpx.Client", path: str, query: dict[str, str] | None = None
    ) -> "httpx.Response":
        import httpx

        try:
            response = client.get(path, params=query)
        except httpx.HTTPError as error:
            raise ModelError(
                f"MLflow at {self._shown} cannot be reached: {error}",
                hint="check the setting mlflow_uri and the network",
            ) from None
        if response.is_success:
            return response
        raise ModelError(
            f"MLflow at {self._shown} answers {response.status_code}: {_message(response)}",
            hint="check mlflow_username and mlflow_password"
            if response.status_code in {401, 403}
            else "`pullrisk models` lists the registered versions and aliases",
        )

    @contextmanager
    def _asking(self) -> "Iterator[httpx.Client]":
        """A client. Raises ModelError too if what it gets is not what MLflow answers."""
        try:
            with self._client() as client:
                yield client
        except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise ModelError(
                f"{self._shown} does not answer as MLflow does: {error!r}"[:300],
                hint="check the setting mlflow_uri",
            ) from None

    def _client(self) -> "httpx.Client":
        with needs_extra("serve"):
            import httpx
        headers, auth = {}, None
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.get_secret_value()}"
        elif self._login is not None:
            auth = httpx.BasicAuth(self._login[0], self._login[1].get_secret_value())
        return httpx.Client(base_url=self._uri, headers=headers, auth=auth, timeout=_SECONDS)


def _by_version(aliases: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The aliases of each version."""
    by_version: dict[str, list[str]] = {}
    for alias in aliases:
        by_version.setdefault(str(alias["version"]), []).append(str(alias["alias"]))
    return by_version


def _model_version(described: dict[str, Any], aliases: dict[str, list[str]]) -> ModelVersion:
    version = str(described["version"])
    return ModelVersion(
        version=version,
        created_at=datetime.fromtimestamp(int(described["creation_timestamp"]) / 1000, UTC),
        aliases=tuple(sorted(aliases.get(version, []))),
        tags={tag["key"]: str(tag["value"]) for tag in described.get("tags", [])},
    )


def _message(response: "httpx.Response") -> str:
    """What MLflow says, in a line."""
    try:
        text = str(response.json()["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = response.text
    return text.split("\n", maxsplit=1)[0][:300] or response.reason_phrase


def _no_file(place: str) -> ModelError:
    return ModelError(f"there is no ONNX file at {place}", hint="register the model again")
