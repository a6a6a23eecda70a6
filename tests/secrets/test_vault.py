"""Each stage against a real OpenBao."""

from collections.abc import Callable
from contextlib import closing

import pytest

from pullrisk.secrets.client import DeniedError
from pullrisk.secrets.config import vault_config
from pullrisk.secrets.names import STAGES
from pullrisk.secrets.session import VaultSession
from pullrisk.secrets.vault import VaultSecrets

Opened = Callable[..., VaultSecrets]
STAGES_IN_KUBERNETES = [stage for stage in STAGES if not stage.startswith("ci-")]


@pytest.mark.parametrize("stage", STAGES_IN_KUBERNETES)
@pytest.mark.parametrize("path_of", STAGES)
def test_each_role_reads_its_own_path_and_is_refused_every_other(
    stage: str, path_of: str, environment: Callable[..., dict[str, str]]
) -> None:
    path = f"secret/data/mlops/{path_of}"
    config = vault_config(environment(stage, VAULT_SECRET_PATH=path), stage)
    assert config is not None
    with closing(VaultSession(config)) as session:
        session.login()
        if stage == path_of:
            assert set(session.read()) == set(STAGES[stage].names)
        else:
            with pytest.raises(DeniedError, match="permission denied"):
                session.read()


def test_the_own_values_are_read_and_shown_to_nobody(opened: Opened) -> None:
    secrets = opened("data-fetch")
    found = secrets.snapshot().values["mongo_uri"]
    assert found.get_secret_value() == "mongo_uri-of-data-fetch-0f1e2d3c"
    assert "0f1e2d3c" not in repr(found) + str(found) + repr(secrets) + repr(secrets.snapshot())


def test_a_name_that_the_stage_does_not_declare_is_not_taken(opened: Opened) -> None:
    assert "api_keys" not in opened("data-fetch").snapshot().values
