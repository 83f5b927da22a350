import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError
from surrogates.linear.mixed_models.kenward_roger import FixedInference
from surrogates.linear.mixed_models.restricted_likelihood import VarianceProblem, fit_variances


def sum_coded(levels, n_levels):
    eye = np.vstack([np.eye(n_levels - 1), -np.ones(n_levels - 1)])
    return eye[levels]


def split_plot(n_blocks, n_whole, n_sub, seed, block_std=2.0):
    """Return a balanced split plot: blocks random, A to whole plots, B to sub-plots."""
    rng = np.random.default_rng(seed)
    block, a, b = (
        grid.ravel()
        for grid in np.meshgrid(range(n_blocks), range(n_whole), range(n_sub), indexing="ij")
    )
    plot = block * n_whole + a
    values = (
        rng.standard_normal(n_blocks)[block]
        + block_std * rng.standard_normal(n_blocks * n_whole)[plot]
        + rng.standard_normal(len(plot))
    )
    columns_a, columns_b = sum_coded(a, n_whole), sum_coded(b, n_sub)
    both = np.einsum("ni,nj->nij", columns_a, columns_b).reshape(len(plot), -1)
    matrix = np.column_stack([np.ones(len(plot)), columns_a, columns_b, both])
    roots = (np.eye(n_blocks)[block], np.eye(plot.max() + 1)[plot], np.eye(len(plot)))
    return VarianceProblem(matrix, values, roots), values.reshape(n_blocks, n_whole, n_sub)


def unbalanced(seed=5):
    """Return 5 whole plots of 2 to 4 runs, a factor between plots and one within."""
    rng = np.random.default_rng(seed)
    plot = np.repeat(np.arange(6), [2, 4, 3, 3, 2, 4])
    between = np.array([-1.0, 1.0, 0.5, -1.0, 0.0, 1.0])[plot]
    within = rng.uniform(-1, 1, len(plot))
    matrix = np.column_stack([np.ones(len(plot)), between, within, between * within])
    values = 1.5 * rng.standard_normal(6)[plot] + rng.standard_normal(len(plot))
    return VarianceProblem(matrix, values, (np.eye(6)[plot], np.eye(len(plot))))


@pytest.mark.requirement("ANA-12", "DOE-7")
@pytest.mark.parametrize("method", ["kenward_roger", "satterthwaite"])
@settings(max_examples=15, deadline=None)
@given(
    n_blocks=st.integers(2, 4),
    n_whole=st.integers(2, 3),
    n_sub=st.integers(2, 4),
    seed=st.integers(0, 10**6),
)
def test_in_balanced_split_plots_tests_are_those_of_the_strata(
    method, n_blocks, n_whole, n_sub, seed
):
    """Cochran and Cox (1957), Experimental Designs, section 7.2: whole plots are compared with
    the whole-plot error, sub-plots with the sub-plot error, with their degrees of freedom.
    """
    problem, y = split_plot(n_blocks, n_whole, n_sub, seed)
    fit = fit_variances(problem)
    assume(not fit.at_zero.any())
    whole, sub, grand = y.mean(axis=(0, 2)), y.mean(axis=(0, 1)), y.mean()
    plots, blocks = y.mean(axis=2), y.mean(axis=(1, 2))
    ss_a = n_blocks * n_sub * np.sum((whole - grand) ** 2)
    error_a = n_sub * np.sum((plots - blocks[:, None] - whole[None] + grand) ** 2)
    ss_b = n_blocks * n_whole * np.sum((sub - grand) ** 2)
    cells = y.mean(axis=0)
    error_b = np.sum((y - plots[:, :, None] - cells[None] + whole[None, :, None]) ** 2)
    df_a, df_b = n_whole - 1, n_sub - 1
    strata_a, strata_b = (n_blocks - 1) * df_a, (n_blocks - 1) * n_whole * df_b

    inference = FixedInference(fit, method)
    identity = np.eye(problem.matrix.shape[1])
    test_a = inference.test(identity[1 : 1 + df_a])
    test_b = inference.test(identity[1 + df_a : 1 + df_a + df_b])

    assert test_a.statistic == pytest.approx(ss_a / df_a / (error_a / strata_a), rel=1e-6)
    assert test_b.statistic == pytest.approx(ss_b / df_b / (error_b / strata_b), rel=1e-6)
    assert test_a.denominator == pytest.approx(strata_a, rel=1e-6)
    assert test_b.denominator == pytest.approx(strata_b, rel=1e-6)


