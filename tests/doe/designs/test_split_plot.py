import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.designs.split_plot import split_plot_design, split_plot_precision, term_strata
from doe.documents import from_document, to_document
from doe.errors import CancelledError, DesignError, InvalidValueError, TooFewRunsError
from doe.evaluation import average_prediction_variance, d_efficiency
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import interaction_terms, model_matrix, parse_terms, quadratic_terms

TEMPERATURE = ContinuousFactor("temperature", 30, 37, "degC", change="hard")
PRESSURE = ContinuousFactor("pressure", 1, 2, "bar", change="very_hard")
PH = ContinuousFactor("pH", 6.8, 7.4)
FEED = ContinuousFactor("feed", 0, 10, "mL/h")
SPACE = FactorSpace((TEMPERATURE, PH, FEED))


SPLIT_SPLIT = split_plot_design(
    FactorSpace((TEMPERATURE, PRESSURE, PH)),
    "linear",
    n_whole_plots=3,
    n_sub_plots=6,
    n_runs=12,
    rng=np.random.default_rng(3),
    n_starts=1,
)


def seeded(seed=1):
    return np.random.default_rng(seed)


def two_level(*, hard=1, easy=1):
    """Return factors that can only be at one of two levels."""
    names = [("w", i, "hard") for i in range(hard)] + [("s", i, "easy") for i in range(easy)]
    return FactorSpace(
        tuple(DiscreteFactor(f"{kind}{i}", (3.0, 8.0), change=change) for kind, i, change in names)
    )


def covariance_one_by_one(design, ratio, sub_ratio=0.0):
    """Return the covariance of the results, each pair of runs compared by the plots they are in."""
    n_runs = len(design.runs)
    covariance = np.eye(n_runs)
    for one, other in product(range(n_runs), repeat=2):
        for name, part in zip(design.whole_plots, (ratio, sub_ratio), strict=False):
            if design.blocks[name][one] == design.blocks[name][other]:
                covariance[one, other] += part
    return covariance


def dense_information(design, terms, ratio, sub_ratio=0.0):
    matrix = model_matrix(terms, design.runs, design.space).to_numpy()
    return matrix.T @ np.linalg.inv(covariance_one_by_one(design, ratio, sub_ratio)) @ matrix


def is_constant_within(design, name, block):
    plots = design.blocks[block]
    return len(set(zip(plots, design.runs[name], strict=True))) == len(set(plots))


@pytest.mark.requirement("DOE-7")
@given(
    n_whole_plots=st.integers(4, 7),
    extra=st.integers(0, 5),
    ratio=st.sampled_from([0.0, 0.3, 1.0, 10.0]),
    seed=st.integers(0, 2**32 - 1),
    criterion=st.sampled_from(["D", "I"]),
)
@settings(max_examples=5, deadline=None)
def test_the_stated_criterion_is_that_of_dense_generalised_least_squares(
    n_whole_plots, extra, ratio, seed, criterion
):
    design = split_plot_design(
        SPACE,
        "quadratic",
        n_whole_plots=n_whole_plots,
        n_runs=2 * n_whole_plots + 4 + extra,
        criterion=criterion,
        variance_ratio=ratio,
        rng=seeded(seed),
        n_starts=2,
    )

    information = dense_information(design, quadratic_terms(SPACE), ratio)
    # The mean over the cube by Gauss' rule of five points, exact for these polynomials.
    nodes, weights = np.polynomial.legendre.leggauss(5)
    grid = np.array(list(product(nodes, repeat=3)))
    share = np.array([np.prod(w) for w in product(weights / 2, repeat=3)])
    at = SPACE.to_natural(pd.DataFrame(grid, columns=SPACE.names))
    rows = model_matrix(quadratic_terms(SPACE), at, SPACE).to_numpy()
    variance = np.einsum("ij,jk,ik->i", rows, np.linalg.inv(information), rows)
    expected = {
        "D": np.linalg.det(information) ** (1 / 10) / design.n_runs,
        "I": share @ variance,
    }
    assert design.details["criterion_value"] == pytest.approx(expected[criterion], rel=1e-9)
    np.testing.assert_allclose(
        list(design.details["coefficient_variances"].values()),
        np.diag(np.linalg.inv(information)),
        rtol=1e-8,
    )


