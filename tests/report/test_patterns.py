from xml.etree import ElementTree

import msgspec
import pytest

from pullrisk.report.patterns import PatternMap, pattern_map
from support.training import shared_training


@pytest.fixture(scope="module")
def found() -> PatternMap:
    data, trained = shared_training()
    drawn = pattern_map(trained.bundle, data)
    assert drawn is not None
    return drawn


def test_every_pattern_is_on_the_map_with_its_risk(found: PatternMap) -> None:
    picture = ElementTree.fromstring(found.picture)
    groups = [group for group in picture.iter() if group.get("class") == "pattern"]
    assert len(groups) == len(found.each)
    tips = " ".join(title.text or "" for title in picture.iter("title"))
    assert all(f"{one.name}: " in tips for one in found.each)
    assert tips.count(", risk ") == len(found.each)


def test_shares_sum_to_one_and_the_riskiest_comes_first(found: PatternMap) -> None:
    assert sum(one.share for one in found.each) == pytest.approx(1)
    risks = [one.risk for one in found.each]
    assert all(risk is not None for risk in risks)
    assert risks == sorted(risks, key=lambda risk: -(risk or 0))


def test_what_was_reverted_is_counted_among_matured_pulls_alone(found: PatternMap) -> None:
    data, _ = shared_training()
    labels = data.labels()
    assert sum(one.matured for one in found.each) == int((labels >= 0).sum())
    caught = sum(one.matured * (one.reverted or 0) for one in found.each)
    assert caught == pytest.approx((labels == 1).sum())


def test_nothing_lies_outside_the_picture(found: PatternMap) -> None:
    picture = ElementTree.fromstring(found.picture)
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    for circle in picture.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= width
        assert 0 <= float(circle.attrib["cy"]) <= height


def test_a_model_without_patterns_has_no_map() -> None:
    data, trained = shared_training()
    metadata = msgspec.structs.replace(trained.bundle.metadata, patterns=None)
    assert pattern_map(trained.bundle.with_metadata(metadata), data) is None
