"""Arithmetic that users write: parsed by a grammar, evaluated on arrays, never by Python's eval.

Grammar: ``+ - * / **`` (or ``^``), brackets, numbers, names, and the functions in ``FUNCTIONS``.
A name that is not a plain identifier stands in backticks: ```start wet mass` * 2``.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import ExpressionError
from doe.expression_trees import (
    FUNCTIONS,
    Binary,
    Call,
    Name,
    Negative,
    Node,
    Number,
    evaluate,
    magnitude,
    names_in,
)

if TYPE_CHECKING:
    from lark import Lark, ParseTree

MAX_LENGTH = 2_000
MAX_DEPTH = 200

_N_ARGUMENTS = {"min": 2, "max": 2}

# Not str.isidentifier, which also takes signs and combining marks that \w does not match.
_PLAIN_NAME = r"[^\W\d]\w*"
_GRAMMAR = rf"""
?start: comparison | sum
comparison: sum COMPARE sum
?sum: product | sum "+" product -> add | sum "-" product -> subtract
?product: signed | product "*" signed -> multiply | product "/" signed -> divide
?signed: power | "-" signed -> negative | "+" signed
?power: atom | atom ("**" | "^") signed -> raised
?atom: NUMBER -> number
     | CNAME_UNICODE "(" sum ("," sum)* ")" -> call
     | CNAME_UNICODE -> name
     | QUOTED -> quoted
     | "(" sum ")"
