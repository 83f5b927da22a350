"""One setting or recorded value of a table, as its factor takes it."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import assert_never

from doe.errors import InvalidValueError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    Covariate,
    DiscreteFactor,
    Factor,
    MixtureComponent,
    Value,
    check_name,
)
from doe.tables.cells import Cell, Decimal, in_quotes, is_missing, read_number, read_text
from doe.units import Conversion

TOLERANCE = 1e-9


def read_setting(
    factor: Factor, cell: Cell, change: Conversion, *, decimal: Decimal, is_sure: bool
) -> Value | None:
    """Return the value of a cell in the factor's unit, None where there is none.

    Ranges are not asked for: a table of the past may hold what is no longer allowed.

    Raises:
        InvalidValueError: If it is no number, or no level of the factor; with the nearest level.
    """
    match factor:
        case CategoricalFactor(levels=levels) | Context(levels=levels):
            return _level(cell, levels, f"level of '{factor.name}'")
        case BlockFactor():
            text = read_text(cell)
            if text is None or is_missing(text):
                return None
            check_name(text, f"level of '{factor.name}'")
            return text
        case DiscreteFactor() | ContinuousFactor() | MixtureComponent() | Covariate():
            number = read_number(cell, decimal, is_sure=is_sure)
            if number is None:
                return None
            value = change.apply(number)
            return _nearest_level(factor, value) if isinstance(factor, DiscreteFactor) else value
        case _:
            assert_never(factor)


def not_among(cell: Cell, choices: Sequence[str], noun: str) -> InvalidValueError:
    """Return the refusal of a text that is none of the choices, with the nearest one."""
    text = str(cell).strip()
    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(text.casefold(), list(folded), n=1)
    hint = f"did you mean '{folded[near[0]]}'? " if near else ""
    listed = ", ".join(f"'{choice}'" for choice in choices)
    return InvalidValueError(f"{in_quotes(cell)} is no {noun}: {hint}Expected {listed}")


def _level(cell: Cell, levels: tuple[str, ...], noun: str) -> str | None:
    text = read_text(cell)
    if text is None or text in levels:
        return text
    if is_missing(text):
        return None
    if isinstance(cell, int | float):
        # A spreadsheet stores the level '01' or '7.0' as the number 1 or 7.
        equal = [level for level in levels if _as_number(level) == float(cell)]
        if len(equal) == 1:
            return equal[0]
    raise not_among(cell, levels, noun)


def _nearest_level(factor: DiscreteFactor, value: float) -> float:
    nearest = min(factor.levels, key=lambda level: abs(level - value))
    if abs(nearest - value) <= TOLERANCE * max(1.0, abs(nearest)):
        return nearest
    unit = f" {factor.unit}" if factor.unit else ""
    listed = ", ".join(f"{level:g}" for level in factor.levels)
    raise InvalidValueError(
        f"{value:g}{unit} is no level of '{factor.name}': did you mean {nearest:g}? "
        f"Expected {listed}{unit}"
    )


def _as_number(level: str) -> float | None:
    try:
        return float(level)
    except ValueError:
        return None
