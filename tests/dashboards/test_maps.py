"""Which map a page begins with, and which factors can be its axes."""

import numpy as np
import pytest

from dashboards.maps import mappable, middle, run_layers, strongest_axes
from dashboards.session import Session
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor


def test_the_map_begins_with_the_strongest_driver_across(session: Session):
    ranking = session.drivers()

    strongest = [driver.factor for driver in ranking.of("titre")]

    assert list(strongest_axes(session.state, ranking)) == strongest[:2]


def test_without_a_ranking_the_map_begins_with_the_factors_as_they_were_listed(session: Session):
    assert strongest_axes(session.state, None) == mappable(session.state) == ("temperature", "pH")


def test_a_slider_begins_in_the_middle_of_a_range_and_a_choice_with_its_first_level():
    assert middle(ContinuousFactor("pH", 6.6, 7.4)) == pytest.approx(7.0)
    assert middle(DiscreteFactor("impellers", (1.0, 2.0, 3.0))) == pytest.approx(2.0)
    assert middle(CategoricalFactor("resin", ("A", "B"))) == "A"


def test_runs_stand_on_the_map_where_they_were_asked_for(session: Session):
    layers = run_layers(session.state, "pH", "temperature")
    (recommended,) = [layer for layer in layers if layer.role == "recommended"]

    targets = [session.state.run(name).target for name in recommended.names]
    np.testing.assert_array_equal(recommended.x, [target["pH"] for target in targets])
    np.testing.assert_array_equal(recommended.y, [target["temperature"] for target in targets])
