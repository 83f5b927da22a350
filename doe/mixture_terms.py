"""Models of mixtures: Scheffe's without an intercept, and Cox's about a reference blend.

The shares of a mixture add up to one, so that an intercept, all main effects and all squares cannot
be told apart. Scheffe's models leave out the intercept and the squares; Cox's keep them and tie the
coefficients together. Both describe the same surfaces.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import MixtureComponent, check_number
from doe.formulas import formula_name
from doe.space import FactorSpace
from doe.terms import INTERCEPT, Term, Terms, parse_terms

if TYPE_CHECKING:
    import pandas as pd

BlendingOrder = Literal["linear", "quadratic", "special cubic", "full cubic"]
CoxOrder = Literal["linear", "quadratic"]
ProcessModel = Literal["linear", "interactions"]


def scheffe_terms(
    space: FactorSpace, order: BlendingOrder = "quadratic", *, process: ProcessModel | None = None
) -> Terms:
    """Return Scheffe's polynomial in the shares of the components; it has no intercept.

    ``linear`` has a term for each component: its response when it is alone. ``quadratic`` adds the
    products of two, ``special cubic`` also of three, and ``full cubic`` also ``a b (a - b)`` for
    each two. The coefficients belong to shares of the total, not to pseudocomponents.

    Args:
        space: The mixture components, and the factors of the process where there are any.
        order: Of blending.
        process: How the factors of the process come in: every term of the mixture is crossed with
            their main effects (``linear``), or also with their two-factor interactions; left out
            where not given. ``quadratic_terms`` is smaller and has their squares.

    Raises:
        InvalidValueError: If there is no mixture, or no process to cross it with.

    Source:
        Scheffe (1958), J. Royal Statistical Society B 20, 344-360; crossed with process factors:
        Scheffe (1963), J. Royal Statistical Society B 25, 235-263, section 6; Cornell (2002),
        Experiments with Mixtures, 3rd ed., ch. 7.
    """
    names = [formula_name(name) for name in _components(space, "Scheffe's model")]
    _check_choice("order", order, get_args(BlendingOrder))
    blend = " + ".join(names)
    powers: dict[BlendingOrder, int] = {"linear": 1, "quadratic": 2}
    power = powers.get(order, 3)
    parts = [f"({blend})" if power == 1 else f"({blend})**{power}"]
    if order == "full cubic":
        parts += [f"{one}:{other}:I({one} - {other})" for one, other in combinations(names, 2)]
    return parse_terms(f"0 + {_crossed(' + '.join(parts), space, process)}", space)


def cox_terms(
    space: FactorSpace,
    reference: Mapping[str, float],
    order: CoxOrder = "quadratic",
    *,
    process: ProcessModel | None = None,
) -> Terms:
    """Return Cox's polynomial about a reference blend; its intercept is the response there.

    A coefficient says what happens when a component changes while the others keep the proportions
    that they have in the reference blend. The coefficients are tied together (``sum c_i s_i = 0``
    for shares ``s`` of the reference, and likewise for each row of the quadratic ones), so one
    component, that with the largest share, is left out: the columns ``I(a - s_a/s_k * k)`` are free
    of each other, and ``cox_coefficients`` gives back the coefficients of every component. With a
    pure component as reference this is the model with a slack variable.

    Args:
        space: The mixture components, and the factors of the process where there are any.
        reference: Amount of each component in the reference blend, in their unit.
        order: Of the polynomial.
        process: As for ``scheffe_terms``.

    Raises:
        InvalidValueError: If there is no mixture, the reference is no blend, or there is no process
            to cross it with.

    Source:
        Cox (1971), Biometrika 58, 155-159; Smith and Beckman (1998), J. Quality Technology 30 and
        Cornell (2002), Experiments with Mixtures, 3rd ed., on its estimation.
    """
    _check_choice("order", order, get_args(CoxOrder))
    contrasts = _contrasts(space, reference)
    if order == "linear":
        parts = ["1", *(_written([contrast]) for contrast in contrasts)]
    else:
        pairs = combinations_with_replacement(contrasts, 2)
        parts = ["1", *(_written([c]) for c in contrasts), *(_written(pair) for pair in pairs)]
    return parse_terms(_crossed(" + ".join(parts), space, process), space)


def cox_coefficients(
    space: FactorSpace, reference: Mapping[str, float], order: CoxOrder = "quadratic"
) -> "pd.DataFrame":
    """Return what turns estimates for ``cox_terms`` into Cox's coefficients of all components.

    The rows are the coefficients, the columns the terms of ``cox_terms``: this table times the
    estimates are the coefficients; on both sides of the estimates' covariance it gives theirs.

    Args:
        space: The mixture components.
        reference: As for ``cox_terms``.
        order: As for ``cox_terms``.

    Raises:
        InvalidValueError: As for ``cox_terms``.

    Source:
        Cox (1971), Biometrika 58, 155-159.
    """
    import pandas as pd

    terms = cox_terms(space, reference, order)
    contrasts = _contrasts(space, reference)
    components = [component.name for component in space.mixture]
    linear = [Term(((name, 1),)).name for name in components]
    rows = [INTERCEPT, *linear]
    table = {INTERCEPT: dict.fromkeys(rows, 0.0) | {INTERCEPT: 1.0}}
    weights = [_weights(contrast, components) for contrast in contrasts]
    for contrast, row in zip(contrasts, weights, strict=True):
        table[_named([contrast], space)] = dict(zip(linear, row.tolist(), strict=True))
    if order == "quadratic":
        for one, other in combinations_with_replacement(range(len(contrasts)), 2):
            name = _named([contrasts[one], contrasts[other]], space)
            table[name] = _products(weights[one], weights[other], components)
        rows += list(_products(weights[0], weights[0], components))
    filled = pd.DataFrame(table).reindex(index=rows, columns=list(terms.names))
    return filled.fillna(0.0)


# A component's share less a multiple of that of the component left out.
_Contrast = tuple[str, float, str]


def _contrasts(space: FactorSpace, reference: Mapping[str, float]) -> list[_Contrast]:
    components = _components(space, "Cox's model")
    amounts = _reference_amounts(space, reference)
    last = max(components, key=lambda name: amounts[name])
    return [
        # Fifteen digits write 0.1 / 0.2 and its like without rounding noise.
        (name, float(f"{amounts[name] / amounts[last]:.15g}"), last)
        for name in components
        if name != last
    ]


def _reference_amounts(space: FactorSpace, reference: Mapping[str, float]) -> dict[str, float]:
    components = [component.name for component in space.mixture]
    if not isinstance(reference, Mapping) or set(reference) != set(components):
        raise InvalidValueError(
            f"The reference blend must give an amount of each of {components}, got {reference!r}: "
            "name every component, zero where it is absent."
        )
    amounts = {name: check_number(reference[name], f"Reference '{name}'") for name in components}
    negative = [name for name in components if amounts[name] < 0]
    total = sum(amounts.values())
    if negative or abs(total - space.mixture_total) > 1e-9 * space.mixture_total:
        raise InvalidValueError(
            f"The reference blend {amounts} adds up to {total:g}, and its amounts must not be "
            f"negative and add up to {space.mixture_total:g} {space.mixture[0].unit}".rstrip()
            + ": correct them."
        )
    return amounts


def _written(contrasts: Sequence[_Contrast]) -> str:
    """Return a product of contrasts as it must stand in a formula."""
    inside = [_inside(contrast) for contrast in contrasts]
    if len(set(inside)) < len(inside):
        return f"I(({inside[0]})**2)"
    return ":".join(f"I({text})" for text in inside)


def _inside(contrast: _Contrast) -> str:
    name, ratio, last = contrast
    if ratio == 0:
        return formula_name(name)
    multiple = formula_name(last) if ratio == 1 else f"{ratio!r} * {formula_name(last)}"
    return f"{formula_name(name)} - {multiple}"


def _named(contrasts: Sequence[_Contrast], space: FactorSpace) -> str:
    return parse_terms(f"0 + {_written(contrasts)}", space).names[0]


def _weights(contrast: _Contrast, components: Sequence[str]) -> FloatArray:
    name, ratio, last = contrast
    return np.array([1.0 * (c == name) - ratio * (c == last) for c in components])


def _products(one: FloatArray, other: FloatArray, components: Sequence[str]) -> dict[str, float]:
    """Return the coefficient of each product of components in a product of contrasts."""
    both = np.outer(one, other)
    found = {Term(((name, 2),)).name: float(both[i, i]) for i, name in enumerate(components)}
    for i, j in combinations(range(len(components)), 2):
        name = Term(((components[i], 1), (components[j], 1))).name
        found[name] = float(both[i, j] + both[j, i])
    return found


def _crossed(mixture: str, space: FactorSpace, process: ProcessModel | None) -> str:
    if process is None:
        return mixture
    _check_choice("process", process, get_args(ProcessModel))
    others = [formula_name(f.name) for f in space.searched if not isinstance(f, MixtureComponent)]
    if not others:
        raise InvalidValueError(
            f"process is '{process}', but this space has mixture components only: leave it out."
        )
    effects = " + ".join(["1", *others])
    crossed = effects if process == "linear" or len(others) == 1 else f"({effects})**2"
    return f"({mixture}):({crossed})"


def _components(space: FactorSpace, model: str) -> list[str]:
    if not space.mixture:
        raise InvalidValueError(
            f"{model} is for mixture components, and this space has none: use linear_terms, "
            "interaction_terms or quadratic_terms."
        )
    return [component.name for component in space.mixture]


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidValueError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")
