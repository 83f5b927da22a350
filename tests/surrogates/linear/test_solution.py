import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError, TooFewDataError
from surrogates.linear.aliases import estimable_columns
from surrogates.linear.solution import solve

SEEDS = st.integers(0, 2**32 - 1)


def problem(seed: int, n_runs: int = 12, n_columns: int = 4):
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(n_runs), rng.normal(size=(n_runs, n_columns - 1))])
    return matrix, rng.normal(size=n_runs), rng.uniform(0.2, 5.0, n_runs)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_solution_is_that_of_the_weighted_normal_equations(seed):
    matrix, values, weights = problem(seed)
    solution = solve(matrix, values, weights)

    information = matrix.T * weights @ matrix
    expected = np.linalg.solve(information, matrix.T @ (weights * values))
    residuals = values - matrix @ expected
    np.testing.assert_allclose(solution.coefficients, expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(solution.inverse, np.linalg.inv(information), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(solution.residuals, residuals, rtol=1e-8, atol=1e-9)
    assert solution.rss == pytest.approx(weights @ residuals**2, rel=1e-9)
    hat = matrix @ np.linalg.inv(information) @ matrix.T * weights
    np.testing.assert_allclose(solution.leverage, np.diag(hat), rtol=1e-8)
    assert solution.leverage.sum() == pytest.approx(4, rel=1e-12)


@given(seed=SEEDS, n_left_out=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_what_columns_explain_is_what_is_lost_without_them(seed, n_left_out):
    matrix, values, weights = problem(seed)
    whole = solve(matrix, values, weights)
    rest = solve(matrix[:, : 4 - n_left_out], values, weights)

    found = whole.explained_by(range(4 - n_left_out, 4))

    assert found == pytest.approx(rest.rss - whole.rss, rel=1e-8, abs=1e-10)


def test_holding_a_contrast_at_zero_costs_what_the_smaller_model_loses():
    """Two coefficients are equal: their columns are added up in the smaller model."""
    matrix, values, weights = problem(3)
    equal = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, 3]])
    lost = solve(equal, values, weights).rss - solve(matrix, values, weights).rss

    found = solve(matrix, values, weights).explained_by_contrasts(np.array([[0, 0, 1.0, -1.0]]))

    assert found == pytest.approx(lost, rel=1e-10)


@given(seed=SEEDS, size=st.floats(-12, 12))
@settings(max_examples=25, deadline=None)
def test_the_unit_of_a_column_costs_no_digits(seed, size):
    matrix, values, _ = problem(seed)
    scale = np.array([1.0, 10.0**size, 1.0, 1.0])

    plain, scaled = solve(matrix, values), solve(matrix * scale, values)

    np.testing.assert_allclose(scaled.coefficients * scale, plain.coefficients, rtol=1e-11)
    np.testing.assert_allclose(scaled.leverage, plain.leverage, rtol=1e-11)


def test_a_saturated_fit_leaves_no_residual_sd():
    solution = solve(np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([3.0, 5.0]))

    np.testing.assert_allclose(solution.coefficients, [4.0, 1.0])
    assert solution.degrees == 0
    assert np.isnan(solution.residual_std)


def test_what_cannot_be_solved_is_refused_in_words():
    matrix, values, weights = problem(1)

    with pytest.raises(TooFewDataError, match="2 runs cannot estimate 4 coefficients"):
        solve(matrix[:2], values[:2])
    with pytest.raises(InvalidValueError, match=r"Row 3 of the values.*not finite"):
        solve(matrix, np.where(np.arange(12) == 2, np.nan, values))
    with pytest.raises(InvalidValueError, match=r"Row 1 of the model matrix.*not finite"):
        solve(np.where(np.arange(12)[:, None] == 0, np.inf, matrix), values)
    with pytest.raises(InvalidValueError, match="Weight 0 is not positive"):
        solve(matrix, values, np.where(np.arange(12) == 2, 0.0, weights))
    with pytest.raises(InvalidValueError, match="a row and a weight per value"):
        solve(matrix, values[:5])


def test_aliased_columns_are_named_with_what_they_are_aliased_with():
    """2^(3-1) with C = AB: the defining relation I = ABC."""
    a, b = np.array([-1.0, 1, -1, 1]), np.array([-1.0, -1, 1, 1])
    matrix = np.column_stack([np.ones(4), a, b, a * b, a * b * 1.0, 2 + a, np.zeros(4)])
    names = ("Intercept", "A", "B", "C", "A:B", "2 + A", "nothing")

    kept, aliased = estimable_columns(matrix, names)

    assert kept == (0, 1, 2, 3)
    assert [column.name for column in aliased] == ["A:B", "2 + A", "nothing"]
    assert aliased[0].combination == (("C", pytest.approx(1.0)),)
    assert "A:B cannot be told apart from C in these runs" in aliased[0].sentence()
    assert "2 Intercept + A" in aliased[1].sentence()
    assert "nothing is zero in every run" in aliased[2].sentence()


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_as_many_columns_are_kept_as_the_rank(seed):
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 6))
    matrix = rng.normal(size=(9, rank)) @ rng.normal(size=(rank, 7))

    kept, aliased = estimable_columns(matrix, [f"x{i}" for i in range(7)])

    assert len(kept) == rank == 7 - len(aliased)
    for column in aliased:
        rebuilt = sum(share * matrix[:, int(name[1:])] for name, share in column.combination)
        np.testing.assert_allclose(rebuilt, matrix[:, int(column.name[1:])], atol=1e-6)