@pytest.mark.requirement("DOE-7")
def test_without_whole_plot_variance_precision_is_that_of_ordinary_least_squares():
    design = split_plot_design(
        SPACE, "quadratic", n_whole_plots=5, n_runs=16, variance_ratio=0, rng=seeded(), n_starts=3
    )

    matrix = model_matrix(quadratic_terms(SPACE), design.runs, SPACE).to_numpy()
    assert design.details["criterion_value"] == pytest.approx(d_efficiency(matrix), rel=1e-9)
    assert design.details["average_prediction_variance"] == pytest.approx(
        average_prediction_variance(design.runs, terms=quadratic_terms(SPACE), space=SPACE),
        rel=1e-9,
    )


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize("criterion", ["D", "I"])
@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0])
def test_the_search_finds_the_best_of_all_designs_of_a_tiny_case(criterion, ratio):
    """Every two-level design of 4 whole plots of 2 runs is looked at: 2^4 x 2^8 of them."""
    space = two_level()
    moments = np.eye(4)
    weights = np.linalg.inv(np.eye(8) + ratio * np.kron(np.eye(4), np.ones((2, 2))))
    whole = np.repeat(np.array(list(product([-1.0, 1.0], repeat=4))), 2, axis=1)
    within = np.array(list(product([-1.0, 1.0], repeat=8)))
    w, s = np.repeat(whole, len(within), axis=0), np.tile(within, (len(whole), 1))
    matrices = np.stack([np.ones_like(w), w, s, w * s], axis=-1)
    information = np.swapaxes(matrices, 1, 2) @ weights @ matrices
    determinants = np.linalg.det(information)
    sound = information[determinants > 1e-6]
    best = {
        "D": determinants.max() ** (1 / 4) / 8,
        "I": np.trace(np.linalg.inv(sound) @ moments, axis1=1, axis2=2).min(),
    }

    design = split_plot_design(
        space,
        "w0*s0",
        n_whole_plots=4,
        n_runs=8,
        criterion=criterion,
        variance_ratio=ratio,
        rng=seeded(),
    )

    assert design.details["criterion_value"] == pytest.approx(best[criterion], rel=1e-9)


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize("criterion", ["D", "I"])
def test_the_search_finds_the_best_split_split_plot_of_a_tiny_case(criterion):
    """2 whole plots of 2 sub-plots of 2 runs: 2^2 x 2^4 x 2^8 designs, ratios 1 and 0.5."""
    space = FactorSpace(
        (
            DiscreteFactor("v", (0, 1), change="very_hard"),
            DiscreteFactor("w", (0, 1), change="hard"),
            DiscreteFactor("s", (0, 1)),
        )
    )
    together = np.kron(np.eye(2), np.ones((4, 4))) + 0.5 * np.kron(np.eye(4), np.ones((2, 2)))
    weights = np.linalg.inv(np.eye(8) + together)
    columns = [
        np.repeat(np.array(list(product([-1.0, 1.0], repeat=8 // size))), size, axis=1)
        for size in (4, 2, 1)
    ]
    places = np.array(list(product(*(range(len(column)) for column in columns))))
    factors = [column[places[:, i]] for i, column in enumerate(columns)]
    matrices = np.stack([np.ones_like(factors[0]), *factors], axis=-1)
    information = np.swapaxes(matrices, 1, 2) @ weights @ matrices
    determinants = np.linalg.det(information)
    # The mean of x x' over all combinations of two levels is the unit matrix.
    averages = np.trace(np.linalg.inv(information[determinants > 1e-6]), axis1=1, axis2=2)
    best = {"D": determinants.max() ** (1 / 4) / 8, "I": averages.min()}

    design = split_plot_design(
        space,
        "linear",
        n_whole_plots=2,
        n_sub_plots=4,
        n_runs=8,
        criterion=criterion,
        sub_plot_variance_ratio=0.5,
        rng=seeded(),
    )

    assert design.method == f"split-split-plot, {criterion}-optimal"
    assert design.details["criterion_value"] == pytest.approx(best[criterion], rel=1e-9)


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize("ratio", [0.5, 4.0])
def test_a_crossed_two_level_factorial_is_reached(ratio):
    """Orthogonal columns, the easy ones balanced in each plot, reach the bound on the determinant.

    Effects that are constant in plots of 4 runs weigh 1 / (1 + 4 r) of a run, the others 1.
    """
    space = two_level(hard=1, easy=2)

    design = split_plot_design(
        space, "interaction", n_whole_plots=4, n_runs=16, variance_ratio=ratio, rng=seeded()
    )

    bound = (1 + 4 * ratio) ** (-2 / 7)
    assert design.details["criterion_value"] == pytest.approx(bound, rel=1e-9)
    assert design.details["error_degrees_of_freedom"] == {"whole plot": 2, "run": 7}


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize("criterion", ["D", "I"])
def test_it_is_at_least_as_good_as_crossing_two_factorials(criterion):
    """Three temperatures twice, and the corners and centre of pH and feed in each whole plot."""
    inner = [*product([-1, 1], repeat=2), (0, 0)]
    rows = [(t, *run) for t in (-1, 0, 1, -1, 0, 1) for run in inner]
    runs = SPACE.to_natural(pd.DataFrame(rows, columns=SPACE.names, dtype=float))
    blocks = {"whole plot": tuple(str(i // 5) for i in range(30))}
    crossed = Design(SPACE, runs, "crossed", blocks=blocks, whole_plots=("whole plot",))
    # Corners and centre cannot tell the squares of pH and feed apart: the model has one of them.
    terms = parse_terms("(temperature + pH + feed)**2 + I(temperature**2) + I(pH**2)", SPACE)

    design = split_plot_design(
        SPACE,
        terms,
        n_whole_plots=6,
        n_runs=30,
        criterion=criterion,
        rng=seeded(),
        n_starts=3,
    )

    naive, ours = (np.linalg.inv(dense_information(one, terms, 1.0)) for one in (crossed, design))
    if criterion == "D":
        assert np.linalg.det(ours) <= np.linalg.det(naive)
    else:
        grid = pd.DataFrame(product(np.linspace(-1, 1, 21), repeat=3), columns=SPACE.names)
        at = model_matrix(terms, SPACE.to_natural(grid), SPACE).to_numpy()
        means = [np.einsum("ij,jk,ik->i", at, one, at).mean() for one in (ours, naive)]
        assert means[0] <= means[1]


@pytest.mark.requirement("DOE-7")
@given(n_whole_plots=st.integers(3, 6), extra=st.integers(1, 9), seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_hard_factors_are_set_once_per_plot_on_steps_and_plots_are_equal_in_size(
    n_whole_plots, extra, seed
):
    space = FactorSpace(
        (
            ContinuousFactor("T", 30.0, 37.0, "degC", step=0.3, change="hard"),
            CategoricalFactor("resin", ("A", "B", "C")),
            ContinuousFactor("feed", 0.01, 1.0, scale="log"),
            DiscreteFactor("impellers", (1, 2, 5), change="hard"),
        )
    )

    design = split_plot_design(
        space,
        "linear",
        n_whole_plots=n_whole_plots,
        n_runs=n_whole_plots + 3 + extra,
        rng=seeded(seed),
        n_starts=1,
    )

    sizes = pd.Series(design.blocks["whole plot"]).value_counts()
    assert len(sizes) == n_whole_plots
    assert sizes.max() - sizes.min() <= 1
    assert is_constant_within(design, "T", "whole plot")
    assert is_constant_within(design, "impellers", "whole plot")
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert design.whole_plots == ("whole plot",)
    assert design.space.blocks == (BlockFactor("whole plot", random=True),)
    assert from_document(Design, json.loads(json.dumps(to_document(design)))) == design


@pytest.mark.requirement("DOE-7")
@pytest.mark.parametrize(("n_sub_plots", "n_runs"), [(8, 16), (9, 23), (5, 12)])
def test_a_split_split_plot_sets_very_hard_factors_least_often(n_sub_plots, n_runs):
    space = FactorSpace((FEED, TEMPERATURE, PRESSURE, PH))

    design = split_plot_design(
        space,
        "linear",
        n_whole_plots=4,
        n_sub_plots=n_sub_plots,
        n_runs=n_runs,
        rng=seeded(),
        n_starts=2,
    )

    assert design.whole_plots == tuple(design.blocks) == ("whole plot", "sub-plot")
    assert design.space.blocks[1] == BlockFactor("sub-plot", nested_in="whole plot")
    assert is_constant_within(design, "pressure", "whole plot")
    assert is_constant_within(design, "temperature", "sub-plot")
    pairs = set(zip(design.blocks["whole plot"], design.blocks["sub-plot"], strict=True))
    assert len(pairs) == len(set(design.blocks["sub-plot"])) == n_sub_plots
    for sizes in (design.details["whole_plot_sizes"], design.details["sub_plot_sizes"]):
        assert sum(sizes) == n_runs
    assert np.ptp(design.details["sub_plot_sizes"]) <= 1
    expected = dense_information(
        design, parse_terms("pressure + temperature + pH + feed", space), 1.0, 1.0
    )
    assert design.details["criterion_value"] == pytest.approx(
        np.linalg.det(expected) ** (1 / 5) / n_runs, rel=1e-9
    )


@pytest.mark.requirement("DOE-7")
def test_vessels_that_share_a_temperature_leave_one_degree_of_freedom_for_its_test():
    space = FactorSpace((TEMPERATURE, PH, FEED, BlockFactor("water bath")))

    design = split_plot_design(
        space, "interaction", n_whole_plots=3, n_runs=24, rng=seeded(), n_starts=3
    )

    assert design.whole_plots == ("water bath",)
    assert design.space == space
    assert design.details["error_degrees_of_freedom"] == {"whole plot": 1, "run": 16}
    assert design.details["distinct_whole_plot_settings"] == 2
    assert "note" not in design.details


@pytest.mark.requirement("DOE-7")
def test_declared_blocks_within_blocks_are_the_whole_plots_and_sub_plots():
    blocks = (BlockFactor("vessel", nested_in="day"), BlockFactor("day"))
    space = FactorSpace((TEMPERATURE, PRESSURE, PH, *blocks))

    design = split_plot_design(
        space, "linear", n_whole_plots=3, n_sub_plots=6, n_runs=12, rng=seeded(), n_starts=1
    )

    assert design.whole_plots == ("day", "vessel")
    assert design.space == space
    assert is_constant_within(design, "pressure", "day")


@pytest.mark.requirement("DOE-7")
def test_what_follows_when_nothing_is_left_for_the_whole_plot_error_is_said():
    design = split_plot_design(
        SPACE, "quadratic", n_whole_plots=3, n_runs=24, rng=seeded(), n_starts=2
    )

    assert design.details["error_degrees_of_freedom"] == {"whole plot": 0, "run": 14}
    assert "of temperature) can be estimated and not tested" in design.details["note"]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_plots_are_done_in_one_piece_in_random_order(seed):
    design = SPLIT_SPLIT.randomised(rng=seeded(seed), seed=seed)

    sheet = design.run_sheet()
    for block in ("whole plot", "sub-plot"):
        changes = (sheet[block] != sheet[block].shift()).sum()
        assert changes == sheet[block].nunique()
    assert design.randomisation.startswith(
        "restricted: the order of whole plot was drawn, the order of sub-plot was drawn, and runs "
        f"were drawn within sub-plot from seed {seed}; "
    )
    for factor, plots in (("temperature", 6), ("pressure", 3)):
        name = "whole plot" if plots == 3 else "sub-plot"
        assert f"{factor} is set once per {name}, {plots} times" in design.randomisation
        times = int((sheet[factor] != sheet[factor].shift()).sum()) - 1
        assert times < plots


def test_whole_plots_and_runs_come_in_every_order():
    rng = seeded()
    orders = [SPLIT_SPLIT.randomised(rng=rng).run_sheet() for _ in range(200)]

    assert len({tuple(dict.fromkeys(sheet["whole plot"])) for sheet in orders}) == 6
    assert {sheet["standard order"].iloc[0] for sheet in orders} == set(range(1, 13))


def test_effects_are_tested_against_the_plots_in_which_they_vary():
    space = FactorSpace((TEMPERATURE, PRESSURE, PH))
    terms = parse_terms("pressure*temperature*pH + I(pressure**2) + log(temperature + 3)", space)

    assert term_strata(terms, space) == {
        "Intercept": "whole plot",
        "pressure": "whole plot",
        "pressure^2": "whole plot",
        "temperature": "sub-plot",
        "log(temperature + 3)": "sub-plot",
        "temperature:pressure": "sub-plot",
        "pH": "run",
        "temperature:pH": "run",
        "pressure:pH": "run",
        "temperature:pressure:pH": "run",
    }
    alone = FactorSpace((PRESSURE, PH))
    assert term_strata(parse_terms("pressure", alone), alone)["pressure"] == "whole plot"
    easy = FactorSpace((PH, FEED))
    assert set(term_strata(interaction_terms(easy), easy).values()) == {"run"}


def test_the_same_seed_gives_the_same_design():
    one, other = (
        split_plot_design(
            SPACE, "quadratic", n_whole_plots=5, n_runs=15, rng=seeded(9), n_starts=2, criterion="I"
        )
        for _ in range(2)
    )

    assert one == other


@pytest.mark.parametrize("criterion", ["D", "I"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_factor_order_and_units_do_not_change_how_good_it_is(criterion, order):
    factors = [
        ContinuousFactor("T", 303.15, 310.15, "K", change="hard"),
        CategoricalFactor("resin", ("B", "A")),
        ContinuousFactor("feed", 0, 1e-5, "m^3/h"),
    ]
    original = FactorSpace(
        (
            ContinuousFactor("T", 30, 37, "degC", change="hard"),
            CategoricalFactor("resin", ("A", "B")),
            ContinuousFactor("feed", 0, 10, "mL/h"),
        )
    )
    changed = FactorSpace(tuple(factors[place] for place in order))

    values = [
        split_plot_design(
            space, "interaction", n_whole_plots=4, n_runs=12, rng=seeded(2), criterion=criterion
        ).details["criterion_value"]
        for space in (original, changed)
    ]

    assert values[1] == pytest.approx(values[0], rel=2e-3)


@pytest.mark.parametrize(
    "constraint",
    [
        LinearConstraint({"temperature": 1, "feed": 1}, upper=41),
        LinearConstraint({"pH": 10, "feed": 1}, equals=75),
        ForbiddenCombination({"temperature": (35, None), "feed": (6, None)}),
        ExpressionConstraint("feed * (temperature - 29) <= 40"),
    ],
)
@pytest.mark.parametrize("criterion", ["D", "I"])
def test_every_run_meets_constraints_that_tie_hard_and_easy_factors(constraint, criterion):
    space = FactorSpace((TEMPERATURE, PH, FEED), (constraint,))
    terms = "temperature*pH" if "pH" in constraint.factors else "interaction"

    design = split_plot_design(
        space, terms, n_whole_plots=4, n_runs=14, criterion=criterion, rng=seeded(), n_starts=2
    )

    assert space.contains(design.runs).all()
    assert is_constant_within(design, "temperature", "whole plot")
    assert design.details["criterion_value"] > 0


def test_mixture_components_vary_within_whole_plots_on_their_steps():
    components = tuple(MixtureComponent(name, 0.0, 0.6, step=0.05) for name in "ABC")
    space = FactorSpace((TEMPERATURE, *components))

    design = split_plot_design(
        space, "interaction", n_whole_plots=4, n_runs=20, rng=seeded(), n_starts=2
    )

    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert is_constant_within(design, "temperature", "whole plot")
    # The components add up to a constant, so temperature has an effect of its own: two in all.
    assert design.details["error_degrees_of_freedom"]["whole plot"] == 2


@pytest.mark.slow
def test_a_medium_with_few_of_many_components_is_split_by_temperature():
    components = tuple(MixtureComponent(f"c{i}", 0.0, 0.5) for i in range(10))
    few = CardinalityConstraint(tuple(c.name for c in components), 4)
    space = FactorSpace((TEMPERATURE, *components), (few,))

    design = split_plot_design(
        space, "linear", n_whole_plots=4, n_runs=24, rng=seeded(), n_starts=3
    )

    assert space.contains(design.runs).all()
    assert ((design.runs[list(few.factors)] > 1e-9).sum(axis=1) <= 4).all()


def test_progress_rises_to_one_and_may_cancel():
    seen = []
    arguments = {"n_whole_plots": 4, "n_runs": 10, "rng": seeded(), "n_starts": 2}

    split_plot_design(SPACE, "linear", progress=seen.append, **arguments)

    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def cancel(done):
        raise CancelledError(f"stopped at {done}")

    with pytest.raises(CancelledError, match="stopped at 0"):
        split_plot_design(SPACE, "linear", progress=cancel, **arguments)


def test_precision_of_any_design_with_whole_plots_and_of_one_without():
    design = split_plot_design(
        SPACE, "linear", n_whole_plots=4, n_runs=10, rng=seeded(), n_starts=2, variance_ratio=2
    )
    terms = parse_terms("temperature + pH + feed", SPACE)
    free = Design(SPACE, design.runs, "as if randomised")

    split = split_plot_precision(design, terms, variance_ratio=2.0)
    ordinary = split_plot_precision(free, terms, variance_ratio=2.0)

    assert split.d_efficiency == pytest.approx(design.details["criterion_value"])
    matrix = model_matrix(terms, design.runs, SPACE).to_numpy()
    assert ordinary.d_efficiency == pytest.approx(d_efficiency(matrix))
    assert (
        split.coefficient_variances["temperature"] > ordinary.coefficient_variances["temperature"]
    )


BAD = [
    ({"space": FactorSpace((PH, FEED))}, DesignError, "None of the factors .* is hard to change"),
    ({"n_whole_plots": 2, "terms": "quadratic"}, DesignError, r"3 effects .* temperature\^2"),
    ({"n_whole_plots": 12}, DesignError, "12 runs in 12 whole plots"),
    ({"n_whole_plots": 1}, DesignError, "n_whole_plots must be .* at least 2, got 1"),
    ({"n_runs": 9, "terms": "quadratic"}, TooFewRunsError, "9 runs cannot estimate the 10 columns"),
    ({"criterion": "A"}, DesignError, "criterion is 'A'; expected one of D, I"),
    ({"variance_ratio": -1.0}, DesignError, "variance_ratio is -1"),
    ({"variance_ratio": float("nan")}, InvalidValueError, "variance_ratio must be finite"),
    ({"variance_ratio": 1e7}, DesignError, "variance_ratio is 1e[+]07; at most 1e[+]06"),
    ({"n_sub_plots": 6}, DesignError, "n_sub_plots and sub_block are for spaces with hard and"),
    ({"n_starts": 0}, DesignError, "n_starts must be"),
    ({"terms": "pH + temprature"}, InvalidValueError, "names 'temprature'"),
    ({"n_runs": 501}, DesignError, "501 runs are more than the 500"),
    (
        {"space": FactorSpace((TEMPERATURE, PRESSURE, PH))},
        DesignError,
        r"\['temperature'\] are hard: these are set once per sub-plot, so give n_sub_plots",
    ),
    (
        {"space": FactorSpace((TEMPERATURE, PRESSURE, PH)), "n_sub_plots": 4},
        DesignError,
        "4 sub-plots do not divide 4 whole plots",
    ),
    (
        {
            "space": FactorSpace((TEMPERATURE, PRESSURE, PH)),
            "n_whole_plots": 2,
            "n_sub_plots": 3,
            "terms": "interaction",
        },
        DesignError,
        "4 effects of .* are constant within a sub-plot: .*temperature:pressure; 3 sub-plots",
    ),
    (
        {"space": FactorSpace((TEMPERATURE, PH, BlockFactor("bath", random=False)))},
        DesignError,
        "Block factor 'bath' is fixed",
    ),
    (
        {"space": FactorSpace((TEMPERATURE, PH, BlockFactor("bath"), BlockFactor("day")))},
        DesignError,
        "say with block=",
    ),
    (
        {
            "space": FactorSpace((TEMPERATURE, *(MixtureComponent(name) for name in "ABC"))),
            "terms": "0 + A + B + C + (A + B + C):temperature + I(temperature**2)",
            "n_whole_plots": 2,
        },
        DesignError,
        r"3 effects .*: temperature\^2 and 2 that sums of mixture terms amount to; 2 whole plots",
    ),
    (
        {
            "space": FactorSpace(
                (TEMPERATURE, PRESSURE, PH, BlockFactor("day"), BlockFactor("vessel"))
            ),
            "n_sub_plots": 6,
            "block": "day",
            "sub_block": "vessel",
        },
        DesignError,
        "Sub-plots 'vessel' must be nested in the whole plots 'day'",
    ),
    (
        {"space": two_level(), "terms": "w0 + s0 + I(s0**2)"},
        DesignError,
        "No runs in this space can tell .* apart",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_what_cannot_be_planned_is_refused_with_what_to_do(change, error, message):
    arguments = {"space": SPACE, "terms": "linear", "n_whole_plots": 4, "n_runs": 12} | change
    space, terms = arguments.pop("space"), arguments.pop("terms")

    with pytest.raises(error, match=message):
        split_plot_design(space, terms, rng=seeded(), **arguments)


def test_the_model_and_the_source_of_random_numbers_of_a_split_plot_are_checked():
    for arguments, message in [
        ({"terms": None, "rng": seeded()}, "The model is None"),
        ({"terms": "linear", "rng": 5}, "rng must be a random generator, got 5"),
    ]:
        with pytest.raises(InvalidValueError, match=message):
            split_plot_design(SPACE, n_whole_plots=4, n_runs=12, **arguments)
