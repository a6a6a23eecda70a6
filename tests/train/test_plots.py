"""Plots are drawn without a display, each where it has data."""

from pathlib import Path

from pullrisk.progress import Silent
from pullrisk.train.evaluate import Options, evaluate
from pullrisk.train.plots import draw_all
from support.tables import feature_table
from support.training import quick_dataset, quick_train, shared_training

FEW = Options(resamples=3, baselines=False)


def test_every_plot_becomes_a_png(tmp_path: Path) -> None:
    data, trained = shared_training()
    evaluation = evaluate(trained.bundle, data, options=FEW, progress=Silent())
    plots = draw_all(evaluation, trained.epochs)
    assert set(plots) == {"loss.png", "capture.png", "calibration.png", "scores.png"}
    for name, figure in plots.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_model_without_risk_has_only_its_loss_curve() -> None:
    data = quick_dataset(feature_table(400, rate=0))
    trained = quick_train(data)
    evaluation = evaluate(trained.bundle, data, options=FEW, progress=Silent())
    assert set(draw_all(evaluation, trained.epochs)) == {"loss.png"}
