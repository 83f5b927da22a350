"""A linear model as a surrogate: fitted only where its predictions have an honest uncertainty."""

from typing import TYPE_CHECKING

from doe.errors import TooFewDataError
from doe.runs import Observations
from doe.terms import Terms
from surrogates.learning_rows import Censored, LearningRows, learning_rows
from surrogates.linear.aliases import AliasedColumn
from surrogates.linear.model import LinearModel, ModelOrder, fit_linear
from surrogates.linear.prediction import check_predictable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surrogates.linear.mixed_models.mixed import MixedModel


def fit_surface(
    observations: Observations,
    response: str,
    *,
    terms: ModelOrder | str | Terms = "quadratic",
    censored: Censored = "refuse",
) -> "LinearModel | MixedModel":
    """Return the response surface of one measured response, to predict and recommend from.

    Stricter than ``fit_linear``: every term asked for is estimated, and enough is left for the
    noise. Blocks are in the model, fixed or random as they were declared. Random ones whose
    variance no runs can show (one level, or a level for each run) are left out, and it says so.

    Args:
        observations: All runs.
        response: A measured response.
        terms: As for ``fit_linear``.
        censored: What to do with values known only as a limit.

    Raises:
        InvalidValueError: If the response's values or settings cannot be used.
        TooFewDataError: If the runs cannot estimate every term, which it names, or leave fewer
            than three degrees of freedom for the noise.
    """
    rows = learning_rows(observations, response, censored=censored)
    random = [block.name for block in rows.space.blocks if block.random]
    if any(_shows_variance(rows, name) for name in random):
        mixed = fit_linear(observations, response, terms, blocks="random", censored=censored)
        _check_aliases(mixed.fixed.aliased, mixed.fixed.columns, mixed.n_runs, response)
        return mixed
    model = fit_linear(
        observations, response, terms, blocks="ignore" if random else "fixed", censored=censored
    )
    _check_aliases(model.aliased, model.columns, model.n_runs, response)
    check_predictable(model)
    return model


def _shows_variance(rows: LearningRows, block: str) -> bool:
    return 1 < len(set(rows.block_paths()[block])) < rows.n_rows


def _check_aliases(
    aliased: "Sequence[AliasedColumn]", columns: "Sequence[str]", n_runs: int, response: str
) -> None:
    if aliased:
        raise TooFewDataError(
            f"The {n_runs} runs with a value of '{response}' cannot estimate "
            f"{', '.join(column.name for column in aliased)} beside the other terms "
            f"({len(columns) + len(aliased)} coefficients): choose a smaller model "
            "(terms='interaction' or 'linear') or add runs."
        )
