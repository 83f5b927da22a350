"""From runs to a linear model: the checks, the columns, the blocks and the scale."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import CategoricalFactor
from doe.mixture_terms import scheffe_terms
from doe.named_models import model_terms
from doe.responses import Transform
from doe.runs import Observations, Origin
from doe.space import FactorSpace
from doe.terms import Terms, model_columns, model_matrix
from surrogates.learning_rows import Censored, LearningRows, learning_rows
from surrogates.linear.aliases import AliasedColumn, estimable_columns
from surrogates.linear.block_contrasts import BlockContrasts
from surrogates.linear.model import Blocks, LinearModel, ModelOrder
from surrogates.linear.solution import solve
from surrogates.linear.treatment import treatment_of
from surrogates.linear.wording import counted
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.mixed_models.mixed import MixedModel

Weights = Mapping[str, float] | Sequence[float]
IMPORTED: Origin = "imported"
# Settings closer than this share of their size are the same setting.
SAME = 1e-9
# Beyond such sizes powers of numbers overflow or vanish.
LARGEST = 1e60
NO_VALUES = np.empty(0)


def fit_observations(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms,
    *,
    blocks: Blocks,
    weights: Weights | None,
    transform: Transform | ResponseTransform | None,
    censored: Censored,
) -> "LinearModel | MixedModel":
    """Return the linear model of one response; see ``fit_linear``."""
    if blocks not in get_args(Blocks):
        raise InvalidValueError(
            f"blocks is {blocks!r}; expected one of {', '.join(get_args(Blocks))}."
        )
    rows = learning_rows(observations, response, censored=censored)
    weighing = _weights_of(weights, observations.runs, rows)
    if blocks == "random":
        from surrogates.linear.mixed_models.mixed import fit_mixed

        return fit_mixed(
            observations,
            response,
            terms,
            weights=weighing,
            transform=transform,
            censored=censored,
        )
    by_run = dict(zip(observations.runs, observations.origins, strict=True))
    model = fit_rows(
        rows,
        terms,
        blocks=blocks,
        weights=weighing,
        transform=transform,
        origins=tuple(by_run[run] for run in rows.runs),
    )
    return replace(model, treatment=treatment_of(observations, rows, censored=censored))


def fit_rows(
    rows: LearningRows,
    terms: ModelOrder | str | Terms,
    *,
    blocks: Blocks = "fixed",
    weights: FloatArray | None = None,
    transform: Transform | ResponseTransform | None = None,
    origins: tuple[Origin, ...] = (),
) -> LinearModel:
    """Return the linear model of rows by least squares.

    Args:
        rows: What to learn from.
        terms: As for ``fit_linear``.
        blocks: ``fixed`` or ``ignore``.
        weights: One per row; all 1 when absent.
        transform: As for ``fit_linear``.
        origins: How each run came to be; imported when absent.

    Raises:
        InvalidValueError: If a factor of the terms never varied, or always with another.
        TooFewDataError: If there are fewer runs than coefficients, or all values are the same.
    """
    asked = terms_of(terms, rows.space)
    scale = transform_of(transform, rows)
    values = scale.forward(rows.measured)
    _check_values(rows, values)
    whole = model_matrix(asked, rows.settings, rows.space)
    contrasts = _contrasts(rows, blocks)
    _check_size(rows, asked, whole.shape[1], len(contrasts.columns))
    _check_varied(asked, rows)
    matrix, contrasts, aliased = _estimable(whole, contrasts, rows)
    block_matrix = contrasts.matrix(rows.settings)
    weighing = np.ones(rows.n_rows) if weights is None else np.asarray(weights, dtype=np.float64)
    return LinearModel(
        rows=rows,
        terms=_fitted_terms(asked, rows.space, tuple(matrix.columns)),
        columns=tuple(str(name) for name in matrix.columns),
        aliased=aliased,
        matrix=matrix,
        block_contrasts=contrasts,
        block_matrix=block_matrix,
        transform=scale,
        values=values,
        weights=weighing,
        solution=solve(np.hstack([matrix.to_numpy(), block_matrix]), values, weighing),
        blocks=blocks,
        origins=origins or (IMPORTED,) * rows.n_rows,
    )


def terms_of(terms: ModelOrder | str | Terms, space: FactorSpace) -> Terms:
    """Return the terms that an order, a formula or terms stand for.

    Raises:
        ExpressionError: If a formula cannot be read.
        InvalidValueError: If it is nothing of these, or a mixture with process factors is asked
            for the cubic model.
    """
    if not isinstance(terms, str | Terms):
        raise InvalidValueError(
            f"terms is {terms!r}; expected {', '.join(get_args(ModelOrder))}, a formula or Terms."
        )
    if terms == "cubic" and space.mixture and len(space.mixture) == len(space.searched):
        return scheffe_terms(space, "full cubic")
    return model_terms(terms, space)


def transform_of(
    transform: Transform | ResponseTransform | None, rows: LearningRows
) -> ResponseTransform:
    """Return the scale on which a response is modelled, checked on its values.

    Raises:
        InvalidValueError: If there is no such scale, or a value has no place on it.
    """
    if isinstance(transform, ResponseTransform):
        return transform
    response = rows.response
    if transform is not None:
        response = replace(response, transform=transform)
    is_inverse = response.transform == "inverse"
    scale = (
        ResponseTransform("inverse") if is_inverse else ResponseTransform.of(response, NO_VALUES)
    )
    wrong = np.flatnonzero(~scale.accepts(rows.measured))
    if wrong.size:
        value = f"{rows.measured[wrong[0]]:g} {response.unit}".rstrip()
        raise InvalidValueError(
            f"Response '{response.name}' is modelled on the {response.transform} scale, which has "
            f"no place for {value} of run '{rows.runs[wrong[0]]}'; expected {scale.domain()}. "
            "Correct the value, or choose another scale (transform)."
        )
    return ResponseTransform.of(response, rows.measured)


def term_places(model: LinearModel) -> dict[str, tuple[int, ...]]:
    """Return for each term but the intercept the places of its columns in ``columns``."""
    found: dict[str, list[int]] = {}
    place = {name: i for i, name in enumerate(model.columns)}
    for column in model_columns(model.terms, model.space):
        if column.name in place and not column.term.is_intercept:
            found.setdefault(column.term.name, []).append(place[column.name])
    return {name: tuple(places) for name, places in found.items()}


def _contrasts(rows: LearningRows, blocks: Blocks) -> BlockContrasts:
    if blocks == "ignore":
        return BlockContrasts.none(rows.space, rows.settings)
    return BlockContrasts.learned(rows.space, rows.settings)


def _estimable(
    whole: "pd.DataFrame", contrasts: BlockContrasts, rows: LearningRows
) -> tuple["pd.DataFrame", BlockContrasts, tuple[AliasedColumn, ...]]:
    """Return the model columns and block columns that can be told apart, and the others."""
    block_matrix = contrasts.matrix(rows.settings)
    n_blocks = block_matrix.shape[1]
    # Blocks come first: what differs between blocks only says nothing about a factor.
    names = [*contrasts.columns, *whole.columns]
    kept, aliased = estimable_columns(np.hstack([block_matrix, whole.to_numpy()]), names)
    matrix = whole.iloc[:, [place - n_blocks for place in kept if place >= n_blocks]]
    return matrix, contrasts.keeping([place for place in kept if place < n_blocks]), aliased


def _fitted_terms(asked: Terms, space: FactorSpace, columns: Sequence[str]) -> Terms:
    kept = {c.term for c in model_columns(asked, space) if c.name in set(columns)}
    terms = tuple(term for term in asked.terms if term in kept)
    return asked if terms == asked.terms else Terms(asked.formula, terms)


def _weights_of(
    weights: Weights | None, runs: Sequence[str], rows: LearningRows
) -> FloatArray | None:
    if weights is None:
        return None
    if isinstance(weights, Mapping):
        by_run = {str(run): weight for run, weight in weights.items()}
    elif len(weights) == len(runs):
        by_run = dict(zip(runs, weights, strict=True))
    else:
        raise InvalidValueError(
            f"{len(weights)} weights for {len(runs)} runs: give one per run, in their order, or by "
            "the run's name."
        )
    missing = [run for run in rows.runs if run not in by_run]
    if missing:
        raise UnknownNameError(f"Run '{missing[0]}' has no weight: give every run one.")
    found = np.array([float(by_run[run]) for run in rows.runs])
    for run, weight in zip(rows.runs, found, strict=True):
        if not (np.isfinite(weight) and weight > 0):
            raise InvalidValueError(
                f"Run '{run}' has weight {weight:g}; a weight is the reciprocal of a variance, "
                "positive and finite: correct it, or exclude the run."
            )
    return found


def _check_values(rows: LearningRows, values: FloatArray) -> None:
    size = float(np.abs(values).max(initial=0.0))
    spread = float(values.max(initial=-np.inf) - values.min(initial=np.inf))
    name, unit = rows.response.name, rows.response.unit
    if size > LARGEST or 0 < spread < 1 / LARGEST:
        raise InvalidValueError(
            f"Values of '{name}' reach {f'{size:.3g} {unit}'.rstrip()} and differ by "
            f"{f'{spread:.3g} {unit}'.rstrip()}; a fit needs sizes up to {LARGEST:g} and "
            f"differences from {1 / LARGEST:g}: give the response in another unit."
        )
    if rows.n_rows > 1 and 0 < spread <= SAME * 1e-3 * size:
        raise InvalidValueError(
            f"Values of '{name}' differ by {f'{spread:.3g} {unit}'.rstrip()} only, beside a size "
            f"of {f'{size:.3g} {unit}'.rstrip()}: too few digits are left for a fit, which needs a "
            "difference of a millionth of a millionth of the size. Subtract a constant from all."
        )
    if rows.n_rows > 1 and spread == 0:
        raise TooFewDataError(
            f"All {rows.n_rows} runs have the same value of '{rows.response.name}', "
            f"{rows.measured[0]:g} {rows.response.unit}".rstrip()
            + ": nothing varies that a model could explain. Check that the right column was "
            "imported and that the method resolves the differences."
        )


def _check_size(rows: LearningRows, terms: Terms, n_columns: int, n_blocks: int) -> None:
    if rows.n_rows >= n_columns + n_blocks:
        return
    beside = f", and {n_blocks} for the differences of blocks" if n_blocks else ""
    smaller = _smaller_models(rows, min(n_columns - 1, rows.n_rows - n_blocks))
    choices = [f"choose a smaller model (terms={smaller})"] if smaller else []
    if n_blocks and rows.n_rows >= n_columns:
        choices.append("leave the blocks in the noise (blocks='ignore')")
    raise TooFewDataError(
        f"{counted(rows.n_rows, 'run')} with a value of "
        f"'{rows.response.name}' cannot estimate "
        f"{counted(n_columns, 'coefficient')} ({', '.join(terms.names[:12])}"
        f"{', ...' if len(terms.names) > 12 else ''}){beside}: "
        f"{', '.join([*choices, 'or add runs' if choices else 'add runs'])}."
    )


def _smaller_models(rows: LearningRows, most: int) -> str:
    """Return the named models with at most so many coefficients, the largest first."""
    found = [
        repr(name)
        for name in ("quadratic", "interaction", "linear")
        if len(model_columns(model_terms(name, rows.space), rows.space)) <= most
    ]
    return " or ".join(found)


def _check_varied(terms: Terms, rows: LearningRows) -> None:
    """Refuse factors of the terms that never varied, or only ever together with another."""
    used = [n for n in rows.space.names if any(n in term.factors for term in terms.terms)]
    coded = rows.space.to_coded(rows.settings)
    for name in used:
        if len(set(coded[name])) == 1:
            raise InvalidValueError(
                f"Factor '{name}' is {rows.settings[name].iloc[0]} in all {rows.n_rows} runs with "
                f"a value of '{rows.response.name}': its effect cannot be estimated. Give terms "
                "without it, or add runs that vary it."
            )
    for one, other in combinations(used, 2):
        sign = _together(coded, one, other, rows.space)
        if sign:
            raise InvalidValueError(
                f"Factors '{one}' and '{other}' always changed together ({sign}) in the "
                f"{rows.n_rows} runs: their effects cannot be told apart. Give terms with one of "
                "them, or add runs that vary them separately."
            )


def _together(coded: "pd.DataFrame", one: str, other: str, space: FactorSpace) -> str:
    """Return how two factors moved together throughout, or nothing when they did not."""
    kinds = [isinstance(space.factor(name), CategoricalFactor) for name in (one, other)]
    if any(kinds):
        pairs = set(zip(coded[one], coded[other], strict=True))
        levels = {len(set(coded[one])), len(set(coded[other]))}
        return "level for level" if levels == {len(pairs)} else ""
    columns = [coded[name].to_numpy(dtype=np.float64) for name in (one, other)]
    a, b = ((column - column.mean()) / np.abs(column - column.mean()).max() for column in columns)
    if space.mixture and {one, other} == {component.name for component in space.mixture}:
        return ""  # two components add up to the total, which Scheffe's terms allow for
    if np.abs(a - b).max() <= SAME:
        return "in step"
    return "in opposition" if np.abs(a + b).max() <= SAME else ""
