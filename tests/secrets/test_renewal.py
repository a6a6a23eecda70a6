"""Tokens end, values rotate, Vault goes away and comes back: a stage keeps its secrets."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import pytest
from hvac.exceptions import VaultError

from pullrisk.secrets.names import split_values
from pullrisk.secrets.source import REMIND_EVERY, Snapshot
from pullrisk.secrets.vault import VaultSecrets
from support.bao import Bao
from support.kubernetes_api import ServiceAccounts, TokenReviews
from support.processes import PATIENCE, until
from support.vault import install, marked, put, role

Opened = Callable[..., VaultSecrets]
STAGE = "data-fetch"
OFTEN = {"VAULT_REREAD_SECONDS": "0.1"}
ROTATIONS = int(os.environ.get("PULLRISK_TEST_ROTATIONS", "12"))
"""How often values and token change under readers; `make drill-secrets` does it 50 times."""


def of_own(bao: Bao, name: str, **terms: str) -> dict[str, str]:
    """A path and a role of the test's own, and the variables that choose them."""
    path = f"tests/{name}"
    put(bao, path, values(0))
    role(bao, name, account=STAGE, path=f"secret/data/{path}", **terms)
    return {"VAULT_ROLE": name, "VAULT_SECRET_PATH": path}


def values(generation: int) -> dict[str, str]:
    return {"mongo_uri": f"mongodb://u:{generation}@h/", "github_token": f"t{generation}"}


def shown(secrets: VaultSecrets) -> str:
    return secrets.snapshot().values["mongo_uri"].get_secret_value()


def revoke_tokens(bao: Bao) -> None:
    """Revoke every token that a login has given."""
    bao.client.sys.revoke_prefix("auth/kubernetes/login")


def tokens(bao: Bao, policy: str) -> int:
    """How many tokens with this policy are valid."""
    client = bao.client
    count = 0
    for accessor in client.auth.token.list_accessors()["data"]["keys"]:
        with suppress(VaultError):  # it has just expired
            count += policy in client.auth.token.lookup_accessor(accessor)["data"]["policies"]
    return count


def test_a_token_is_renewed_and_past_its_maximum_obtained_anew_from_the_file_as_it_is_then(
    opened: Opened, bao: Bao, accounts: ServiceAccounts, tmp_path: Path, reviews: TokenReviews
) -> None:
    variables = of_own(bao, "brief", token_ttl="2s", token_max_ttl="4s")
    file = tmp_path / "rotating"
    file.write_text(accounts.token(STAGE))
    secrets = opened(STAGE, **variables, **OFTEN, VAULT_JWT_FILE=str(file))
    assert reviews.reviewed[-1] == file.read_text()
    later = accounts.token(STAGE, seconds=900)
    (tmp_path / "later").write_text(later)
    (tmp_path / "later").replace(file)  # whole, as the kubelet does
    until(lambda: secrets.health().logins >= 3 and secrets.health().renewals >= 1)
    assert reviews.reviewed[-1] == later
    health = secrets.health()
    assert health.failures == 0
    assert health.fault is None
    assert health.token_left is not None
    assert health.token_left <= 2


def test_a_rotated_value_is_picked_up_and_told_without_a_restart(opened: Opened, bao: Bao) -> None:
    secrets = opened(STAGE, **of_own(bao, "rotated"), **OFTEN)
    told: list[tuple[frozenset[str], str]] = []

    def listen(names: frozenset[str], now: Snapshot) -> None:
        told.append((names, now.values["mongo_uri"].get_secret_value()))

    secrets.on_change(listen)
    put(bao, "tests/rotated", values(1))
    until(lambda: bool(told))
    assert told == [(frozenset({"mongo_uri", "github_token"}), "mongodb://u:1@h/")]
    assert shown(secrets) == "mongodb://u:1@h/"
    assert secrets.health().changes == 1
    put(bao, "tests/rotated", values(2))
    until(lambda: shown(secrets) == "mongodb://u:2@h/")
    until(lambda: len(told) == 2)


def test_only_the_names_that_changed_are_told(opened: Opened, bao: Bao) -> None:
    secrets = opened(STAGE, **of_own(bao, "one-of-two"), **OFTEN)
    told: list[frozenset[str]] = []
    secrets.on_change(lambda names, _: told.append(names))
    put(bao, "tests/one-of-two", values(0) | {"github_token": "new"})
    until(lambda: bool(told))
    assert told == [frozenset({"github_token"})]


def test_a_refresh_reads_at_once_and_says_whether_something_changed(
    opened: Opened, bao: Bao
) -> None:
    secrets = opened(STAGE, **of_own(bao, "asked"))
    assert secrets.refresh() is False
    put(bao, "tests/asked", values(1))
    assert shown(secrets) == "mongodb://u:0@h/"
    assert secrets.refresh() is True
    assert shown(secrets) == "mongodb://u:1@h/"


def test_a_revoked_token_is_replaced_at_the_next_403(opened: Opened, bao: Bao) -> None:
    secrets = opened(STAGE, **of_own(bao, "revoked"))
    revoke_tokens(bao)
    put(bao, "tests/revoked", values(1))
    assert secrets.refresh() is True
    assert secrets.health().logins == 2
    assert secrets.health().fault is None


