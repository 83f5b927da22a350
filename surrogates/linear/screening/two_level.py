"""All effects that the runs of a two-level design can tell apart, with their aliases."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, MixtureComponent
from doe.terms import INTERCEPT, Term, Terms
from surrogates.linear.model import fit_linear
from surrogates.linear.screening.curvature import with_curvature
from surrogates.linear.screening.effects import Effects, effects
from surrogates.linear.term_formulas import terms_from

if TYPE_CHECKING:
    from doe.responses import Transform
    from doe.runs import Observations
    from surrogates.linear.model import LinearModel
    from surrogates.transforms import ResponseTransform

MAX_PRODUCTS = 20_000
# A product that the earlier effects explain by more than a tenth would blur theirs.
OWN_SHARE = 0.9
# Correlations nearer to 1 than this are aliases; those below it, none.
SAME = 1e-6
# Coded settings, relative to the largest, within this of -1, 0 or 1 are two levels and a middle.
LEVEL_TOLERANCE = 0.1


def two_level_effects(
    observations: "Observations",
    response: str,
    *,
    level: float = 0.95,
    alias_order: int = 2,
    transform: "Transform | ResponseTransform | None" = None,
) -> Effects:
    """Return the effects of a two-level design, as many as its runs can tell apart.

    Main effects come first, then interactions of two factors, of three, and so on, as far as they
    are clear of the earlier ones and of the blocks. In a regular fraction every effect stands for
    all that are aliased with it; ``aliases`` names those of up to ``alias_order`` factors.
    Interactions that are aliased in part (Plackett-Burman designs) stay in the noise, and a note
    says so. Where there are runs at the centre, ``curvature`` is how far the corners lie from it,
    and t and F are against the pure error of replicates, if there are any.

    Args:
        observations: Runs at two settings of each factor, and at the centre.
        response: A measured response.
        level: Confidence of all limits.
        alias_order: Largest number of factors of the aliases that are named.
        transform: The scale on which the response is modelled; the response's own when absent.

    Raises:
        InvalidValueError: If a factor has other than two levels and a middle, or is a component.
        TooFewDataError: If there are too few runs for the main effects.

    Source:
        Box, Hunter and Hunter (2005), Statistics for Experimenters, 2nd ed., chapters 5 and 6.
    """
    main = fit_linear(observations, response, "linear", transform=transform)
    columns = _main_columns(main)
    terms, search = _clear_terms(main, columns)
    model = main.refit(terms)
    numeric = [
        column
        for name, column in columns.items()
        if not isinstance(model.space.factor(name), CategoricalFactor)
    ]
    beside = with_curvature(model, numeric)
    if beside is None:
        found = effects(model, level=level)
    else:
        model, noise, curvature = beside
        found = effects(model, level=level, noise=noise)
        note = curvature.sentence(found.unit)
        found = replace(
            found, curvature=curvature, noise=curvature.noise, notes=(*found.notes, note)
        )
    aliases = _aliases(search, columns, model, alias_order)
    rows = tuple(replace(e, aliases=tuple(aliases.get(e.name, ()))) for e in found.effects)
    return replace(found, effects=rows, notes=(*found.notes, *search.notes))


@dataclass
class _Search:
    """The columns found so far, and what has to be said about the others."""

    basis: FloatArray
    columns: dict[str, FloatArray] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=lambda: [Term()])
    notes: tuple[str, ...] = ()

    def take(self, term: Term, column: FloatArray) -> bool:
        """Take a column in when it is clear enough of those before, and return whether."""
        rest = column - self.basis @ (self.basis.T @ column)
        if rest @ rest < OWN_SHARE * (column @ column) or not column.any():
            return False
        self.add(term, column)
        return True

    def add(self, term: Term, column: FloatArray) -> None:
        """Take a column in."""
        rest = column - self.basis @ (self.basis.T @ column)
        rest = rest - self.basis @ (self.basis.T @ rest)
        self.basis = np.column_stack([self.basis, rest / np.linalg.norm(rest)])
        self.columns[term.name] = column
        self.terms.append(term)


def _main_columns(model: "LinearModel") -> dict[str, FloatArray]:
    """Return per factor its column, +1 at the high level, shape ``(n_runs,)`` each.

    Raises:
        InvalidValueError: If a factor has other than two levels and a middle.
    """
    matrix, places = model.matrix.to_numpy(dtype=np.float64), model.term_places()
    found = {}
    for factor in model.space.searched:
        if isinstance(factor, CategoricalFactor) and len(factor.levels) != 2:
            raise InvalidValueError(
                f"Factor '{factor.name}' has {len(factor.levels)} levels; effects of two-level "
                "designs need two. Fit a model and look at its effects instead."
            )
        if isinstance(factor, MixtureComponent) or factor.name not in places:
            raise InvalidValueError(
                f"Factor '{factor.name}' is a mixture component, or cannot be told apart from the "
                "others in these runs, so it has no effect of its own: fit a model and look at its "
                "coefficients instead."
            )
        column = matrix[:, places[factor.name][0]]
        _check_levels(factor.name, column)
        found[factor.name] = -column if isinstance(factor, CategoricalFactor) else column
    return found


def _check_levels(name: str, column: FloatArray) -> None:
    sizes = np.abs(column) / np.abs(column).max()
    if ((sizes > LEVEL_TOLERANCE) & (sizes < 1 - LEVEL_TOLERANCE)).any():
        raise InvalidValueError(
            f"Factor '{name}' has coded settings from {column.min():.3g} to {column.max():.3g} and "
            "others between; effects of two-level designs need two levels of it, and a middle at "
            "most. Fit a model and look at its effects instead."
        )


def _clear_terms(model: "LinearModel", columns: dict[str, FloatArray]) -> tuple[Terms, "_Search"]:
    ones = np.ones((model.n_runs, 1))
    basis = np.linalg.qr(np.hstack([ones, model.block_matrix]))[0]
    search = _Search(basis)
    most = len(np.unique(np.column_stack(list(columns.values())).round(1), axis=0))
    products = _products(columns, len(columns))
    for term, column in products:
        if len(search.terms) >= most:
            break
        if not search.take(term, column) and term.order == 1:
            # Main effects are wanted even where they are correlated.
            search.add(term, column)
    blurred = [
        term.name
        for term, column in products
        if term.order == 2 and term.name not in search.columns
        if not _twins(column, search.columns)
    ]
    if blurred:
        search.notes = (
            f"{len(blurred)} interactions of two factors are aliased in part with these effects or "
            f"blocks ({', '.join(blurred[:3])}{', ...' if len(blurred) > 3 else ''}): where one is "
            "active it is in them and in the noise.",
        )
    return terms_from(search.terms, model.space), search


def _products(columns: dict[str, FloatArray], largest: int) -> "list[tuple[Term, FloatArray]]":
    found = []
    for order in range(1, largest + 1):
        for names in combinations(columns, order):
            product = np.prod([columns[name] for name in names], axis=0)
            found.append((Term(tuple((name, 1) for name in names)), product))
            if len(found) > MAX_PRODUCTS:
                return found
    return found


def _twins(column: FloatArray, columns: dict[str, FloatArray]) -> list[str]:
    """Return the columns that are this one or its opposite, with their sign."""
    centred = column - column.mean()
    size = np.linalg.norm(centred)
    if size <= SAME * np.sqrt(len(column)):
        return [INTERCEPT]
    found = []
    for name, other in columns.items():
        rest = other - other.mean()
        share = float(centred @ rest) / float(size * np.linalg.norm(rest))
        if abs(share) > 1 - SAME:
            found.append(f"{'-' if share < 0 else '+'}{name}")
    return found


def _aliases(
    search: "_Search", columns: dict[str, FloatArray], model: "LinearModel", largest: int
) -> dict[str, list[str]]:
    taken = {term.name for term in model.terms.terms}
    found: dict[str, list[str]] = {}
    for term, column in _products(columns, min(largest, len(columns))):
        if term.name in taken:
            continue
        for twin in _twins(column, search.columns):
            if twin != INTERCEPT:
                sign = "-" if twin.startswith("-") else ""
                found.setdefault(twin[1:], []).append(f"{sign}{term.name}")
    return found