def brute_force(problem, variances, contrasts):
    """Return the adjusted covariance, scaling and denominator from the paper's formulas as printed.

    Derivatives are finite differences of V^-1 and the sums are written out with inverses.
    """
    x, roots = problem.matrix, problem.roots
    size = len(x)

    def precision(theta):
        covariance = sum(t * root @ root.T for t, root in zip(theta, roots, strict=True))
        return np.linalg.inv(covariance)

    v_inverse = precision(variances)
    v = np.linalg.inv(v_inverse)
    phi = np.linalg.inv(x.T @ v_inverse @ x)
    slopes = []
    for place, value in enumerate(variances):
        step = np.zeros(len(variances))
        step[place] = 1e-5 * value
        slopes.append((precision(variances + step) - precision(variances - step)) / (2e-5 * value))
    p = [x.T @ slope @ x for slope in slopes]
    q = [[x.T @ one @ v @ other @ x for other in slopes] for one in slopes]
    derivatives = [-v @ slope @ v for slope in slopes]
    count = range(len(variances))
    information = np.array(
        [
            [
                0.5 * np.trace(v_inverse @ derivatives[i] @ v_inverse @ derivatives[j])
                - 0.5 * np.trace(2 * phi @ q[i][j] - phi @ p[i] @ phi @ p[j])
                for j in count
            ]
            for i in count
        ]
    )
    w = np.linalg.inv(information)
    inner = sum(w[i, j] * (q[i][j] - p[i] @ phi @ p[j]) for i in count for j in count)
    adjusted = phi + 2 * phi @ inner @ phi
    ell = contrasts.T
    n = ell.shape[1]
    theta = ell @ np.linalg.inv(ell.T @ phi @ ell) @ ell.T
    a1 = sum(
        w[i, j] * np.trace(theta @ phi @ p[i] @ phi) * np.trace(theta @ phi @ p[j] @ phi)
        for i in count
        for j in count
    )
    a2 = sum(
        w[i, j] * np.trace(theta @ phi @ p[i] @ phi @ theta @ phi @ p[j] @ phi)
        for i in count
        for j in count
    )
    b = (a1 + 6 * a2) / (2 * n)
    g = ((n + 1) * a1 - (n + 4) * a2) / ((n + 2) * a2)
    c1, c2, c3 = (c / (3 * n + 2 * (1 - g)) for c in (g, n - g, n + 2 - g))
    expected = 1 / (1 - a2 / n)
    variance = 2 / n * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * expected**2)
    m = 4 + (n + 2) / (n * rho - 1)
    assert size == len(problem.values)
    return adjusted, m / (expected * (m - 2)), m


@pytest.mark.parametrize("places", [[1], [2], [1, 2], [1, 2, 3]])
def test_unbalanced_tests_follow_the_formulas_of_the_paper(places):
    """Kenward and Roger (1997), Biometrics 53, 983-997, by differences and plain inverses."""
    fit = fit_variances(unbalanced())
    contrasts = np.eye(4)[places]
    adjusted, scaling, denominator = brute_force(fit.problem, fit.variances, contrasts)

    inference = FixedInference(fit)
    test = inference.test(contrasts)

    np.testing.assert_allclose(inference.covariance, adjusted, rtol=1e-6, atol=1e-10)
    assert test.scaling == pytest.approx(scaling, rel=1e-6)
    assert test.denominator == pytest.approx(denominator, rel=1e-6)
    estimates = contrasts @ fit.state.coefficients
    part = contrasts @ adjusted @ contrasts.T
    wald = scaling * estimates @ np.linalg.solve(part, estimates) / len(places)
    assert test.statistic == pytest.approx(wald, rel=1e-6)


@given(unit=st.floats(1e-6, 1e6), shift=st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_unit_and_zero_of_the_response_mean_nothing_to_a_test(unit, shift):
    problem = unbalanced()
    moved = VarianceProblem(problem.matrix, unit * (problem.values + shift), problem.roots)
    tests = [FixedInference(fit_variances(p)).test(np.eye(4)[1:]) for p in (problem, moved)]

    assert tests[1].statistic == pytest.approx(tests[0].statistic, rel=1e-6)
    assert tests[1].denominator == pytest.approx(tests[0].denominator, rel=1e-6)


def test_estimating_variances_only_makes_effects_less_sure():
    inference = FixedInference(fit_variances(unbalanced()))

    assert (np.linalg.eigvalsh(inference.excess) > -1e-12).all()
    assert (inference.standard_errors >= np.sqrt(np.diag(inference.fit.state.covariance))).all()


def test_a_block_variance_estimated_as_zero_still_costs_degrees_of_freedom():
    problem, _ = split_plot(3, 2, 4, seed=4, block_std=0.0)
    seeds = (split_plot(3, 2, 4, seed=s, block_std=0.0)[0] for s in range(60))
    fit = next(f for f in map(fit_variances, seeds) if f.at_zero[:2].all())

    degrees = FixedInference(fit).degrees_of(np.eye(problem.matrix.shape[1]))

    n_runs, n_columns = problem.matrix.shape
    assert degrees[1] < n_runs - n_columns - 1


def test_kenward_and_roger_need_restricted_likelihood():
    problem = unbalanced()
    fit = fit_variances(VarianceProblem(problem.matrix, problem.values, problem.roots, "ML"))

    with pytest.raises(InvalidValueError, match="method='REML'"):
        FixedInference(fit, "kenward_roger")
    assert FixedInference(fit, "satterthwaite").test(np.eye(4)[1:2]).denominator > 0


def test_contrasts_that_repeat_each_other_are_refused():
    inference = FixedInference(fit_variances(unbalanced()))

    with pytest.raises(InvalidValueError, match="not independent"):
        inference.test(np.array([[0, 1.0, 0, 0], [0, 2.0, 0, 0]]))
    with pytest.raises(InvalidValueError, match="do not fit 4 fixed effects"):
        inference.test(np.array([[1.0, 0]]))


@pytest.mark.slow
def test_tests_of_effects_that_are_not_there_reject_as_often_as_they_say():
    """Whole-plot and sub-plot tests at 5 % on 500 unbalanced split plots of six whole plots."""
    template = unbalanced()
    rng = np.random.default_rng(11)
    plots, n_runs = template.roots[0], len(template.values)
    p_values = []
    for _ in range(500):
        values = 1.5 * plots @ rng.standard_normal(6) + rng.standard_normal(n_runs)
        fit = fit_variances(VarianceProblem(template.matrix, values, template.roots))
        inference = FixedInference(fit)
        p_values.append([inference.test(np.eye(4)[[place]]).p_value for place in (1, 2)])
    rejected = (np.array(p_values) < 0.05).mean(axis=0)

    # Three standard errors of a share of 5 % in 500.
    np.testing.assert_allclose(rejected, 0.05, atol=3 * np.sqrt(0.05 * 0.95 / 500))
