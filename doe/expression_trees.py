"""The tree of an arithmetic expression, and its value on arrays."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np

from doe.arrays import FloatArray

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "log": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
}
Operator = Literal["add", "subtract", "multiply", "divide", "raised"]


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A column: a factor or a response."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """The operand with its sign changed."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and what is done with them."""

    operator: Operator
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of ``FUNCTIONS`` with its arguments."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Name | Negative | Binary | Call


def names_in(node: Node) -> Iterator[str]:
    """Yield the columns that a tree reads, as often as it reads them."""
    match node:
        case Number():
            return
        case Name(name):
            yield name
        case Negative(operand):
            yield from names_in(operand)
        case Binary(_, left, right):
            yield from names_in(left)
            yield from names_in(right)
        case Call(_, arguments):
            for argument in arguments:
                yield from names_in(argument)
        case _:
            assert_never(node)


def evaluate(
    node: Node, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> Any:
    """Return the value of a tree for each row.

    Args:
        node: The tree.
        values: Arrays of one common shape, by column name.
        functions: The functions by name, so that other array libraries can take part.
    """
    match node:
        case Number(value):
            return value
        case Name(name):
            return values[name]
        case Negative(operand):
            return -evaluate(operand, values, functions)
        case Binary(operator, left, right):
            return _combine(
                operator, evaluate(left, values, functions), evaluate(right, values, functions)
            )
        case Call(function, arguments):
            return functions[function](*(evaluate(a, values, functions) for a in arguments))
        case _:
            assert_never(node)


def magnitude(node: Node, values: Mapping[str, Any], sizes: Mapping[str, Any]) -> FloatArray:
    """Return what the rounding error of a tree's value is relative to, for each row.

    It is the change of the value, to first order, when each column changes by its size. The value
    itself will not do: that of ``a - b`` near zero says nothing about a and b.

    Args:
        node: The tree.
        values: Arrays of one common shape, by column name.
        sizes: How large the values of each column are, by column name.
    """
    value, size = _with_size(node, values, sizes)
    return np.asarray(np.where(np.isfinite(size), size, np.abs(value)), dtype=np.float64)


def _with_size(node: Node, values: Mapping[str, Any], sizes: Mapping[str, Any]) -> tuple[Any, Any]:
    match node:
        case Number(value):
            return np.float64(value), abs(value)
        case Name(name):
            return values[name], np.maximum(np.abs(values[name]), sizes[name])
        case Negative(operand):
            value, size = _with_size(operand, values, sizes)
            return -value, size
        case Binary(operator, left, right):
            a, size_a = _with_size(left, values, sizes)
            b, size_b = _with_size(right, values, sizes)
            return _combine(operator, a, b), _combined_size(operator, a, size_a, b, size_b)
        case Call(function, arguments):
            parts = [_with_size(argument, values, sizes) for argument in arguments]
            value = FUNCTIONS[function](*(part[0] for part in parts))
            return value, _called_size(function, parts[0][0], value, [part[1] for part in parts])
        case _:
            assert_never(node)


def _combined_size(operator: Operator, a: Any, size_a: Any, b: Any, size_b: Any) -> Any:
    match operator:
        case "add" | "subtract":
            return np.maximum(size_a, size_b)
        case "multiply":
            return np.abs(a) * size_b + np.abs(b) * size_a
        case "divide":
            return (size_a + np.abs(a / b) * size_b) / np.abs(b)
        case "raised":
            return np.abs(a**b) * (1 + np.abs(b) * size_a / np.abs(a))
        case _:
            assert_never(operator)


def _called_size(function: str, argument: Any, value: Any, sizes: list[Any]) -> Any:
    match function:
        case "log" | "log10":
            return np.abs(value) + sizes[0] / np.abs(argument)
        case "exp":
            return value * np.maximum(1.0, sizes[0])
        case "sqrt":
            return value + sizes[0] / value
        case _:
            return np.max(np.broadcast_arrays(*sizes), axis=0)


def _combine(operator: Operator, left: Any, right: Any) -> Any:
    # Two plain constants are Python floats: numpy's rules (inf, NaN) hold for them as well.
    if isinstance(left, float) and isinstance(right, float):
        left = np.float64(left)
    match operator:
        case "add":
            return left + right
        case "subtract":
            return left - right
        case "multiply":
            return left * right
        case "divide":
            return left / right
        case "raised":
            return left**right
        case _:
            assert_never(operator)
