"""Model formulas in Wilkinson's notation, such as ``A*B + I(A**2)``: which products they name.

formulaic reads the notation and nothing more. Names and calls are taken out of the text before it
sees them, so that no name (``C``, ``I``, ``NO3-``, ``1``) means anything to it, and no part of a
formula is ever evaluated as Python.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doe.errors import ExpressionError
from doe.expression_trees import FUNCTIONS, Name
from doe.expressions import Expression, parse_expression, quoted

if TYPE_CHECKING:
    from formulaic.parser.types import ASTNode, Token

Atom = Name | Expression
Product = tuple[Atom, ...]

MAX_LENGTH = 20_000
MAX_TERMS = 10_000
MAX_POWER = 20

_Products = dict[frozenset[int], None]
_INTERCEPT: _Products = {frozenset(): None}

_TOKEN = re.compile(
    r"""\s*(?:
      `(?P<quoted>[^`]+)`
    | (?P<call>[^\W\d]\w*)\s*\(
    | (?P<name>[^\W\d]\w*)
    | (?P<power>\*\*|\^)\s*(?P<exponent>\d+)
    | (?P<number>[01])(?![\w.])
    | (?P<sign>(?!\*\*)[-+*/:()])
    )""",
    re.VERBOSE,
)


def parse_formula(text: str) -> tuple[Product, ...]:
    """Read a formula; each product holds its parts once, and the intercept is the empty product.

    Raises:
        ExpressionError: If the text does not follow the notation, with what is wrong with it.
    """
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(
            f"A model formula must be text, got {text!r}: write something like 'pH*feed'."
        )
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"Model formula of {len(text)} characters; at most {MAX_LENGTH} are read: shorten it."
        )
    atoms: dict[object, Atom] = {}
    anonymous = _anonymous(text, atoms)
    products = _products(_syntax_tree(anonymous, text), text)
    listed = list(atoms.values())
    return tuple(tuple(listed[number] for number in sorted(product)) for product in products)


def formula_name(name: str) -> str:
    """Return a factor's name as it must stand in a formula."""
    return f"`{name}`" if name == "I" else quoted(name)


def _anonymous(text: str, atoms: dict[object, Atom]) -> str:
    """Return the formula with its names and calls numbered, and collect those in ``atoms``."""
    parts: list[str] = []
    place = 0
    while text[place:].strip():
        token = _TOKEN.match(text, place)
        if token is None:
            raise _unreadable(text, place)
        place = token.end()
        atom: Atom
        if token["call"] is not None:
            place, atom = _call(text, token["call"], token.start("call"), place)
        elif token["quoted"] is not None or token["name"] is not None:
            atom = Name(token["quoted"] or token["name"])
        else:
            parts.append(token[0])
            continue
        # Two spellings of one expression are one part, so the tree is the key and not the text.
        key = atom if isinstance(atom, Name) else ("expression", atom.node)
        atoms.setdefault(key, atom)
        parts.append(f" t{list(atoms).index(key)} ")
    return "".join(parts)


def _call(text: str, function: str, start: int, inside: int) -> tuple[int, Expression]:
    """Return where a call ends, and what it computes."""
    if function != "I" and function not in FUNCTIONS:
        raise ExpressionError(
            f"Formula '{text}' calls '{function}', which does not exist here. Available: I, "
            f"{', '.join(FUNCTIONS)}. To cross a factor of that name with a bracket, write "
            f"'{function}*(...)' or '{function}:(...)'."
        )
    end = _closing_bracket(text, inside)
    if function == "I":
        return end, parse_expression(text[inside : end - 1].strip())
    return end, parse_expression(text[start:end])


def _closing_bracket(text: str, inside: int) -> int:
    depth, is_quoted = 1, False
    for place in range(inside, len(text)):
        if text[place] == "`":
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            if depth == 0:
                return place + 1
    raise ExpressionError(f"Formula '{text}': a bracket is opened and not closed; close it.")


def _unreadable(text: str, place: int) -> ExpressionError:
    start = place + len(text[place:]) - len(text[place:].lstrip())
    hint = "names that contain other characters stand in `backticks`"
    if text[start].isdigit() or text[start] == ".":
        hint = "numbers stand only as 0, 1 or a power; a multiple or a sum stands in I(...)"
    elif text[start] in "~|":
        hint = "write only the terms, without the response"
    elif text.startswith(("**", "^"), start):
        hint = "a power is a whole number"
    return ExpressionError(
        f"Formula '{text}' cannot be read at character {start + 1} (near "
        f"'{text[start : start + 10]}'): expected names, + - * : / ** and brackets; {hint}."
    )


