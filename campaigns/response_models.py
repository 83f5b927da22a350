"""The linear model that the analysis of a response rests on: terms, blocks, values at a limit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from campaigns.events import Censored, ModelChosen
from campaigns.modelling import DEFAULT_MODEL, numbered
from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor
from doe.named_models import ModelName, model_terms
from doe.runs import Observations
from doe.terms import model_columns

if TYPE_CHECKING:
    from surrogates.learning_rows import Censored as NumberedCensored
    from surrogates.linear.censored import CensoredModel
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel
    from surrogates.linear.reports.fit_summary import FitSummary
    from surrogates.linear.screening.selection import Criterion as SelectionCriterion
    from surrogates.linear.screening.selection import Method

    AnyLinear = LinearModel | MixedModel | CensoredModel

LEVEL = 0.05
KEEP = "Choose one with a reason to keep it: `bayeswell choose-model`."


def with_usable_blocks(
    observations: Observations, response: str, censored: Censored
) -> tuple[Observations, tuple[str, ...]]:
    """Return the runs without the block factors that say nothing, and a sentence on each of these.

    A block factor with a single level, or a random one with one run in each level, cannot be told
    apart from the constant or from the noise.

    Raises:
        InvalidValueError: If the response's values or settings cannot be used.
    """
    from surrogates.learning_rows import learning_rows

    rows = learning_rows(observations, response, censored=_as_numbers(censored))
    remarks = {}
    paths = rows.block_paths()
    for block in rows.space.blocks:
        n_levels = len(set(paths[block.name]))
        if n_levels == 1:
            remarks[block.name] = (
                f"All runs are in one level of block factor '{block.name}': how far runs of "
                "another may differ is not known, and is in no uncertainty here."
            )
        elif block.random and n_levels == rows.n_rows:
            remarks[block.name] = (
                f"Random block factor '{block.name}' has one run in each level and is not in the "
                "model: how much its levels differ is part of the run-to-run noise."
            )
    return _without(observations, list(remarks)), tuple(remarks.values())


def starting_terms(
    observations: Observations,
    response: str,
    *,
    chosen: ModelChosen | None,
    asked: str | None,
    censored: Censored,
) -> tuple[str, str]:
    """Return the terms to fit and where they come from, in words.

    Those asked for, else those that were chosen for the response, else the order that the runs
    suggest: by the sequential fit summary, with random blocks by tests in the mixed model.

    Raises:
        InvalidValueError: If the response's values or settings cannot be used, or a model's name
            is written otherwise.
        TooFewDataError: If the runs cannot estimate main effects.
    """
    if asked is not None:
        _check_name(asked, observations)
        return asked, f"Model: {asked}, as asked for; nothing is recorded by it."
    if chosen is not None and chosen.model != DEFAULT_MODEL:
        return chosen.model, f"Model: {chosen.model}, chosen for {response}."
    if _has_random(observations) and censored != "likelihood":
        return _mixed_start(observations, response, censored)
    from surrogates.learning_rows import learning_rows
    from surrogates.linear.fitting import fit_rows

    rows = learning_rows(observations, response, censored=_as_numbers(censored))
    summary = fit_rows(rows, "linear").fit_summary()
    if _is_untested(summary):
        return summary.orders[-1].terms.formula, (
            f"Model: {summary.orders[-1].name}; it takes every degree of freedom, so no order can "
            "be tested: judge the effects against each other (half-normal plot, Lenth's method), "
            f"or repeat runs. {KEEP}"
        )
    return summary.terms.formula, (
        f"Model: {summary.suggested}, suggested by the sequential fit summary. {summary.reason} "
        f"{KEEP}"
    )


def fitted_model(
    observations: Observations, response: str, terms: str, censored: Censored
) -> "AnyLinear":
    """Return the model: random blocks as random, values at a limit as was asked.

    Raises:
        InvalidValueError: If the response's values or settings cannot be used.
        TooFewDataError: If the runs cannot support the model.
    """
    from surrogates.linear.censored import fit_censored
    from surrogates.linear.model import fit_linear

    if censored == "likelihood":
        return fit_censored(observations, response, terms)
    treatment = numbered(censored)
    if _has_random(observations):
        return fit_linear(observations, response, terms, blocks="random", censored=treatment)
    return fit_linear(observations, response, terms, blocks="fixed", censored=treatment)


def selected_model(
    observations: Observations,
    response: str,
    candidates: str,
    *,
    censored: Censored,
    method: "Method",
    criterion: "SelectionCriterion",
) -> tuple["LinearModel", str]:
    """Return the model of the terms that a rule selects, and how, in words.

    There may be more candidates than runs, but for ``backward``.

    Raises:
        InvalidValueError: If the model has random blocks or values at a limit.
        TooFewDataError: If ``backward`` has more candidates than runs, or the runs leave nothing to
            judge a term by.
    """
    from surrogates.linear.model import LinearModel
    from surrogates.linear.screening.selection import select_terms

    start = candidates
    space = observations.space
    n_columns = len(model_columns(model_terms(candidates, space), space))
    n_runs = len({m.run for m in observations.measurements if m.response == response})
    if n_columns > n_runs and method == "backward":
        raise TooFewDataError(
            f"Backward selection starts from all {n_columns} coefficients, and {n_runs} runs have "
            f"a value of '{response}': take select='forward' or 'stepwise', or fewer candidates."
        )
    if n_columns >= n_runs and method != "backward" and not _has_random(observations):
        start = "linear" if space.mixture else "1"
    model = fitted_model(observations, response, start, censored)
    if not isinstance(model, LinearModel):
        raise InvalidValueError(
            "Terms are selected in models with independent errors; this one has random blocks or "
            "values at a limit: name the terms yourself."
        )
    found = select_terms(model, candidates, method=method, criterion=criterion)
    return found.model, " ".join([found.sentence(), *found.notes])


def censored_remarks(
    observations: Observations, response: str, censored: Censored, *, is_asked: bool
) -> tuple[Censored, tuple[str, ...]]:
    """Return what becomes of values at a limit in these runs, and what has to be said about it.

    Without any such value there is nothing to treat.

    Args:
        observations: All runs.
        response: A measured response.
        censored: What was asked for or chosen.
        is_asked: Whether somebody asked for it in this analysis.

    Raises:
        TooFewDataError: If every value is known only as a limit.
    """
    qualifiers = [m.qualifier for m in observations.measurements if m.response == response]
    beyond = sum(qualifier != "=" for qualifier in qualifiers)
    if qualifiers and beyond == len(qualifiers) and censored != "at_limit":
        raise TooFewDataError(
            f"All {beyond} values of '{response}' are known only as a limit; a model needs known "
            "ones. Measure with a more sensitive method, or model whether the limit is passed."
        )
    if not beyond:
        said = f"No value of '{response}' is known only as a limit: nothing is there to be treated"
        remark = f"{said} as '{censored}', and the model is that of measured values."
        return "refuse", (remark,) if is_asked and censored != "refuse" else ()
    random = [block.name for block in observations.space.blocks if block.random]
    if censored == "likelihood" and random:
        return censored, (
            f"Random blocks ({', '.join(random)}) are taken as fixed: values at a limit have no "
            "mixed model here.",
        )
    return censored, ()


def _check_name(asked: str, observations: Observations) -> None:
    plain = asked.strip().lower()
    if plain in get_args(ModelName) and plain != asked and asked not in observations.space.names:
        raise InvalidValueError(
            f"The model '{asked}' is written '{plain}' here: give terms='{plain}', or a formula."
        )


def _mixed_start(observations: Observations, response: str, censored: Censored) -> tuple[str, str]:
    """Return the highest order that the mixed model can estimate and that adds something."""
    from surrogates.linear.model import fit_linear

    tested: dict[str, float] = {}
    stopped = ""
    before: tuple[str, ...] = ()
    for name in ("linear", "interaction", "quadratic"):
        terms = model_terms(name, observations.space)
        try:
            model = fit_linear(
                observations, response, terms, blocks="random", censored=numbered(censored)
            )
        except TooFewDataError:
            if not tested:
                raise
            stopped = f" The runs cannot estimate {name} beside the random blocks."
            break
        if model.fixed.aliased:
            stopped = f" In {name}, {model.fixed.aliased[0].sentence()}"
            break
        added = [column for column in model.fixed.columns if column not in before]
        if added:
            tested[name] = model.test(_contrasts(observations, added, is_first=not before)).p_value
        before = model.fixed.columns
    if not tested:
        return "1", f"Model: mean.{stopped} Name the terms, or add runs."
    significant = [name for name, p in tested.items() if p < LEVEL]
    start = significant[-1] if significant else next(iter(tested))
    numbers = ", ".join(f"{name} p {p:.3g}" for name, p in tested.items())
    why = (
        "the highest order that the mixed model can estimate and whose added terms are significant"
        if significant
        else "though the added terms of no order are significant in the mixed model"
    )
    return start, f"Model: {start}, {why} ({numbers}; Kenward-Roger).{stopped} {KEEP}"


def _contrasts(
    observations: Observations, added: Sequence[str], *, is_first: bool
) -> list[dict[str, float]]:
    """Return the combinations of coefficients that are zero when the added columns say nothing."""
    pure = [c.name for c in observations.space.mixture if c.name in added] if is_first else []
    # Coefficients of components are levels of the response: they say nothing when all are equal.
    equal = [{name: 1.0, pure[-1]: -1.0} for name in pure[:-1]]
    others = [name for name in added if name != "Intercept" and name not in pure]
    return equal + [{name: 1.0} for name in others]


def _is_untested(summary: "FitSummary") -> bool:
    """Whether the first order with terms already takes every degree of freedom."""
    last = summary.orders[-1]
    return (
        last.added_degrees > 0
        and last.residual_std is None
        and not last.aliased
        and all(order.p is None for order in summary.orders)
    )


def _has_random(observations: Observations) -> bool:
    return any(block.random for block in observations.space.blocks)


def _as_numbers(censored: Censored) -> "NumberedCensored":
    return "at_limit" if censored == "likelihood" else censored


def _without(observations: Observations, names: Sequence[str]) -> Observations:
    """Return the runs without some block factors."""
    if not names:
        return observations
    kept = tuple(
        # Within one level of the outer block factor the inner levels are told apart by name.
        replace(f, nested_in=None) if isinstance(f, BlockFactor) and f.nested_in in names else f
        for f in observations.space.factors
        if f.name not in names
    )
    return replace(
        observations,
        space=replace(observations.space, factors=kept),
        recorded=observations.recorded.drop(columns=list(names), errors="ignore"),
    )
