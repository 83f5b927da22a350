import itertools
import math

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix as formulaic_matrix
from formulaic.parser import DefaultFormulaParser
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import ExpressionError, InvalidValueError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.formulas import MAX_TERMS, parse_formula
from doe.space import FactorSpace
from doe.terms import (
    cubic_terms,
    interaction_terms,
    linear_terms,
    model_matrix,
    parse_terms,
    quadratic_terms,
)

PROCESS = FactorSpace(
    (
        ContinuousFactor("pH", 6.6, 7.4),
        ContinuousFactor("temperature", 30, 37, "degC"),
        CategoricalFactor("resin", ("A", "B", "C")),
        DiscreteFactor("shift", (3, 4, 6), "d"),
        ContinuousFactor("feed", 1.0, 100.0, "g/L", scale="log"),
    )
)
RUNS = pd.DataFrame(
    {
        "pH": [6.6, 7.0, 7.4, 6.8],
        "temperature": [30.0, 37.0, 33.5, 35.0],
        "resin": ["A", "B", "C", "A"],
        "shift": [3.0, 4.0, 6.0, 4.0],
        "feed": [1.0, 10.0, 100.0, 3.0],
    }
)


def mixture(n_components: int, *process: ContinuousFactor | CategoricalFactor) -> FactorSpace:
    return FactorSpace((*(MixtureComponent(f"m{i}") for i in range(n_components)), *process))


# Neither raises a single term nor multiplies by 1: here the first and there the second is refused.
_atoms = st.sampled_from(["a", "b", "c", "d"])
_formulas = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", "*", ":", " - "]), inner).map(
            lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"
        ),
        st.tuples(inner, st.sampled_from("abcd")).map(lambda parts: f"({parts[1]}/{parts[0]})"),
        inner.map(lambda text: f"(a + b + {text})**2"),
    ),
    max_leaves=6,
)


@given(formula=_formulas)
@settings(max_examples=60)
def test_a_formula_means_what_formulaic_says_it_means(formula):
    expected = {
        frozenset(factor.expr for factor in term.factors) - {"1"}
        for term in DefaultFormulaParser().get_terms(formula)
    }

    found = {frozenset(atom.name for atom in product) for product in parse_formula(formula)}

    assert found == expected


@given(
    formula=st.sampled_from(
        [
            "pH*temperature + I(pH**2)",
            "(pH + temperature + feed)**2",
            "pH*resin",
            "shift*resin*temperature - pH",
            "pH/temperature + exp(feed)",
            "I(pH**2):temperature + I(2*pH + feed)",
        ]
    ),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=20)
def test_the_model_matrix_is_the_one_formulaic_evaluates_on_coded_columns(formula, seed):
    runs = PROCESS.to_natural(
        pd.DataFrame(
            {
                **{
                    name: np.random.default_rng(seed).uniform(-1, 1, 12)
                    for name in ("pH", "temperature", "shift", "feed")
                },
                "resin": ["A", "B", "C"] * 4,
            }
        )
    )
    coded = PROCESS.to_coded(runs)

    ours = model_matrix(parse_terms(formula, PROCESS), runs, PROCESS)

    independent = formulaic_matrix(
        formula.replace("resin", "C(resin, contr.sum)").replace("exp", "np.exp"),
        coded,
        context={"np": np},
    )
    by_value = sorted(np.round(ours.to_numpy().T, 9).tolist())
    np.testing.assert_allclose(
        by_value, sorted(np.round(np.asarray(independent).T, 9).tolist()), atol=1e-8
    )


def test_columns_are_named_as_people_read_them():
    matrix = model_matrix(parse_terms("pH*temperature + resin + I(pH**2)", PROCESS), RUNS, PROCESS)

    assert list(matrix.columns) == [
        "Intercept",
        "pH",
        "temperature",
        "resin[A]",
        "resin[B]",
        "pH:temperature",
        "pH^2",
    ]


def test_categorical_columns_sum_to_zero_over_the_levels():
    matrix = model_matrix(parse_terms("resin", PROCESS), RUNS.head(3), PROCESS)

    assert matrix["resin[A]"].tolist() == [1.0, 0.0, -1.0]
    assert matrix["resin[B]"].tolist() == [0.0, 1.0, -1.0]


def test_a_log_factor_enters_a_model_by_its_ratios():
    matrix = model_matrix(parse_terms("feed", PROCESS), RUNS.head(3), PROCESS)

    np.testing.assert_allclose(matrix["feed"], [-1.0, 0.0, 1.0], atol=1e-12)


AWKWARD = ("C", "I", "1", "0", "NO3-", "start wet mass", "feed (mM)", "log", "log(x)", "a:b", "in")


