from xml.etree import ElementTree

import numpy as np
import pytest

from pullrisk.report import charts


def test_the_histograms_of_both_kinds_sum_to_one_each() -> None:
    random = np.random.default_rng(0)
    risk = random.uniform(0.001, 0.2, 1_000)
    labels = (random.random(1_000) < 0.1).astype(np.int8)
    picture = charts.distribution(risk, labels, "reverted")
    assert picture is not None
    tips = [title.text or "" for title in ElementTree.fromstring(picture).iter("title")]
    shares = [float(tip.split("\N{NO-BREAK SPACE}")[0]) for tip in tips]
    assert sum(shares) == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize("label", [0, 1])
def test_there_is_no_distribution_of_one_kind_alone(label: int) -> None:
    assert charts.distribution(np.full(5, 0.1), np.full(5, label, np.int8), "reverted") is None


def test_risks_of_zero_and_one_have_a_place_on_the_log_scale() -> None:
    picture = charts.distribution(np.array([0.0, 1.0]), np.array([0, 1], np.int8), "reverted")
    assert picture is not None
    assert "nan" not in picture
