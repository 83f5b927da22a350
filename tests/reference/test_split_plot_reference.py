"""Published split-plot designs, which a search on the same structure must not fall behind."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from doe.designs.split_plot import split_plot_design, split_plot_precision
from doe.evaluation.moments import region_moments
from doe.factors import ContinuousFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import quadratic_terms

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
COOKING = FactorSpace((ContinuousFactor("x1", -1, 1, change="hard"), ContinuousFactor("x2", -1, 1)))


def published_cake() -> Design:
    """Lawson, Design and Analysis of Experiments with R, data ``cakeb``: 4 oven runs, 11 cakes."""
    path = SHARED_DATA / "daewr_cake_splitplot_rsm.csv"
    if not path.is_file():
        pytest.skip("needs the published data set of cakes, beside the repository")
    table = pd.read_csv(path)
    blocks = {"Ovenrun": tuple(map(str, table["Ovenrun"]))}
    runs = table[["x1", "x2"]].astype(float)
    return Design(COOKING, runs, "published", blocks=blocks, whole_plots=("Ovenrun",))


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("criterion", ["D", "I"])
def test_it_is_at_least_as_good_as_the_published_cake_experiment(ratio, criterion):
    terms = quadratic_terms(COOKING)
    published = split_plot_precision(published_cake(), terms, variance_ratio=ratio)

    design = split_plot_design(
        COOKING,
        terms,
        n_whole_plots=4,
        n_runs=11,
        criterion=criterion,
        variance_ratio=ratio,
        rng=np.random.default_rng(1),
        n_starts=5,
    )

    ours = split_plot_precision(design, terms, variance_ratio=ratio)
    assert sorted(design.details["whole_plot_sizes"]) == [2, 3, 3, 3]
    assert published.error_degrees_of_freedom == {"whole plot": 1, "run": 4}
    assert ours.error_degrees_of_freedom == published.error_degrees_of_freedom
    if criterion == "D":
        assert ours.d_efficiency >= published.d_efficiency * (1 - 1e-9)
    else:
        moments = region_moments(terms, COOKING)
        averages = [one.average_prediction_variance(moments) for one in (ours, published)]
        assert averages[0] <= averages[1] * (1 + 1e-9)


@pytest.mark.requirement("DOE-7")
def test_it_is_at_least_as_good_as_the_balanced_central_composite_split_plot():
    """Vining, Kowalski and Montgomery (2005), J. Quality Technology 37, 115-129.

    Two hard and two easy factors in 12 whole plots of 4 runs: factorial plots crossed with the
    factorial, axial plots of the hard factors at the centre of the easy ones, plots of the easy
    axial runs and plots of centres at the centre of the hard ones. Axial distance 1, within ranges.
    """
    easy_corners = list(product([-1, 1], repeat=2))
    axial = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    plots = [[(*z, *x) for x in easy_corners] for z in easy_corners]
    plots += [[(*z, 0, 0)] * 4 for z in axial]
    plots += [[(0, 0, *x) for x in axial]] * 2 + [[(0, 0, 0, 0)] * 4] * 2
    space = FactorSpace(
        tuple(
            ContinuousFactor(name, -1, 1, change="hard" if name in "z1 z2" else "easy")
            for name in ("z1", "z2", "x1", "x2")
        )
    )
    runs = pd.DataFrame([run for plot in plots for run in plot], columns=space.names, dtype=float)
    blocks = {"whole plot": tuple(str(i // 4) for i in range(48))}
    published = Design(space, runs, "published", blocks=blocks, whole_plots=("whole plot",))
    terms = quadratic_terms(space)

    design = split_plot_design(
        space, terms, n_whole_plots=12, n_runs=48, rng=np.random.default_rng(1), n_starts=3
    )

    theirs = split_plot_precision(published, terms)
    # Six effects of hard factors, and x1^2 + x2^2: it is the same for all runs of each plot here.
    assert theirs.error_degrees_of_freedom["whole plot"] == 12 - 6 - 1
    assert design.details["d_efficiency"] >= theirs.d_efficiency
