"""The grammar of expressions, against Python's own parser and numpy's arithmetic."""

import ast
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import ExperimentError, ExpressionError
from doe.expressions import FUNCTIONS, parse_comparison, parse_expression, quoted
from tests.doe.strategies import names

COLUMNS = {
    "a": np.array([1.5, -2.0, 0.0]),
    "b": np.array([0.25, 3.0, 7.0]),
    "c_1": np.array([10.0, -0.5, 2.0]),
}

_NUMBERS = st.sampled_from(["0", "1", "2", "3.5", ".5", "2.", "1e2", "2.5E-1"])
_ATOMS = _NUMBERS | st.sampled_from(sorted(COLUMNS))


@st.composite
def _combined(draw: st.DrawFn, parts: st.SearchStrategy[str]) -> str:
    """Texts with few brackets, so that the rules of precedence decide."""
    first, second = draw(parts), draw(parts)
    kind = draw(st.sampled_from(["+", "-", "*", "/", "**", "neg", "pos", "()", "call", "pair"]))
    match kind:
        case "neg":
            return f"-{first}"
        case "pos":
            return f"+{first}"
        case "()":
            return f"({first})"
        case "call":
            return f"{draw(st.sampled_from(['log', 'log10', 'exp', 'sqrt', 'abs']))}({first})"
        case "pair":
            return f"{draw(st.sampled_from(['min', 'max']))}({first}, {second})"
        case operator:
            space = draw(st.sampled_from(["", " "]))
            return f"{first}{space}{operator}{space}{second}"


def texts() -> st.SearchStrategy[str]:
    return st.recursive(_ATOMS, _combined, max_leaves=10)


def numpy_value(node: ast.AST) -> Any:
    """Evaluate Python's own reading of the text; shares no code with the product."""
    match node:
        case ast.Expression(body):
            return numpy_value(body)
        case ast.Constant(value):
            return np.float64(value)
        case ast.Name(name):
            return COLUMNS[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -numpy_value(operand)
        case ast.UnaryOp(ast.UAdd(), operand):
            return numpy_value(operand)
        case ast.BinOp(left, operator, right):
            functions = {
                ast.Add: np.add,
                ast.Sub: np.subtract,
                ast.Mult: np.multiply,
                ast.Div: np.divide,
                ast.Pow: np.power,
            }
            return functions[type(operator)](numpy_value(left), numpy_value(right))
        case ast.Call(ast.Name(name), arguments):
            function = {"min": np.minimum, "max": np.maximum}.get(name) or getattr(np, name)
            return function(*(numpy_value(argument) for argument in arguments))
        case _:
            raise AssertionError(ast.dump(node))


@given(texts())
def test_an_expression_means_what_python_and_numpy_make_of_it(text):
    with np.errstate(all="ignore"):
        expected = numpy_value(ast.parse(text, mode="eval"))

    np.testing.assert_array_equal(parse_expression(text).evaluate(COLUMNS), expected)


@given(texts())
def test_a_hat_is_a_power(text):
    powered = parse_expression(text.replace("**", "^"))

    assert powered.node == parse_expression(text).node


@given(st.text(max_size=60) | st.text("ab1.+-*/^()`, <>=e_", max_size=40))
def test_any_text_is_read_or_refused_with_an_expression_error(text):
    read = text
    with suppress(ExpressionError):
        read = parse_expression(text).text

    assert read == text


@given(names(), names())
def test_any_name_can_stand_in_an_expression_when_quoted(first, second):
    expression = parse_expression(f"{quoted(first)} * 2 + log({quoted(second)})")

    assert expression.names == tuple(dict.fromkeys([first, second]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512.0),
        ("8 / 4 / 2", 1.0),
        ("7 - 4 - 2", 1.0),
        ("--2", 2.0),
        ("2 * -3", -6.0),
        ("min(3, max(1, 2))", 2.0),
    ],
)
def test_operators_bind_as_in_arithmetic(text, value):
    assert parse_expression(text).evaluate({}) == value


def test_names_are_listed_once_in_order_of_appearance():
    assert parse_expression("b * `feed rate` + log(a) - b").names == ("b", "feed rate", "a")


def test_division_by_zero_and_logarithms_of_nothing_follow_ieee_754():
    values = {"x": np.array([0.0, -1.0])}

    assert parse_expression("1 / x").evaluate(values)[0] == np.inf
    assert parse_expression("1 / 0").evaluate({}) == np.inf
    assert np.isnan(parse_expression("log(x)").evaluate(values)[1])
    assert np.isnan(parse_expression("x ** 0.5").evaluate(values)[1])


def test_whole_number_columns_take_negative_powers():
    np.testing.assert_array_equal(
        parse_expression("x ** -1").evaluate({"x": np.array([1, 2, 4])}), [1.0, 0.5, 0.25]
    )


def test_other_array_libraries_can_bring_their_functions():
    functions = {name: lambda *_, name=name: name for name in FUNCTIONS}

    assert parse_expression("exp(a)").evaluate(COLUMNS, functions=functions) == "exp"