@pytest.mark.parametrize("name", [*AWKWARD, "A^2", "Intercept", "x[1]", "a.b", "Q", "größe", "-1"])
def test_no_name_of_a_factor_means_anything_to_the_notation(name):
    space = FactorSpace((ContinuousFactor(name, 0, 2), ContinuousFactor("other", 0, 2)))
    runs = pd.DataFrame({name: [0.0, 1.0, 2.0, 0.0], "other": [0.0, 0.0, 2.0, 1.0]})

    terms = parse_terms(f"`{name}`*other + I(`{name}`**2)", space)
    matrix = model_matrix(terms, runs, space)

    assert [term.powers for term in terms.terms] == [
        (),
        ((name, 1),),
        (("other", 1),),
        ((name, 1), ("other", 1)),
        ((name, 2),),
    ]
    assert matrix.columns.is_unique
    np.testing.assert_allclose(matrix.iloc[:, 1], [-1.0, 0.0, 1.0, -1.0])
    np.testing.assert_allclose(matrix.iloc[:, 3], [1.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(matrix.iloc[:, 4], [1.0, 0.0, 1.0, 1.0])


def test_the_standard_models_can_be_written_for_awkward_names():
    space = FactorSpace(tuple(ContinuousFactor(name, 0, 1) for name in AWKWARD))
    k = len(AWKWARD)

    assert len(linear_terms(space).terms) == 1 + k
    assert len(interaction_terms(space).terms) == 1 + k + k * (k - 1) // 2
    assert len(quadratic_terms(space).terms) == 1 + 2 * k + k * (k - 1) // 2


@given(n_factors=st.integers(1, 8))
@settings(max_examples=8)
def test_a_standard_model_reads_the_same_from_its_own_formula(n_factors):
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1) for i in range(n_factors)))
    for build in (linear_terms, interaction_terms, quadratic_terms):
        terms = build(space)

        assert parse_terms(terms.formula, space) == terms


def test_only_factors_with_a_middle_take_a_square():
    space = FactorSpace(
        (
            ContinuousFactor("pH", 6, 8),
            ContinuousFactor("valve", 0, 1, step=1),
            DiscreteFactor("impellers", (1, 2)),
            DiscreteFactor("shift", (3, 4, 5)),
            CategoricalFactor("resin", ("A", "B")),
        )
    )

    squares = [t.name for t in quadratic_terms(space).terms if 2 in dict(t.powers).values()]

    assert squares == ["pH^2", "shift^2"]


@given(n_factors=st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_the_cubic_model_has_every_product_of_powers_up_to_three_once(n_factors):
    """A full polynomial of degree 3 in k variables has C(k + 3, 3) terms."""
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1) for i in range(n_factors)))

    terms = cubic_terms(space)

    exponents = {tuple(dict(t.powers).get(name, 0) for name in space.names) for t in terms.terms}
    expected = itertools.product(range(4), repeat=n_factors)
    assert exponents == {powers for powers in expected if sum(powers) <= 3}
    assert len(terms.terms) == len(exponents) == math.comb(n_factors + 3, 3)
    assert parse_terms(terms.formula, space) == terms


def test_factors_take_the_powers_that_their_settings_can_tell_apart():
    space = FactorSpace(
        (
            ContinuousFactor("pH", 6, 8),
            ContinuousFactor("valve", 0, 1, step=1),
            ContinuousFactor("shift", 3, 6, step=1.5),
            DiscreteFactor("impellers", (1, 2, 3, 4)),
            CategoricalFactor("resin", ("A", "B", "C")),
        )
    )
    terms = cubic_terms(space)

    largest = {name: max(dict(t.powers).get(name, 0) for t in terms.terms) for name in space.names}
    assert largest == {"pH": 3, "valve": 1, "shift": 2, "impellers": 3, "resin": 1}
    levels = itertools.product(
        (6.0, 6.5, 7.0, 8.0), (0.0, 1.0), (3.0, 4.5, 6.0), (1.0, 2.0, 3.0, 4.0), "ABC"
    )
    runs = pd.DataFrame(levels, columns=list(space.names))
    matrix = model_matrix(terms, runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1]


def test_a_cubic_model_of_a_mixture_is_left_to_scheffe():
    with pytest.raises(InvalidValueError, match="use scheffe_terms or cox_terms"):
        cubic_terms(mixture(3))


def test_a_mixture_model_has_blending_terms_and_no_intercept():
    """Scheffe (1958): a {q,2} model has q + q(q-1)/2 terms."""
    space = mixture(4)

    assert linear_terms(space).names == ("m0", "m1", "m2", "m3")
    assert len(quadratic_terms(space).terms) == 4 + 6
    assert not quadratic_terms(space).has_intercept


