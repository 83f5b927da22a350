"""The parts of the search for optimal designs, each against a slow and plain computation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import ExpressionConstraint, ForbiddenCombination, LinearConstraint
from doe.designs.optimal.candidates import candidate_pool
from doe.designs.optimal.criteria import Information
from doe.designs.optimal.estimability import dependent_columns
from doe.designs.optimal.largest_variance import largest_after
from doe.designs.optimal.moves import Directions, level_lists
from doe.designs.optimal.points import PointSpace
from doe.designs.optimal.rows import ModelRows
from doe.designs.optimal.slots import make_slots
from doe.designs.optimal.tidying import tidied
from doe.errors import DesignError, ExpressionError
from doe.evaluation.moments import average_moments, region_moments
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import model_matrix, parse_terms, quadratic_terms
from tests.doe.designs.examples import continuous
from tests.doe.strategies import spaces_with_setting

SPACE = FactorSpace(
    (
        ContinuousFactor("a", 0.0, 4.0),
        CategoricalFactor("clone", ("A", "B", "C")),
        DiscreteFactor("n", (1, 2, 8), scale="log"),
        ContinuousFactor("b", 1.0, 100.0, scale="log", step=0.5),
    ),
    (
        LinearConstraint({"a": 1.0, "n": 1.0}, upper=9.0, lower=1.5),
        ExpressionConstraint("a * b <= 200"),
        ForbiddenCombination({"a": (3.0, None), "clone": ("A", "B")}),
        ForbiddenCombination({"n": (2.0, 2.0), "clone": "C"}),
    ),
)


@st.composite
def exchanges(draw: st.DrawFn):
    """Rows of some designs, one to give up, rows to try, a base, and a loading."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_columns = draw(st.integers(1, 6))
    n_runs = n_columns + draw(st.integers(1, 6))
    rows = rng.standard_normal((3, n_runs, n_columns))
    tried = rng.standard_normal((3, 4, n_columns))
    kept = rng.standard_normal((draw(st.integers(0, 3)), n_columns))
    loading = rng.standard_normal((n_columns, draw(st.integers(1, 4))))
    return rows, tried, kept.T @ kept, loading, draw(st.integers(0, n_runs - 1))


@pytest.mark.requirement("DOE-5")
@given(exchange=exchanges(), by_trace=st.booleans())
@settings(max_examples=60)
def test_the_gain_of_an_exchange_is_what_computing_anew_gives(exchange, by_trace):
    rows, tried, base, loading, slot = exchange
    information = Information(rows, base, loading if by_trace else None)

    gains = information.gains(rows[:, slot], tried)

    def log_value(design):
        matrix = design.T @ design + base
        if not by_trace:
            return np.linalg.slogdet(matrix)[1]
        return -np.log(np.trace(loading.T @ np.linalg.inv(matrix) @ loading))

    for start in range(3):
        for place in range(4):
            changed = rows[start].copy()
            changed[slot] = tried[start, place]
            expected = log_value(changed) - log_value(rows[start])
            if np.isfinite(gains[start, place]):
                assert gains[start, place] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    which = np.array([0, 2])
    information.exchange(which, rows[which, slot], tried[which, 1])
    changed = rows.copy()
    changed[which, slot] = tried[which, 1]
    np.testing.assert_allclose(
        information.inverse @ (changed.swapaxes(1, 2) @ changed + base),
        np.broadcast_to(np.eye(rows.shape[2]), information.inverse.shape),
        atol=1e-4,
    )


@given(exchange=exchanges())
@settings(max_examples=30)
def test_the_largest_variance_after_an_exchange_is_what_computing_anew_gives(exchange):
    rows, tried, base, loading, slot = exchange
    inverse = np.linalg.inv(rows[0].T @ rows[0] + base)

    largest = largest_after(inverse, rows[0, slot], tried[0], loading.T)

    for place in range(4):
        changed = rows[0].copy()
        changed[slot] = tried[0, place]
        again = np.linalg.inv(changed.T @ changed + base)
        expected = np.einsum("ij,jk,ik->i", loading.T, again, loading.T).max()
        if np.isfinite(largest[place]):
            assert largest[place] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    "formula",
    ["(a + clone + n + b)**2 + I(a**3)", "0 + a:clone + I(b**2):n", "exp(a) + log(b + 2) * clone"],
)
def test_fast_rows_are_those_of_the_model_matrix(formula):
    terms = parse_terms(formula, SPACE)
    settings_ = SPACE.sample(30, rng=np.random.default_rng(0))
    points = PointSpace(SPACE).points_of(settings_)

    rows = ModelRows(terms, SPACE)(points.reshape(5, 6, 4)).reshape(30, -1)

    np.testing.assert_allclose(rows, model_matrix(terms, settings_, SPACE), atol=1e-12)