@pytest.mark.parametrize(
    "text",
    [
        "a.real",
        "a.__class__",
        "__import__('os')",
        "a[0]",
        "(lambda: 1)()",
        "a if b else c_1",
        "a; b",
        "a == b",
        "a = b",
        "'text'",
        "a & b",
        "a // b",
        "a % b",
        "a < b",
        "print(a)",
        "eval(a)",
    ],
)
def test_nothing_but_arithmetic_is_read(text):
    with pytest.raises(ExpressionError):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a +", ["'a +'", "cannot be read", "Expected"]),
        ("2 3", ["character 3"]),
        ("a $ b", ["character 3", "backticks"]),
        ("sin(a)", ["'sin'", "Available", "log10"]),
        ("min(a)", ["'min'", "1 values", "takes 2"]),
        ("log(a, b)", ["'log'", "2 values", "takes 1"]),
        ("a <= b", ["is a comparison", "remove"]),
        ("1e999 * a", ["too large", "1e999"]),
        ("", ["must be text", "''"]),
        ("   ", ["must be text"]),
        (None, ["must be text", "None"]),
        (3.5, ["must be text", "3.5"]),
        (["a"], ["must be text"]),
        ("a" * 2001, ["2001 characters", "at most 2000"]),
        ("-" * 1000 + "1", ["nested more than 200"]),
        ("+".join(["1"] * 900), ["nested more than 200"]),
        ("log(" * 300 + "1" + ")" * 300, ["nested more than 200"]),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(text, parts):
    with pytest.raises(ExpressionError) as refusal:
        parse_expression(text)

    assert all(part in str(refusal.value) for part in parts), refusal.value
    assert isinstance(refusal.value, ExperimentError)
    assert isinstance(refusal.value, ValueError)


def test_brackets_alone_do_not_count_as_nesting():
    assert parse_expression("(" * 900 + "a" + ")" * 900).evaluate(COLUMNS) is COLUMNS["a"]


def test_a_missing_column_is_named_together_with_those_there_are():
    with pytest.raises(ExpressionError, match=r"reads \['titre'\].*'a', 'b'"):
        parse_expression("titre / a").evaluate({"a": np.ones(1), "b": np.ones(1)})


def test_a_comparison_keeps_its_smaller_side_first():
    at_most, at_least = parse_comparison("a <= 2 * b"), parse_comparison("a >= 2 * b")

    np.testing.assert_allclose(at_most.slack(COLUMNS), 2 * COLUMNS["b"] - COLUMNS["a"])
    np.testing.assert_allclose(at_least.slack(COLUMNS), COLUMNS["a"] - 2 * COLUMNS["b"])
    assert at_least.names == ("b", "a")


def test_a_value_is_no_comparison():
    with pytest.raises(ExpressionError, match="not a comparison: write one with"):
        parse_comparison("a + b")


def test_a_comparison_outside_a_function_s_domain_is_not_met():
    comparison = parse_comparison("log(a) <= 5")

    assert comparison.holds(COLUMNS).tolist() == [True, False, False]


@given(
    st.floats(1e-12, 1e12),
    st.floats(0.1, 10.0),
    st.floats(-1.0, 1.0).filter(lambda x: abs(abs(x) - 1e-9) > 1e-10),
)
def test_whether_a_comparison_holds_does_not_depend_on_the_unit(unit, limit, excess):
    """The same amounts in another unit: 5 nmol/L and 5e-9 mol/L are judged alike."""
    base = {"a": np.array([limit + excess]), "b": np.array([0.5])}
    scaled = {name: values * unit for name, values in base.items()}
    sizes = {"a": np.array([20.0]), "b": np.array([1.0])}
    scaled_sizes = {name: size * unit for name, size in sizes.items()}

    holds = parse_comparison(f"a - b <= {limit - 0.5!r}").holds(base, sizes=sizes)
    holds_scaled = parse_comparison(f"a - b <= {(limit - 0.5) * unit!r}").holds(
        scaled, sizes=scaled_sizes
    )

    assert holds == holds_scaled


@settings(max_examples=30)
@given(st.sampled_from(["a * b", "a / b", "a ** 2", "sqrt(a)", "log(a)", "exp(a)", "max(a, b)"]))
def test_rounding_errors_of_the_columns_are_forgiven_and_more_is_not(text):
    values = {"a": np.array([2.0]), "b": np.array([3.0])}
    at_limit = float(parse_expression(text).evaluate(values)[0])
    comparison = parse_comparison(f"{text} <= {at_limit!r}")
    sizes = {"a": np.array([2.0]), "b": np.array([3.0])}

    for part in ("a", "b"):
        rounded = {**values, part: values[part] * (1 + 4e-10)}
        assert comparison.holds(rounded, sizes=sizes).all()
    for part in comparison.names:
        beyond = {name: np.asarray(v * (1 + 1e-6)) for name, v in values.items()}
        if parse_expression(text).evaluate(beyond)[0] > at_limit * (1 + 1e-8):
            assert not comparison.holds(beyond, sizes=sizes).any(), part