COMPARE: "<=" | ">="
CNAME_UNICODE: /{_PLAIN_NAME}/
QUOTED: /`[^`]+`/
NUMBER: /(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/
%ignore /[ \t]+/
"""


@dataclass(frozen=True, slots=True)
class Expression:
    """An arithmetic expression of named columns.

    Attributes:
        text: As the user wrote it.
        node: The parsed tree.
    """

    text: str
    node: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the expression reads, in order of first appearance."""
        return tuple(dict.fromkeys(names_in(self.node)))

    def evaluate(
        self,
        values: Mapping[str, Any],
        *,
        functions: Mapping[str, Callable[..., Any]] = FUNCTIONS,
    ) -> Any:
        """Return the value for each row.

        Outside its domain (a logarithm of zero) the result is NaN or infinite, as in IEEE 754;
        the caller decides what that means.

        Args:
            values: Arrays of one common shape, by column name.
            functions: The functions to use, so that other array libraries can take part.

        Raises:
            ExpressionError: If a column is missing.
        """
        missing = [name for name in self.names if name not in values]
        if missing:
            raise ExpressionError(
                f"Expression '{self.text}' reads {missing}, which is not among "
                f"{sorted(map(str, values))}: correct the name or add the column."
            )
        # Whole numbers have no negative powers in numpy.
        columns = {
            name: values[name].astype(np.float64)
            if isinstance(values[name], np.ndarray) and values[name].dtype.kind in "biu"
            else values[name]
            for name in self.names
        }
        with np.errstate(all="ignore"):
            return evaluate(self.node, columns, functions)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two expressions of which the left must stay at or below the right.

    Attributes:
        text: As the user wrote it; ``a >= b`` is kept as ``b <= a``.
        smaller: The side that must not exceed the other.
        larger: The other side.
    """

    text: str
    smaller: Expression
    larger: Expression

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that either side reads."""
        return tuple(dict.fromkeys((*self.smaller.names, *self.larger.names)))

    def slack(self, values: Mapping[str, Any]) -> FloatArray:
        """Return larger minus smaller side, shape ``(n_rows,)``; negative where it is not met."""
        return np.asarray(
            self.larger.evaluate(values) - self.smaller.evaluate(values), dtype=np.float64
        )

    def holds(
        self,
        values: Mapping[str, Any],
        *,
        tolerance: float = 1e-9,
        sizes: Mapping[str, Any] | None = None,
    ) -> BoolArray:
        """Return where the comparison is met; a value outside a function's domain is not.

        Args:
            values: Arrays of one common shape, by column name.
            tolerance: Relative rounding error that is forgiven.
            sizes: What it is relative to, per column; at least 1 where absent.
        """
        larger = np.asarray(self.larger.evaluate(values), dtype=np.float64)
        smaller = np.asarray(self.smaller.evaluate(values), dtype=np.float64)
        if sizes is None:
            sizes = {name: np.maximum(1.0, np.abs(values[name])) for name in self.names}
        with np.errstate(all="ignore"):
            size = np.maximum(
                magnitude(self.larger.node, values, sizes),
                magnitude(self.smaller.node, values, sizes),
            )
            met = larger - smaller >= -tolerance * size
        return np.asarray(met & np.isfinite(larger) & np.isfinite(smaller), dtype=np.bool_)


def parse_expression(text: str) -> Expression:
    """Read an arithmetic expression.

    Raises:
        ExpressionError: If the text does not follow the grammar, with the place of the fault.
    """
    return _parse_expression(_checked(text))


def parse_comparison(text: str) -> Comparison:
    """Read a comparison of two expressions with ``<=`` or ``>=``.

    Raises:
        ExpressionError: If the text does not follow the grammar, or is no comparison.
    """
    return _parse_comparison(_checked(text))


@lru_cache(maxsize=512)
def _parse_expression(text: str) -> Expression:
    tree = _parse(text)
    if tree.data == "comparison":
        raise ExpressionError(
            f"'{text}' is a comparison, but a value is needed here: remove '<=' or '>='."
        )
    return Expression(text, _node(tree, text, 0))


@lru_cache(maxsize=512)
def _parse_comparison(text: str) -> Comparison:
    tree = _parse(text)
    if tree.data != "comparison":
        raise ExpressionError(
            f"'{text}' is not a comparison: write one with '<=' or '>=', such as 'a * b <= 120'."
        )
    left, symbol, right = tree.children
    sides = Expression(text, _node(left, text, 0)), Expression(text, _node(right, text, 0))
    return Comparison(text, *(sides if str(symbol) == "<=" else sides[::-1]))


def quoted(name: str) -> str:
    """Return a column's name as it must stand in an expression."""
    is_plain = re.fullmatch(_PLAIN_NAME, name) is not None and name not in FUNCTIONS
    return name if is_plain else f"`{name}`"


@lru_cache(maxsize=1)
def _parser() -> "Lark":
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


def _checked(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(
            f"An expression must be text, got {text!r}: write something like 'titre - 2 * hcp'."
        )
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"Expression of {len(text)} characters; at most {MAX_LENGTH} are read: shorten it."
        )
    return text


def _parse(text: str) -> "ParseTree":
    from lark import Tree
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        place = error.column if isinstance(error.column, int) and error.column > 0 else len(text)
        raise ExpressionError(
            f"Expression '{text}' cannot be read at character {place}"
            f" (near '{text[max(0, place - 1) : place + 9]}'). Expected numbers, names, "
            f"+ - * / **, brackets or {', '.join(FUNCTIONS)}; names that contain other "
            "characters stand in `backticks`."
        ) from error
    # A lone name or number comes back as a bare tree of its own rule, never as a token.
    return tree if isinstance(tree, Tree) else Tree("start", [tree])


def _node(tree: Any, text: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ExpressionError(
            f"Expression '{text[:40]}...' is nested more than {MAX_DEPTH} deep: simplify it."
        )
    match tree.data:
        case "number":
            return _number(str(tree.children[0]), text)
        case "name":
            return Name(str(tree.children[0]))
        case "quoted":
            return Name(str(tree.children[0])[1:-1])
        case "negative":
            return Negative(_node(tree.children[0], text, depth + 1))
        case "call":
            return _call(tree, text, depth)
        case "signed":
            return _node(tree.children[0], text, depth + 1)
        case "add" | "subtract" | "multiply" | "divide" | "raised" as operator:
            left, right = tree.children
            return Binary(operator, _node(left, text, depth + 1), _node(right, text, depth + 1))
        case other:
            raise ExpressionError(f"Expression '{text}' has an unknown part '{other}'.")


def _number(digits: str, text: str) -> Number:
    value = float(digits)
    if not math.isfinite(value):
        raise ExpressionError(
            f"Expression '{text[:40]}' has the number {digits[:20]}, which is too large to compute "
            "with: use a smaller one."
        )
    return Number(value)


def _call(tree: Any, text: str, depth: int) -> Call:
    function, *arguments = tree.children
    name = str(function)
    if name not in FUNCTIONS:
        raise ExpressionError(
            f"Expression '{text}' calls '{name}', which does not exist here. "
            f"Available: {', '.join(FUNCTIONS)}."
        )
    expected = _N_ARGUMENTS.get(name, 1)
    if len(arguments) != expected:
        raise ExpressionError(
            f"Expression '{text}' gives '{name}' {len(arguments)} values; it takes {expected}."
        )
    return Call(name, tuple(_node(argument, text, depth + 1) for argument in arguments))