def test_a_listener_that_fails_or_asks_again_does_not_end_the_renewal(
    opened: Opened, bao: Bao, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = opened(STAGE, **of_own(bao, "listeners"), **OFTEN)
    seen: list[bool] = []

    def fail(names: frozenset[str], now: Snapshot) -> None:
        raise RuntimeError(now.values["mongo_uri"].get_secret_value())

    secrets.on_change(fail)
    secrets.on_change(lambda names, now: seen.append(secrets.refresh()))
    put(bao, "tests/listeners", values(1))
    until(lambda: len(seen) == 1)
    put(bao, "tests/listeners", values(2))
    until(lambda: len(seen) == 2)
    assert "a listener failed" in caplog.text


def test_changes_are_told_in_order_and_before_any_refresh_returns(opened: Opened, bao: Bao) -> None:
    """A store refuses the old password while another thread has just read the new one."""
    secrets = opened(STAGE, **of_own(bao, "in-order"))
    telling, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def listen(names: frozenset[str], now: Snapshot) -> None:
        telling.set()
        go_on.wait(PATIENCE)
        told.append(now.values["mongo_uri"].get_secret_value())

    def refreshed() -> list[str]:
        secrets.refresh()
        return [*told]

    secrets.on_change(listen)
    put(bao, "tests/in-order", values(1))
    with ThreadPoolExecutor() as threads:
        first = threads.submit(refreshed)
        try:
            assert telling.wait(PATIENCE)
            second = threads.submit(refreshed)
            wait([second], timeout=0.5)  # time in which it must not return
        finally:
            go_on.set()
        assert first.result() == second.result() == ["mongodb://u:1@h/"]
    telling.clear()
    go_on.clear()
    put(bao, "tests/in-order", values(2))
    with ThreadPoolExecutor() as threads:
        threads.submit(refreshed)
        try:
            assert telling.wait(PATIENCE)
            put(bao, "tests/in-order", values(3))
            third = threads.submit(refreshed)
            wait([third], timeout=0.5)
        finally:
            go_on.set()
        assert third.result()[1:] == ["mongodb://u:2@h/", "mongodb://u:3@h/"]


def test_a_defect_does_not_end_the_renewal(
    opened: Opened, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(secrets: VaultSecrets) -> None:
        raise AttributeError("a defect")

    secrets = opened(STAGE, **of_own(bao, "defect"), **OFTEN)
    with monkeypatch.context() as defective:
        defective.setattr(VaultSecrets, "_read", fail)
        until(lambda: "a defect" in str(secrets.health().fault))
    put(bao, "tests/defect", values(1))
    until(lambda: shown(secrets) == "mongodb://u:1@h/")
    until(lambda: secrets.health().fault is None)


def test_who_listens_late_is_told_of_what_has_changed(opened: Opened, bao: Bao) -> None:
    secrets = opened(STAGE, **of_own(bao, "late"))
    told: list[str] = []

    def listen(names: frozenset[str], now: Snapshot) -> None:
        told.append(now.values["mongo_uri"].get_secret_value())

    secrets.on_change(listen)
    assert told == []
    put(bao, "tests/late", values(1))
    secrets.refresh()
    secrets.on_change(listen)
    assert told == ["mongodb://u:1@h/"] * 2


def test_a_new_version_that_lacks_a_key_leaves_the_last_good_values_in_use(
    opened: Opened, bao: Bao
) -> None:
    secrets = opened(STAGE, **of_own(bao, "lacking"), **OFTEN)
    put(bao, "tests/lacking", {"github_token": "t1"})
    until(lambda: secrets.health().fault is not None)
    assert "lacks mongo_uri" in str(secrets.health().fault)
    assert secrets.snapshot().values["github_token"].get_secret_value() == "t0"
    put(bao, "tests/lacking", values(2))
    until(lambda: shown(secrets) == "mongodb://u:2@h/")
    until(lambda: secrets.health().fault is None)


def test_closing_gives_the_token_back_and_keeps_the_values(opened: Opened, bao: Bao) -> None:
    variables = of_own(bao, "closed")
    secrets = opened(STAGE, **variables)
    assert tokens(bao, "closed") == 1
    secrets.close()
    assert tokens(bao, "closed") == 0
    assert shown(secrets) == "mongodb://u:0@h/"
    assert not any(thread.name == "pullrisk-secrets" for thread in threading.enumerate())


def test_a_start_that_fails_leaves_no_token_behind(opened: Opened, bao: Bao) -> None:
    variables = of_own(bao, "failing") | {"VAULT_SECRET_PATH": "mlops/ml-training"}
    with pytest.raises(Exception, match="refused to read secret/mlops/ml-training"):
        opened(STAGE, **variables)
    assert tokens(bao, "failing") == 0


def brief(server: Bao) -> dict[str, str]:
    """So short a token and period that a second without Vault is ten minutes with real ones."""
    path = f"secret/data/mlops/{STAGE}"
    role(server, "brief", account=STAGE, path=path, token_ttl="1s", token_max_ttl="5s")
    return {"VAULT_ROLE": "brief", **OFTEN}


def outlasts(
    secrets: VaultSecrets,
    caplog: pytest.LogCaptureFixture,
    begin: Callable[[], None],
    fault: str = "",
) -> None:
    """Vault is away for longer than a token's life: values serve, their age is told."""
    caplog.set_level(logging.INFO)
    begun = time.monotonic()
    begin()
    until(lambda: secrets.health().token_left == 0 and secrets.health().age > 1.5)
    until(lambda: secrets.health().failures >= 2)  # the second try waits, longer by chance
    until(lambda: fault in str(secrets.health().fault))  # another one while it goes down
    health = secrets.health()
    assert shown(secrets) == marked(STAGE, "mongo_uri")
    assert health.fault is not None
    metrics = health.metrics()
    assert metrics["pullrisk_secrets_age_seconds"] > 1.5
    assert metrics["pullrisk_secrets_healthy"] == 0
    assert metrics["pullrisk_secrets_failures_total"] == health.failures
    lines = [each.getMessage() for each in caplog.records if "not fresh" in each.getMessage()]
    most = 1 + (time.monotonic() - begun) // REMIND_EVERY
    assert 1 <= len(lines) <= most, "one line when it begins, and then one a minute"
    assert "the last good values, " in lines[0]


def recovers(secrets: VaultSecrets, caplog: pytest.LogCaptureFixture, server: Bao) -> None:
    put(server, f"mlops/{STAGE}", values(9))
    until(lambda: shown(secrets) == "mongodb://u:9@h/")
    until(lambda: secrets.health().fault is None and secrets.health().age < 2)
    assert secrets.health().logins >= 2
    assert "Vault serves again" in caplog.text


def test_a_stopped_vault_is_outlasted_and_taken_up_again(
    opened: Opened, sealable: Bao, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = opened(STAGE, server=sealable, **brief(sealable))
    outlasts(secrets, caplog, sealable.stop, "cannot be reached")
    sealable.start()
    sealable.unseal()
    recovers(secrets, caplog, sealable)


def test_a_sealed_vault_is_outlasted_and_taken_up_again(
    opened: Opened, sealable: Bao, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = opened(STAGE, server=sealable, **brief(sealable))
    outlasts(secrets, caplog, sealable.seal, "is sealed")
    sealable.unseal()
    recovers(secrets, caplog, sealable)


def test_a_vault_set_up_anew_with_another_root_is_outlasted_and_taken_up(
    opened: Opened, sealable: Bao, vault_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = opened(STAGE, server=sealable, **brief(sealable))
    root = sealable.root
    outlasts(secrets, caplog, sealable.wipe)
    sealable.start()
    sealable.initialise()
    sealable.unseal()
    assert sealable.root != root
    until(lambda: "log in as brief" in str(secrets.health().fault))
    install(sealable, vault_folder)
    brief(sealable)
    recovers(secrets, caplog, sealable)


def test_rotations_of_values_and_token_under_readers_fail_no_read(opened: Opened, bao: Bao) -> None:
    stage = "model-serving"
    path = "tests/many"
    role(bao, "many", account=stage, path=f"secret/data/{path}")
    base = dict.fromkeys(("do_spaces_endpoint", "do_spaces_bucket", "do_spaces_key"), "x") | {
        "do_spaces_secret": "x",
        "mlflow_uri": "x",
    }

    def rotate(generation: int) -> None:
        keys = f"key-{generation}\nkey-{generation - 1}"
        put(bao, path, base | {"api_keys": keys, "mongo_uri": f"mongodb://u:{generation}@h/"})

    rotate(0)
    secrets = opened(stage, **OFTEN, VAULT_ROLE="many", VAULT_SECRET_PATH=path)
    stop, failures, reads = threading.Event(), list[BaseException](), [0, 0, 0]

    def read(reader: int) -> None:
        last = 0
        while not stop.is_set():
            try:
                now = secrets.snapshot().values
                generation = int(now["mongo_uri"].get_secret_value().split(":")[2].split("@")[0])
                assert split_values(now["api_keys"])[0] == f"key-{generation}", "of one moment"
                assert generation >= last, "never an older value again"
                assert secrets.snapshot().values["api_keys"].get_secret_value()
                last = generation
                reads[reader] += 1
            except BaseException as error:
                failures.append(error)
                raise
            time.sleep(0.002)

    readers = [threading.Thread(target=read, args=(n,)) for n in range(len(reads))]
    for reader in readers:
        reader.start()
    for generation in range(1, ROTATIONS + 1):
        revoke_tokens(bao)  # first, so that each new value needs a login of its own
        rotate(generation)
        until(lambda now=generation: f"u:{now}@" in shown(secrets))  # type: ignore[misc]
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert min(reads) > ROTATIONS
    until(lambda: secrets.health().logins > ROTATIONS)  # counted after the value is shown
    assert secrets.health().changes == ROTATIONS
    assert secrets.health().logins == ROTATIONS + 1
    assert secrets.health().failures == 0