def _syntax_tree(anonymous: str, text: str) -> "ASTNode[Token] | Token":
    from formulaic.errors import FormulaicError
    from formulaic.parser import DefaultFormulaParser

    try:
        tree: ASTNode[Token] | Token = DefaultFormulaParser().parse(anonymous, target="ast")
    except FormulaicError as error:
        raise ExpressionError(
            f"Formula '{text}' cannot be read: an operator lacks a side, two names lack an "
            "operator between them, or a bracket is not closed. Write something like 'pH*feed'."
        ) from error
    return tree


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A node of the syntax tree whose parts stand ready on the stack of results."""

    symbol: str
    n_parts: int
    exponent: int | None


def _products(tree: "ASTNode[Token] | Token", text: str) -> _Products:
    # Evaluated with a stack: a sum of a thousand terms is a tree a thousand deep.
    results: list[_Products] = []
    for step in _steps(tree, text):
        if isinstance(step, _Step):
            parts = [results.pop() for _ in range(step.n_parts)][::-1]
            results.append(_combined(step, parts, text))
        else:
            results.append(step)
    return results.pop()


def _steps(tree: "ASTNode[Token] | Token", text: str) -> Iterator[_Step | _Products]:
    """Yield leaves and operations so that every operation comes after its parts."""
    from formulaic.parser.types import ASTNode

    waiting: list[ASTNode[Token] | Token | _Step] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Step):
            yield node
        elif not isinstance(node, ASTNode):
            is_name = node.token.startswith("t")
            yield {frozenset({int(node.token[1:])}): None} if is_name else dict(_INTERCEPT)
        else:
            parts = list(node.args)
            symbol = "**" if node.operator.symbol == "^" else str(node.operator.symbol)
            exponent = _exponent(parts.pop(), text) if symbol == "**" else None
            waiting.append(_Step(symbol, len(parts), exponent))
            waiting.extend(reversed(parts))


def _exponent(token: object, text: str) -> int:
    if not str(token).isdecimal():
        raise ExpressionError(f"Formula '{text}' needs a whole number after ** or ^.")
    return int(str(token))


def _combined(step: _Step, parts: list[_Products], text: str) -> _Products:
    match step.symbol, parts:
        case "+", [left, right]:
            return left | right
        case "+", [only]:
            return only
        case "-", [left, right]:
            return {product: None for product in left if product not in right}
        case "-", [_]:
            return {}
        case ":", [left, right]:
            return _crossed(left, right, text)
        case "*", [left, right]:
            return left | right | _crossed(left, right, text)
        case "/", [left, right]:
            common = {frozenset[int]().union(*left): None}
            return left | _crossed(common, right, text)
        case "**", [base] if step.exponent is not None:
            return _power(base, step.exponent, text)
        case _:
            raise ExpressionError(
                f"Formula '{text}' uses '{step.symbol}' in a way that is not known here."
            )


def _power(base: _Products, exponent: int, text: str) -> _Products:
    if not 1 <= exponent <= MAX_POWER:
        raise ExpressionError(
            f"Formula '{text}': the power {exponent} is not one of 1 to {MAX_POWER}."
        )
    if exponent > 1 and len(base) == 1:
        raise ExpressionError(
            f"Formula '{text}' raises one term to the power {exponent}; in a formula that crosses "
            f"the term with itself and changes nothing. For a square or cube write I(A**{exponent})"
            "; for interactions write (A + B)**2."
        )
    result = base
    for _ in range(exponent - 1):
        result = _crossed(result, base, text)
    return result


def _crossed(left: _Products, right: _Products, text: str) -> _Products:
    crossed: _Products = {}
    for one in left:
        crossed |= {one | other: None for other in right}
        if len(crossed) > MAX_TERMS:
            raise ExpressionError(
                f"Formula '{text[:60]}' names more than {MAX_TERMS} terms: ask for lower-order "
                "interactions, such as (A + B + C)**2."
            )
    return crossed
