from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs.mixture import simplex_lattice
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.mixture_terms import cox_coefficients, cox_terms, scheffe_terms
from doe.space import FactorSpace
from doe.terms import model_matrix, parse_terms, quadratic_terms
from tests.doe.designs.mixture_examples import mixture

ORDERS = ["linear", "quadratic", "special cubic", "full cubic"]
T = ContinuousFactor("T", 20, 40)


def drawn_runs(space, n_runs, seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(space.mixture)), n_runs) * space.mixture_total
    return pd.DataFrame(shares, columns=[c.name for c in space.mixture])


def fitted(terms, runs, results, space):
    matrix = model_matrix(terms, runs, space)
    return pd.Series(
        np.linalg.lstsq(matrix.to_numpy(), results, rcond=None)[0], index=matrix.columns
    )


@st.composite
def references(draw):
    parts = draw(st.lists(st.integers(0, 10), min_size=2, max_size=5).filter(any))
    return {f"m{i}": part / sum(parts) for i, part in enumerate(parts, start=1)}


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("q", [2, 3, 4, 6])
def test_scheffes_models_have_as_many_terms_as_he_says(q):
    """Scheffe (1958): q, q(q+1)/2, q(q^2+5)/6 and q(q+1)(q+2)/6."""
    counts = [len(scheffe_terms(mixture(q), order).terms) for order in ORDERS]

    special = q * (q**2 + 5) // 6
    assert counts == [q, q * (q + 1) // 2, special, q * (q + 1) * (q + 2) // 6]
    assert not any(scheffe_terms(mixture(q), order).has_intercept for order in ORDERS)


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("q", [2, 3, 4])
def test_scheffes_models_hold_every_polynomial_of_their_degree(q, degree):
    """On blends, homogeneous polynomials of a degree hold all polynomials up to it."""
    space = mixture(q)
    runs = drawn_runs(space, 60, seed=q)
    order = {1: "linear", 2: "quadratic", 3: "full cubic"}[degree]

    ours = model_matrix(scheffe_terms(space, order), runs, space).to_numpy()

    exponents = np.array(list(np.ndindex(*[degree + 1] * q)))
    exponents = exponents[exponents.sum(axis=1) <= degree]
    every = np.stack([(runs.to_numpy() ** e).prod(axis=1) for e in exponents], axis=1)
    assert np.linalg.matrix_rank(ours) == ours.shape[1] == comb(q + degree - 1, degree)
    assert np.linalg.matrix_rank(every, tol=1e-9) == ours.shape[1]
    residual = every - ours @ np.linalg.lstsq(ours, every, rcond=None)[0]
    np.testing.assert_allclose(residual, 0, atol=1e-10)


def test_a_quadratic_scheffe_model_is_the_standard_one_for_mixtures():
    space = mixture(4)

    assert scheffe_terms(space).terms == quadratic_terms(space).terms


def test_full_cubic_terms_are_the_skewed_products_of_two():
    space = mixture(2)
    runs = pd.DataFrame({"m1": [0.25, 0.5], "m2": [0.75, 0.5]})

    matrix = model_matrix(scheffe_terms(space, "full cubic"), runs, space)

    assert list(matrix.columns) == ["m1", "m2", "m1:m2", "m1:m2:I(m1 - m2)"]
    assert matrix.iloc[0].tolist() == [0.25, 0.75, 0.1875, -0.09375]


@pytest.mark.requirement("DOE-9")
def test_crossing_with_the_process_multiplies_the_terms():
    """Cornell (2002), ch. 7: 6 blending terms by 1, z1, z2 (and z1 z2)."""
    space = mixture(3, T, CategoricalFactor("resin", ("A", "B", "C")))

    alone = scheffe_terms(space)
    linear = scheffe_terms(space, process="linear")
    crossed = scheffe_terms(space, process="interactions")

    assert (len(alone.terms), len(linear.terms), len(crossed.terms)) == (6, 18, 24)
    assert cox_terms(space, dict.fromkeys(("m1", "m2", "m3"), 1 / 3), process="linear").names[
        :3
    ] == (
        "Intercept",
        "T",
        "resin",
    )


@pytest.mark.requirement("DOE-9")
@given(reference=references(), order=st.sampled_from(["linear", "quadratic"]))
@settings(max_examples=30, deadline=None)
def test_cox_and_scheffe_describe_the_same_surfaces(reference, order):
    space = mixture(len(reference))
    runs = drawn_runs(space, 40, seed=1)
    results = np.random.default_rng(2).normal(size=40)
    cox = cox_terms(space, reference, order)

    estimates = fitted(cox, runs, results, space)

    scheffe = scheffe_terms(space, order)
    predicted = model_matrix(cox, runs, space).to_numpy() @ estimates.to_numpy()
    other = model_matrix(scheffe, runs, space).to_numpy() @ fitted(scheffe, runs, results, space)
    assert len(cox.terms) == len(scheffe.terms)
    np.testing.assert_allclose(predicted, other, atol=1e-8)


@pytest.mark.requirement("DOE-9")
@given(reference=references())
@settings(max_examples=30, deadline=None)
def test_coxs_coefficients_obey_his_constraints_and_give_back_the_surface(reference):
    """Cox (1971): sum of b_i s_i is 0, and so is that of b_ij s_j (twice b_ii) in every row."""
    names = list(reference)
    space = mixture(len(names))
    runs = drawn_runs(space, 40, seed=3)
    results = np.random.default_rng(4).normal(size=40)
    terms = cox_terms(space, reference)
    estimates = fitted(terms, runs, results, space)

    table = cox_coefficients(space, reference)
    found = table @ estimates

    s = np.array(list(reference.values()))
    x = runs.to_numpy()
    linear = found[names].to_numpy()
    quadratic = np.diag([found[f"{name}^2"] for name in names])
    for i, one in enumerate(names):
        for j, other in enumerate(names[i + 1 :], start=i + 1):
            quadratic[i, j] = quadratic[j, i] = found[f"{one}:{other}"] / 2
    scale = np.abs(found).max()
    np.testing.assert_allclose(linear @ s, 0, atol=1e-9 * scale)
    np.testing.assert_allclose(quadratic @ s, 0, atol=1e-9 * scale)
    surface = found["Intercept"] + x @ linear + np.einsum("ni,ij,nj->n", x, quadratic, x)
    predicted = model_matrix(terms, runs, space).to_numpy() @ estimates.to_numpy()
    np.testing.assert_allclose(surface, predicted, atol=1e-9 * scale)


@given(reference=references(), order=st.sampled_from(["linear", "quadratic"]))
@settings(max_examples=20, deadline=None)
def test_the_intercept_of_coxs_model_is_the_response_at_the_reference(reference, order):
    space = mixture(len(reference))

    row = model_matrix(cox_terms(space, reference, order), pd.DataFrame([reference]), space)

    np.testing.assert_allclose(row.iloc[0], [1.0] + [0.0] * (row.shape[1] - 1), atol=1e-14)


def test_coxs_linear_coefficients_are_those_of_constrained_least_squares():
    """Smith and Beckman (1998): least squares under sum b_i s_i = 0, solved by its multiplier."""
    reference = {"m1": 0.2, "m2": 0.3, "m3": 0.5}
    space = mixture(3)
    runs, results = drawn_runs(space, 12, seed=5), np.random.default_rng(6).normal(size=12)

    found = cox_coefficients(space, reference, "linear") @ fitted(
        cox_terms(space, reference, "linear"), runs, results, space
    )

    x = np.column_stack([np.ones(12), runs.to_numpy()])
    tied = np.array([[0.0, 0.2, 0.3, 0.5]])
    system = np.block([[x.T @ x, tied.T], [tied, np.zeros((1, 1))]])
    expected = np.linalg.solve(system, [*(x.T @ results), 0.0])[:4]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_pure_reference_gives_the_model_with_a_slack_variable():
    terms = cox_terms(mixture(3), {"m1": 0, "m2": 0, "m3": 1})

    assert terms.names == ("Intercept", "m1", "m2", "m1^2", "m1:m2", "m2^2")


def test_a_reference_is_given_in_the_unit_of_the_components():
    percent = cox_terms(mixture(3, total=100.0), {"m1": 20, "m2": 30, "m3": 50})

    assert percent == cox_terms(mixture(3), {"m1": 0.2, "m2": 0.3, "m3": 0.5})
    assert percent.names[1] == "I(m1 - 0.4 * m3)"


@given(order=st.permutations(range(3)))
@settings(max_examples=6, deadline=None)
def test_coxs_coefficients_do_not_depend_on_the_order_of_components(order):
    names, shares = ["salt", "Mg2+", "a:b"], [0.5, 0.3, 0.2]
    runs = drawn_runs(FactorSpace(tuple(map(MixtureComponent, names))), 20, seed=7)
    results = np.random.default_rng(8).normal(size=20)

    found = []
    for places in ([0, 1, 2], order):
        space = FactorSpace(tuple(MixtureComponent(names[i]) for i in places))
        reference = {names[i]: shares[i] for i in places}
        estimates = fitted(cox_terms(space, reference), runs, results, space)
        found.append(cox_coefficients(space, reference) @ estimates)

    linear = ["Intercept", "salt", "Mg2+", "`a:b`", "salt^2", "Mg2+^2", "`a:b`^2"]
    np.testing.assert_allclose(found[0][linear], found[1][linear], atol=1e-7)


@pytest.mark.parametrize("process", [None, "linear", "interactions"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_mixture_model_reads_the_same_from_its_own_formula(order, process):
    names = ("glucose", "Mg2+", "C", "I", "a:b")
    factors = (*map(MixtureComponent, names), T, ContinuousFactor("feed rate", 0, 1))
    space = FactorSpace(factors)

    models = [scheffe_terms(space, order, process=process)]
    if "cubic" not in order:
        reference = dict(zip(names, (0.1, 0.2, 0.0, 0.3, 0.4), strict=True))
        models.append(cox_terms(space, reference, order, process=process))

    for terms in models:
        assert parse_terms(terms.formula, space) == terms


def test_crossed_models_can_be_estimated_from_crossed_designs():
    space = mixture(3, T, CategoricalFactor("resin", ("A", "B", "C")))
    runs = simplex_lattice(space, 2, process="full factorial").runs
    reference = {"m1": 0.2, "m2": 0.2, "m3": 0.6}

    for terms in (
        scheffe_terms(space, process="interactions"),
        cox_terms(space, reference, process="interactions"),
    ):
        matrix = model_matrix(terms, runs, space).to_numpy()
        assert np.linalg.matrix_rank(matrix) == matrix.shape[1] == 36


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: scheffe_terms(FactorSpace((T,))), "Scheffe's model is for mixture components"),
        (lambda: cox_terms(FactorSpace((T,)), {}), "Cox's model is for mixture components"),
        (lambda: scheffe_terms(mixture(3), "cubic"), "order is 'cubic'; expected one of linear"),
        (lambda: cox_terms(mixture(2), {"m1": 0.5, "m2": 0.5}, "full cubic"), "order is 'full"),
        (lambda: scheffe_terms(mixture(3), process="linear"), "has mixture components only"),
        (lambda: scheffe_terms(mixture(3, T), process="quadratic"), "process is 'quadratic'"),
        (lambda: cox_terms(mixture(2), {"m1": 1.0}), r"amount of each of \['m1', 'm2'\]"),
        (lambda: cox_terms(mixture(2), {"m1": 0.5, "m2": 0.6}), "adds up to 1.1, and its amounts"),
        (lambda: cox_terms(mixture(2), {"m1": -0.5, "m2": 1.5}), "must not be negative"),
        (lambda: cox_terms(mixture(2), {"m1": "half", "m2": 0.5}), "must be a number"),
        (
            lambda: cox_terms(mixture(2, total=100.0), {"m1": 0.5, "m2": 0.5}),
            "adds up to 1, .* add up to 100",
        ),
    ],
)
def test_what_is_no_mixture_model_is_refused(build, complaint):
    with pytest.raises(InvalidValueError, match=complaint):
        build()
