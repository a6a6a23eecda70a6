import numpy as np

from pullrisk.progress import Silent
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.evaluation import OURS
from pullrisk.train.fit import FINE_TUNING_RATE, fine_tuning
from pullrisk.train.training import Trained, TrainSettings, train
from pullrisk.train.warm_start import WarmStart
from support.tables import FEATURES, SCHEMA, feature_table
from support.training import QUICK, quick_dataset, shared_training

# Of a repository with fewer reverts than a risk of its own needs.
FEW = quick_dataset(feature_table(pulls=500, repositories=1, rate=0.04, seed=11))
SETTINGS = TrainSettings(fit=fine_tuning(QUICK))


def tuned() -> Trained:
    start = WarmStart.of(shared_training()[1].bundle, name="elsewhere")
    return train(FEW, FEATURES, SETTINGS, schema_hash=SCHEMA, start=start, progress=Silent())


def test_only_the_learning_rate_differs_from_an_ordinary_training() -> None:
    assert fine_tuning(QUICK).learning_rate == FINE_TUNING_RATE
    assert fine_tuning(QUICK).epochs == QUICK.epochs


def test_a_repository_of_few_reverts_has_a_risk_that_ranks() -> None:
    alone = train(FEW, FEATURES, SETTINGS, schema_hash=SCHEMA, progress=Silent())
    assert not alone.bundle.metadata.risk_available
    assert "--from general" in alone.notes[-1]
    found = tuned()
    assert found.bundle.metadata.risk_available
    options = Options(baselines=False, resamples=2)
    judged = evaluate(found.bundle, FEW, options=options, progress=Silent())
    auc = judged.models[OURS].ranking["pooled_auc"].value
    assert auc is not None
    assert auc > 0.6


def test_it_says_what_it_started_from_and_that_its_own_reverts_were_few() -> None:
    found = tuned()
    assert found.bundle.metadata.facts.started_from is not None
    assert found.bundle.metadata.facts.started_from.startswith("elsewhere sha256:")
    assert "elsewhere" in found.notes[1]


def test_what_is_usual_is_that_of_the_new_repository() -> None:
    metadata = tuned().bundle.metadata
    assert set(metadata.risk.by_repository) == {"owner/0"}
    assert metadata.reference is not None
    median = np.median(FEW.x[:, 0])
    assert abs(metadata.typical.row("owner/0")[0] - median) < 0.3 * median
