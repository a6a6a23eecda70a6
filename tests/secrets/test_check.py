"""`pullrisk secrets check` for every stage: its own path, and no other's."""

from collections.abc import Callable

import pytest

from pullrisk.secrets.check import check
from pullrisk.secrets.names import STAGES
from support.vault import MARK

STAGES_IN_KUBERNETES = [stage for stage in STAGES if stage != "ci"]


@pytest.mark.parametrize("stage", STAGES_IN_KUBERNETES)
def test_each_stage_reads_all_its_names_and_no_other_stages_path(
    stage: str, environment: Callable[..., dict[str, str]]
) -> None:
    found = check(stage, environment=environment(stage))
    assert {one.name: one.state for one in found.readings} == dict.fromkeys(
        STAGES[stage].names, "readable"
    )
    assert {one.path for one in found.reach} == {f"secret/data/mlops/{name}" for name in STAGES}
    assert [one.path for one in found.reach if one.readable] == [f"secret/data/mlops/{stage}"]
    assert (found.missing, found.too_wide) == ((), ())
    assert found.token_seconds is not None
    assert 0 < found.token_seconds <= 900
    assert MARK not in repr(found)
