"""Plots are data whose parts fit together."""

import dataclasses

import numpy as np
import pytest

from doe.errors import InvalidValueError
from doe.plots import Axis, Band, Bars, Line, Plot, Points, Surface

TWO, THREE = np.zeros(2), np.zeros(3)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Axis("pH", "", 7, 7), ["'pH'", "finite range", "7 to 7"]),
        (lambda: Axis("pH", "", 8, 7), ["8 to 7"]),
        (lambda: Axis("pH", "", float("nan"), 7), ["nan to 7"]),
        (lambda: Axis("pH", "", 0, float("inf")), ["0 to inf"]),
        (lambda: Axis("dose", "mg", 0, 7, "log"), ["'dose'", "'log'", "above zero"]),
        (lambda: Axis("resin", "", 0, 1, "category"), ["'resin'", "needs categories"]),
        (lambda: Axis("pH", "", 0, 1, categories=("A",)), ["'linear'", "['A']"]),
        (lambda: Points("data", TWO, THREE), ["'data'", "'x': 2", "'y': 3"]),
        (lambda: Points("data", TWO, TWO, names=("a",)), ["'names': 1"]),
        (lambda: Points("data", TWO, TWO, error_low=THREE), ["'error_low': 3"]),
        (lambda: Line("fit", TWO, THREE), ["'fit'", "different lengths"]),
        (lambda: Band("fit", TWO, TWO, THREE), ["'high': 3"]),
        (lambda: Bars("share", TWO, TWO, TWO, THREE), ["'share'", "'high': 3"]),
        (lambda: Surface("p", "", TWO, THREE, np.zeros((2, 3)), 0, 1), ["(2, 3)", "(3, 2)"]),
        (
            lambda: Surface("p", "", TWO, THREE, np.zeros((3, 2)), 0, 1, shaded=np.zeros((3, 3))),
            ["shaded has shape (3, 3)"],
        ),
    ],
)
def test_a_plot_whose_parts_do_not_fit_is_refused(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_an_axis_is_labelled_with_its_unit():
    assert Axis("dose", "mg/L", 0, 1).title == "dose (mg/L)"
    assert Axis("pH", "", 0, 1).title == "pH"


def test_layers_are_kept_from_back_to_front():
    layers = (Line("fit", TWO, TWO), Points("data", TWO, TWO, names=("a", "b")))
    plot = Plot("Titre", "It rises.", Axis("pH", "", 0, 1), Axis("titre", "g/L", 0, 1), layers)

    assert plot.layers == layers
    with pytest.raises(dataclasses.FrozenInstanceError):
        plot.title = "other"
