"""Optimal designs in which hard-to-change factors are set once per whole plot or sub-plot."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.designs.assembly import check_count
from doe.designs.blocks import with_block
from doe.designs.split_plot.criteria import Criterion
from doe.designs.split_plot.layout import equal_layout
from doe.designs.split_plot.precision import SplitPlotPrecision, check_ratio, precision_of
from doe.designs.split_plot.search import Progress, Request, problem_of, search, usual_starts
from doe.designs.split_plot.settings import settable_runs
from doe.designs.split_plot.strata import Strata, strata_of, term_strata
from doe.errors import DesignError
from doe.factors import BlockFactor
from doe.named_models import model_terms
from doe.random_draws import check_rng
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms

if TYPE_CHECKING:
    import pandas as pd

MAX_SEARCHED_RUNS = 500


def split_plot_design(
    space: FactorSpace,
    terms: Terms | str,
    *,
    n_whole_plots: int,
    n_runs: int,
    criterion: Criterion = "D",
    rng: np.random.Generator,
    n_sub_plots: int | None = None,
    variance_ratio: float = 1.0,
    sub_plot_variance_ratio: float = 1.0,
    block: str | None = None,
    sub_block: str | None = None,
    n_starts: int | None = None,
    progress: Progress | None = None,
) -> Design:
    """Return the runs that estimate a model best when some factors are set once per whole plot.

    Factors with ``change="hard"`` are constant within a whole plot (24 vessels in 3 blocks that
    share a temperature: ``n_whole_plots=3, n_runs=24``). Where there are ``very_hard`` factors too,
    these are constant within whole plots and the hard ones within sub-plots. All others, and
    mixture components, vary from run to run. Plots are as equal in size as can be.

    Results of one plot vary together, and precision is that of generalised least squares.
    Neighbouring whole plots may have equal settings: these are still set anew in between, or their
    error could not be seen. ``details`` has the criterion, degrees of freedom for the error of
    plots and runs, and the variance of each coefficient.

    Args:
        space: The factors, at least one of them hard to change.
        terms: The effects: ``linear``, ``interaction``, ``quadratic``, a formula, or terms.
        n_whole_plots: How often the hardest factors are set, at least 2.
        n_runs: How many runs, more than there are plots.
        criterion: ``D`` for the coefficients together, ``I`` for the average prediction variance
            over the allowed settings.
        rng: Source of the random starts.
        n_sub_plots: How often hard factors are set, in spaces with hard and very hard ones.
        variance_ratio: Whole-plot variance over run variance; 1 is usual where nothing is known.
        sub_plot_variance_ratio: Sub-plot variance over run variance.
        block: Name of the block factor that whole plots are; where absent the only one that the
            space declares, or else a new one, ``whole plot``.
        sub_block: Name of the block factor that sub-plots are; likewise, nested in the other.
        n_starts: How many random starts are improved, of which the best is kept; where absent 10,
            down to 2 for large designs, so that they take about ten seconds.
        progress: Called with the share of the work that is done, 0 to 1.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If no factor is hard to change, there are too few plots for the effects of hard
            factors, the space cannot tell all terms apart, or an argument does not fit.

    Source:
        Jones and Goos (2007), Applied Statistics 56, 347-364: D-optimal split plots; (2009),
        Biometrika 96, 67-82: split-split plots; (2012), J. Quality Technology 44, 85-101:
        I-optimal.
    """
    check_rng(rng)
    strata = strata_of(space)
    if criterion not in get_args(Criterion):
        raise DesignError(f"criterion is {criterion!r}; expected one of D, I.")
    if n_starts is not None:
        check_count(n_starts, "n_starts", at_least=1)
    ratios = (
        check_ratio(variance_ratio, "variance_ratio"),
        check_ratio(sub_plot_variance_ratio, "sub_plot_variance_ratio"),
    )
    _check_sub_plots(strata, n_sub_plots, sub_block)
    layout = equal_layout(n_runs, n_whole_plots, n_sub_plots)
    if n_runs > MAX_SEARCHED_RUNS:
        raise DesignError(
            f"{n_runs} runs are more than the {MAX_SEARCHED_RUNS} that a split-plot search is made "
            "for: plan fewer runs."
        )
    full, names = _with_plots(space, block, sub_block, has_sub_plots=bool(strata.sub))
    request = Request(space, model_terms(terms, space), strata, layout, criterion, ratios)
    return _planned(request, n_starts, full, names, rng=rng, progress=progress)


def _check_sub_plots(strata: Strata, n_sub_plots: int | None, sub_block: str | None) -> None:
    if strata.sub and n_sub_plots is None:
        raise DesignError(
            f"{list(strata.whole)} are very hard to change and {list(strata.sub)} are hard: these "
            "are set once per sub-plot, so give n_sub_plots, how often they are set."
        )
    if not strata.sub and (n_sub_plots is not None or sub_block is not None):
        raise DesignError(
            f"n_sub_plots and sub_block are for spaces with hard and very hard factors, but only "
            f"{list(strata.whole)} are set per plot: leave them out, or set change='very_hard' on "
            "the hardest."
        )


def _with_plots(
    space: FactorSpace, block: str | None, sub_block: str | None, *, has_sub_plots: bool
) -> tuple[FactorSpace, tuple[str, ...]]:
    """Return the space with the block factors of the plots, and their names, outermost first."""
    if block is None and has_sub_plots and len(space.blocks) > 1:
        # Of blocks within blocks the outer ones are the whole plots.
        outer = [factor.name for factor in space.blocks if factor.nested_in is None]
        block = outer[0] if len(outer) == 1 else None
    full, whole = with_block(space, block, otherwise="whole plot", random=True)
    names: tuple[str, ...] = (whole,)
    if has_sub_plots:
        full, sub = with_block(full, sub_block, otherwise="sub-plot", random=True, nested_in=whole)
        names = (whole, sub)
    for name in names:
        factor = full.factor(name)
        assert isinstance(factor, BlockFactor)
        if not factor.random:
            raise DesignError(
                f"Block factor '{name}' is fixed: its effects could not be told apart from "
                "those of the factors that are set once in it. Declare it with random=True, or "
                "name another."
            )
        if name != whole and factor.nested_in != whole:
            raise DesignError(
                f"Sub-plots '{name}' must be nested in the whole plots '{whole}', but their block "
                f"factor has nested_in={factor.nested_in!r}: declare it so, or name another."
            )
    return full, names


def _planned(
    request: Request,
    n_starts: int | None,
    full: FactorSpace,
    names: Sequence[str],
    *,
    rng: np.random.Generator,
    progress: Progress | None,
) -> Design:
    """Return the best design of all starts, in standard order, with what is known about it."""
    problem, moments = problem_of(request, rng=rng)
    starts = usual_starts(problem) if n_starts is None else n_starts
    found, values = search(problem, starts, rng=rng, progress=progress)
    runs, layout = settable_runs(problem.coordinates, found, request.layout, request.strata)
    planned = replace(request, layout=layout)
    precision = precision_of(
        runs, request.terms, request.space, layout=layout, ratios=request.ratios
    )
    plots = [layout.whole] if layout.sub is None else [layout.whole, layout.sub]
    kind = "split-plot" if layout.sub is None else "split-split-plot"
    best_first = np.sort(values)[::-1]
    efficiencies: list[JSON] = [float(f"{np.exp(v - best_first[0]):.6g}") for v in best_first]
    return Design(
        full,
        runs,
        f"{kind}, {request.criterion}-optimal",
        ("optimal",) * len(runs),
        blocks={
            name: tuple(str(plot + 1) for plot in of_run)
            for name, of_run in zip(names, plots, strict=True)
        },
        whole_plots=tuple(names),
        details=_details(planned, runs, precision, moments)
        | {"n_starts": starts, "start_efficiencies": efficiencies},
    )


def _details(
    request: Request, runs: "pd.DataFrame", precision: SplitPlotPrecision, moments: FloatArray
) -> dict[str, JSON]:
    strata, layout = request.strata, request.layout
    average = precision.average_prediction_variance(moments)
    value = precision.d_efficiency if request.criterion == "D" else average
    details: dict[str, JSON] = {
        "terms": request.terms.formula,
        "criterion": request.criterion,
        "criterion_value": value,
        "d_efficiency": precision.d_efficiency,
        "average_prediction_variance": average,
        "variance_ratio": request.ratios[0],
        "whole_plot_factors": list(strata.whole),
        "whole_plot_sizes": np.bincount(layout.whole).tolist(),
        "distinct_whole_plot_settings": len(runs[list(strata.whole)].drop_duplicates()),
    }
    if layout.sub is not None:
        details |= {
            "sub_plot_variance_ratio": request.ratios[1],
            "sub_plot_factors": list(strata.sub),
            "sub_plot_sizes": np.bincount(layout.sub).tolist(),
        }
    details |= {
        "tested_against": dict(term_strata(request.terms, request.space)),
        "error_degrees_of_freedom": dict(precision.error_degrees_of_freedom),
        "coefficient_variances": dict(precision.coefficient_variances),
    }
    note = _note(strata, precision.error_degrees_of_freedom)
    return details | {"note": note} if note else details


def _note(strata: Strata, degrees: dict[str, int]) -> str:
    """Return what follows where no degrees of freedom are left for an error; empty if all have."""
    tested = {"whole plot": strata.whole, "sub-plot": strata.sub, "run": strata.run}
    return " ".join(
        f"No degrees of freedom are left for the {stratum} error: effects that are compared "
        f"between {stratum}s (of {', '.join(tested[stratum]) or 'no factor'}) can be estimated "
        f"and not tested; plan more {stratum}s."
        for stratum, count in degrees.items()
        if count == 0
    )
