"""Servers that tests start, shared by every folder of tests."""

import inspect
import os
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from httpx import create_ssl_context
from httpx._transports import default
from hypothesis import HealthCheck, settings

from support.mongo import MongoStandIn
from support.processes import OF_GO, PATIENCE
from support.runner_variables import in_ci, remove_runner_variables

remove_runner_variables()  # before test modules import libraries that look at them


@cache
def _public_authorities() -> ssl.SSLContext:
    return create_ssl_context()


def _shared_ssl_context(verify: Any = True, *others: Any, **named: Any) -> ssl.SSLContext:
    """One context for all clients that name no authorities: reading the public ones takes 25 ms,
    and `httpx.get` does it each time a test looks whether its server is there.
    """
    plain = verify is True and not any(others) and not named.get("cert")
    return _public_authorities() if plain else create_ssl_context(verify, *others, **named)


setattr(default, "create_ssl_context", _shared_ssl_context)  # noqa: B010 - it is not exported

# Who names no time-out waits as long as every test does, not httpx's five seconds: all its
# functions and clients have one object as their default.
vars(inspect.signature(httpx.Client).parameters["timeout"].default).update(
    httpx.Timeout(PATIENCE).as_dict()
)
for _httpx in httpx.get, httpx.stream, httpx.Client, httpx.AsyncClient:
    assert inspect.signature(_httpx).parameters["timeout"].default == httpx.Timeout(PATIENCE)

# An example takes as long as the machine is busy: no test may depend on that. CI tries the same
# examples each time; a person others, and those first that have failed.
settings.register_profile(
    "untimed",
    settings.get_profile("ci" if in_ci() else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")

os.environ |= OF_GO

# XLA compiles the same networks in every process that trains: what one compiled, all use. With a
# size, JAX locks the folder, so none reads what another has half written.
_COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_COMPILED))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(10**9))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from support.forked import ForkedServer, share_fork_server  # noqa: E402
from support.serving import Served  # noqa: E402

Served.forks = ForkedServer.forks = True

pytest_plugins = ("support.isolation", "support.repeating", "support.skips")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before xdist starts its workers; two would save less than they need not import."""
    if (session.config.getoption("numprocesses", None) or 0) > 2:
        share_fork_server()


REAL_MONGO = os.environ.get("PULLRISK_TEST_MONGO_URI")
"""A real MongoDB to test against instead of the stand-in: its URI without a database."""


@pytest.fixture(scope="session", autouse=True)
def _few_trees() -> Iterator[None]:
    """Boosting stands beside every model that is judged; its 120 trees cost more than the model."""
    from pullrisk.train import baselines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "_TREES", ((4, 10), (8, 20)))
        yield


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a server without a database: the stand-in, or the real one that is named."""
    if REAL_MONGO:
        yield REAL_MONGO
        return
    with MongoStandIn(tmp_path_factory.mktemp("mongo")) as server:
        yield server.uri


@pytest.fixture
def mongo_uri(mongo_server: str) -> Iterator[str]:
    """The URI of a database of this test alone; dropped after it, with all whose name begins so."""
    from pymongo import MongoClient

    base, _, options = mongo_server.partition("?")
    name = f"pullrisk_test_{uuid4().hex[:12]}"
    yield f"{base.rstrip('/')}/{name}" + (f"?{options}" if options else "")
    with MongoClient[dict[str, object]](mongo_server) as client:
        for database in client.list_database_names():
            if database.startswith(name):
                client.drop_database(database)


@pytest.fixture
def mongo_stand_in(tmp_path: Path) -> Iterator[MongoStandIn]:
    """A server of this test alone, which it may kill and start again."""
    with MongoStandIn(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def clone_of_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with sixty pulls of the sample; nothing may be written there."""
    from support.clones import make_clone
    from support.sample import sample_pulls

    pulls = sorted(sample_pulls(60), key=lambda pull: str(pull.merged_at))
    return make_clone(tmp_path_factory.mktemp("clone") / "project", pulls)