def test_a_term_that_has_no_value_somewhere_is_refused():
    with pytest.raises(ExpressionError, match="not defined everywhere"):
        ModelRows(parse_terms("log(a)", SPACE), SPACE)(np.array([[-1.0, 0, 0, 0]]))


@given(drawn=spaces_with_setting(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_what_the_search_allows_is_what_the_factor_space_allows(drawn, seed):
    space, _ = drawn
    points = PointSpace(space)
    rng = np.random.default_rng(seed)
    anywhere = points.low + (points.high - points.low) * rng.random((60, len(points.low)))
    tried = points.snapped(np.vstack([anywhere, np.round(anywhere)]))

    allowed = points.allows(tried)

    table = points.settings_of(tried)
    np.testing.assert_array_equal(allowed, space.contains(table))
    np.testing.assert_allclose(points.points_of(table), tried, atol=1e-6)


def test_candidates_include_every_corner_of_a_mixture_with_bounds():
    """The six corners are found by hand: two components at a bound, the third takes the rest."""
    space = FactorSpace(
        (
            MixtureComponent("A", 0.2, 0.6),
            MixtureComponent("B", 0.1, 0.5),
            MixtureComponent("C", 0.1, 0.6),
        )
    )
    points = PointSpace(space)

    pool = candidate_pool(points, np.full(3, 3), 20, rng=np.random.default_rng(1))

    at_high_a = [(0.6, 0.1, 0.3), (0.6, 0.3, 0.1)]
    elsewhere = [(0.4, 0.5, 0.1), (0.2, 0.5, 0.3), (0.2, 0.2, 0.6), (0.3, 0.1, 0.6)]
    for corner in [*at_high_a, *elsewhere]:
        assert np.abs(pool - corner).max(axis=1).min() < 1e-9
    assert points.allows(pool).all()


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([None, 0.1]))
@settings(max_examples=10)
def test_moves_offer_allowed_points_only(seed, size):
    points = PointSpace(SPACE)
    here = points.points_of(SPACE.sample(8, rng=np.random.default_rng(seed)))

    tried, allowed = Directions(points, level_lists(points, [2, 1, 2, 2])).move(size)(here)

    assert allowed is not None
    assert allowed.any()
    assert SPACE.contains(points.settings_of(tried[allowed])).all()


@pytest.mark.requirement("DOE-5")
def test_moments_over_a_whole_simplex_are_exact():
    """Dirichlet moments: over a triangle the mean of a share squared is 1/6, of a product 1/12."""
    space = FactorSpace(tuple(MixtureComponent(name) for name in "ABC"))
    terms = parse_terms("0 + A + B + C", space)

    moments = average_moments(terms, space, rng=np.random.default_rng(0))

    np.testing.assert_allclose(moments, (np.ones((3, 3)) + np.eye(3)) / 12)


def test_moments_are_averages_over_what_is_allowed():
    free, half = (
        FactorSpace(continuous(2).factors, constraints)
        for constraints in ((), (LinearConstraint({"x1": 1.0, "x2": -1.0}, upper=-10.0),))
    )
    terms = quadratic_terms(free)

    exact = average_moments(terms, free, rng=np.random.default_rng(0))
    drawn = average_moments(terms, half, rng=np.random.default_rng(0), n_draws=20_000)

    np.testing.assert_allclose(exact, region_moments(terms, free))
    # Over the triangle under the diagonal the mean of the first coordinate is -1/3.
    assert drawn[0, 1] == pytest.approx(-1 / 3, abs=0.02)
    assert drawn[0, 2] == pytest.approx(1 / 3, abs=0.02)


def test_columns_that_follow_from_others_are_found():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20, 3))
    both = np.column_stack([rows, rows[:, 0] - 2e6 * rows[:, 2], rng.standard_normal(20)])

    assert dependent_columns(both) == {3: (2,)} or dependent_columns(both) == {3: (0, 2)}


def test_runs_that_repeat_need_room_in_a_block():
    none = np.zeros((0, 2))
    with pytest.raises(DesignError, match="no room for 2 runs that repeat"):
        make_slots(none, none, n_runs=3, n_different=1, replicates=1, block_sizes=(1, 1, 1))


def test_settings_are_written_with_few_digits():
    space = continuous(2)
    found = np.array([[-1.0, 0.123456789], [0.5000000001, 1.0]])

    table = tidied(PointSpace(space), found)

    assert table["x1"].tolist() == [10.0, 13.0]
    assert table["x2"].tolist() == [22.247, 24.0]
    mixture = FactorSpace(tuple(MixtureComponent(name) for name in "ABC"))
    shares = tidied(PointSpace(mixture), np.array([[1 / 3, 1 / 3, 1 / 3]]))
    assert sorted(shares.iloc[0]) == [0.333, 0.333, 0.334]