@pytest.mark.parametrize("build", [linear_terms, interaction_terms, quadratic_terms])
def test_all_terms_of_a_mixture_and_process_model_can_be_told_apart(build):
    space = mixture(3, ContinuousFactor("T", 20, 40), CategoricalFactor("buffer", ("P", "Q", "R")))
    shares = [p for p in itertools.product((0, 0.25, 0.5, 0.75, 1), repeat=3) if sum(p) == 1]
    runs = pd.DataFrame(
        [(*s, t, b) for s in shares for t in (20.0, 30.0, 40.0) for b in "PQR"],
        columns=list(space.names),
    )

    matrix = model_matrix(build(space), runs, space)

    assert np.linalg.matrix_rank(matrix.to_numpy()) == matrix.shape[1]


def test_the_quadratic_model_of_a_mixture_with_a_process_factor_is_the_published_one():
    """Kowalski, Cornell and Vining (2000): 3 linear, 3 blending, 3 crossed, 1 square."""
    terms = quadratic_terms(mixture(3, ContinuousFactor("T", 20, 40)))

    assert sorted(terms.names) == sorted(
        ["m0", "m1", "m2", "m0:m1", "m0:m2", "m1:m2", "m0:T", "m1:T", "m2:T", "T^2"]
    )


@given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_model_matrix_does_not_depend_on_units(factor, seed):
    values = np.random.default_rng(seed).uniform(2, 5, size=(6, 2))
    matrices = []
    for scale in (1.0, factor):
        space = FactorSpace(
            (
                ContinuousFactor("a", 2 * scale, 5 * scale),
                ContinuousFactor("b", 2 * scale, 5 * scale, scale="log"),
            )
        )
        runs = pd.DataFrame(values * scale, columns=["a", "b"])
        matrices.append(model_matrix(quadratic_terms(space), runs, space).to_numpy())

    np.testing.assert_allclose(matrices[0], matrices[1], atol=1e-9)


def test_two_spellings_of_a_term_are_one_term():
    terms = parse_terms("pH:pH + I(pH*pH) + I( pH ** 2 ) + I(pH^2) + I(pH)", PROCESS)

    assert terms.names == ("Intercept", "pH", "pH^2")


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        ("C(pH)", "calls 'C'"),
        ("__import__('os')", "calls '__import__'"),
        ("I(__import__('os'))", "cannot be read"),
        ("{pH + 1}", "cannot be read at character 1"),
        ("pH.real", "cannot be read at character 3"),
        ("pH['a']", "cannot be read"),
        ("yield ~ pH", "without the response"),
        ("pH | feed", "without the response"),
        ("2*pH", "numbers stand only as 0, 1 or a power"),
        ("pH**2", "write I\\(A\\*\\*2\\)"),
        ("pH**feed", "a power is a whole number"),
        ("pH* *feed", "needs a whole number"),
        ("(pH + feed)**99", "not one of 1 to"),
        ("pH feed", "lack an operator"),
        ("pH +", "lacks a side"),
        ("(pH", "not closed"),
        ("I(pH", "not closed"),
        ("log(pH, feed)", "gives 'log' 2 values"),
        ("pH + stirring", "'stirring', which is not a factor that is varied"),
        ("I(resin**2)", "'resin' is categorical"),
        ("I(3)", "names no factor"),
        ("pH - pH - 1", "leaves no term"),
        ("", "must be text"),
        ("+".join(["pH"] * 10_000), "shorten it"),
    ],
)
def test_a_formula_that_cannot_be_meant_is_refused_with_its_fault(formula, complaint):
    with pytest.raises(ExpressionError, match=complaint):
        parse_terms(formula, PROCESS)


def test_what_is_recorded_and_not_varied_is_no_term():
    space = FactorSpace((ContinuousFactor("pH", 6, 8), BlockFactor("vessel")))

    with pytest.raises(ExpressionError, match="'vessel', which is not a factor that is varied"):
        parse_terms("pH + vessel", space)


def test_a_formula_that_names_millions_of_terms_is_refused_at_once():
    with pytest.raises(ExpressionError, match=str(MAX_TERMS)):
        parse_formula("*".join(f"x{i}" for i in range(40)))


def test_long_and_deep_formulas_are_read():
    assert len(parse_formula(" + ".join(f"x{i}" for i in range(1500)))) == 1501
    assert len(parse_formula("(" * 5000 + "x" + ")" * 5000)) == 2


def test_a_logarithm_of_a_coded_column_is_refused_where_it_is_undefined():
    with pytest.raises(ExpressionError, match="give the factor scale='log'"):
        model_matrix(parse_terms("log(pH)", PROCESS), RUNS, PROCESS)


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [("resin", "Z", "one of A, B, C"), ("pH", np.nan, "a finite number")],
)
def test_a_run_with_an_unusable_setting_is_refused(column, value, complaint):
    runs = RUNS.copy()
    runs.loc[1, column] = value

    with pytest.raises(InvalidValueError, match=complaint):
        model_matrix(linear_terms(PROCESS), runs, PROCESS)
