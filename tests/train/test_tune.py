from pathlib import Path

import msgspec
import pytest

from pullrisk.errors import ModelError, NotEnoughDataError
from pullrisk.progress import Silent
from pullrisk.train import tune as tuning
from pullrisk.train.fit import FitSettings
from pullrisk.train.training import TrainSettings
from pullrisk.train.tune import SPACE, Tuned, space, tune, with_parameters
from support.preprocessing import Calling
from support.tables import FEATURES, feature_table
from support.training import QUICK, quick_dataset

SETTINGS = TrainSettings(fit=msgspec.structs.replace(QUICK, epochs=2))


def search(storage: Path, trials: int, *, seed: int = 0) -> Tuned:
    dataset = quick_dataset(feature_table(pulls=700, seed=seed))
    return tune(
        dataset, FEATURES, SETTINGS, trials=trials, storage=storage, progress=Silent()
    )  # fmt: skip


def test_the_best_is_at_least_as_good_as_the_settings_that_were_given(tmp_path: Path) -> None:
    found = search(tmp_path / "tuning.db", 4)
    assert len(found.trials) == 4
    assert found.trials[0].parameters["batch"] == QUICK.batch
    given = found.trials[0].value
    assert given is not None
    assert found.best.value is not None
    assert found.best.value >= given
    assert found.fit == with_parameters(SETTINGS.fit, found.best.parameters)


def test_a_stopped_search_goes_on_where_it_was(tmp_path: Path) -> None:
    storage = tmp_path / "tuning.db"

    def stop() -> None:
        raise KeyboardInterrupt

    dataset = quick_dataset(feature_table(pulls=700))
    with pytest.raises(KeyboardInterrupt):
        tune(dataset, FEATURES, SETTINGS, trials=5, storage=storage, progress=Stopping(stop))
    first = search(storage, 2)
    assert len(first.trials) == 2
    after = search(storage, 3)
    assert after.trials[:2] == first.trials
    assert len({str(one.parameters) for one in after.trials}) == 3


class Stopping(Calling):
    """Calls the action when the second trial has ended."""

    count = 0

    def advance(self, amount: float = 1) -> None:
        self.count += amount > 0
        if self.count == 2:
            self.action()


def test_other_data_is_another_search(tmp_path: Path) -> None:
    storage = tmp_path / "tuning.db"
    first, second = search(storage, 2), search(storage, 1, seed=5)
    assert len(second.trials) == 1
    assert second.trials[0].value != first.trials[0].value


def test_a_trial_that_falls_behind_is_given_up_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_STARTUP_TRIALS", 1)
    monkeypatch.setattr(tuning, "_WARMUP_EPOCHS", 0)
    found = search(tmp_path / "tuning.db", 8)
    assert any(one.value is None and one.epochs < 2 for one in found.trials)
    assert found.best.value is not None


def test_without_outcomes_of_both_classes_nothing_can_be_told_apart(tmp_path: Path) -> None:
    dataset = quick_dataset(feature_table(rate=0))
    with pytest.raises(NotEnoughDataError, match="too few matured outcomes"):
        tune(
            dataset, FEATURES, SETTINGS, trials=1, storage=tmp_path / "t.db", progress=Silent()
        )  # fmt: skip


def test_a_damaged_study_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tuning.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ModelError, match="the search then starts anew"):
        search(tmp_path / "tuning.db", 1)


def test_the_defaults_lie_inside_what_is_searched_and_others_widen_it() -> None:
    assert space(FitSettings()) == SPACE
    wide = space(msgspec.structs.replace(FitSettings(), batch=77, learning_rate=1.0))
    assert wide["batch"].choices == (77, *SPACE["batch"].choices)
    assert wide["learning_rate"].high == 1.0
