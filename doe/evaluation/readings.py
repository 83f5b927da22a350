"""What to make of an evaluation, in plain sentences with the number in each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doe.evaluation.term_evaluation import TermEvaluation

if TYPE_CHECKING:
    from doe.evaluation.evaluation import DesignEvaluation

GOOD_POWER = 0.8
"""Chance of finding an effect that is customary to ask for (Cohen 1988, section 2.4)."""

HIGH_VIF = 5.0
SEVERE_VIF = 10.0
"""Where inflation is looked at and acted on (Marquardt 1970; Montgomery, section 10.4)."""

_SHOWN = 6


def readings(evaluation: "DesignEvaluation") -> tuple[str, ...]:
    """Return what the runs can and cannot do for the model, apart from power."""
    return (
        *_estimable(evaluation),
        *_error(evaluation),
        *_inflation(evaluation),
        *_leverage(evaluation),
        *_unknown_blocks(evaluation),
        *_blocks(evaluation),
        *_prediction(evaluation),
    )


def power_sentences(evaluation: "DesignEvaluation") -> tuple[str, ...]:
    """Return which effects are likely to be found."""
    tested = [term for term in evaluation.tested_terms if term.power is not None]
    if not tested:
        return ()
    powers = {term.name: term.power or 0.0 for term in tested}
    effects = {term.effect for term in tested}
    size = f"{effects.pop():.3g} SD" if len(effects) == 1 else "the stated size"
    level = f"at the {evaluation.alpha:.3g} level"
    low = [term for term in tested if powers[term.name] < GOOD_POWER]
    if not low:
        least = min(powers, key=lambda name: powers[name])
        return (
            f"Every effect of {size} is found with a probability of at least "
            f"{powers[least]:.2f} ({least}) {level}.",
        )
    named = _listed([f"{term.name} {powers[term.name]:.2f}" for term in _weakest(low, powers)])
    return (
        f"Effects of {size} are found {level} with a probability below {GOOD_POWER:g} for {named}: "
        "add runs or replicates, widen ranges, or accept that only larger effects will be found.",
    )


def _weakest(terms: Sequence[TermEvaluation], powers: dict[str, float]) -> list[TermEvaluation]:
    return sorted(terms, key=lambda term: powers[term.name])


def _estimable(evaluation: "DesignEvaluation") -> list[str]:
    terms = [term for term in evaluation.tested_terms if not term.is_estimable]
    if not terms:
        return []
    named = _listed(
        [
            f"{term.name} (together with {_listed(term.aliased_with)})"
            if term.aliased_with
            else f"{term.name} (does not vary in these runs)"
            for term in terms
        ]
    )
    return [
        f"{evaluation.n_runs} {'runs' if evaluation.n_runs > 1 else 'run'} cannot estimate "
        f"{len(terms)} of {len(evaluation.tested_terms)} terms: {named}. Drop them or add runs "
        "that tell them apart."
    ]


def _error(evaluation: "DesignEvaluation") -> list[str]:
    spent = evaluation.degrees_of_freedom
    if spent.residual == 0:
        return [
            "No run is left to estimate the error: there is no test, no power and no confidence "
            "interval. Add runs or drop terms."
        ]
    found = []
    if spent.residual < 3:
        found.append(
            f"Only {spent.residual} degree{'s' * (spent.residual > 1)} of freedom "
            f"{'are' if spent.residual > 1 else 'is'} left for the error: tests and intervals "
            "will be wide. Add runs or drop terms."
        )
    if spent.pure_error == 0:
        where = " within a block" if evaluation.blocks else ""
        found.append(
            f"No run is repeated{where}, so that lack of fit cannot be tested against pure error: "
            "repeat the centre point or some runs."
        )
    elif spent.lack_of_fit == 0:
        found.append(
            "There are no more different settings than the model has coefficients, so that lack of "
            "fit cannot show: add runs at new settings, such as the centre."
        )
    return found


def _inflation(evaluation: "DesignEvaluation") -> list[str]:
    high = {
        term.name: term.vif
        for term in evaluation.tested_terms
        if term.vif is not None and term.vif > HIGH_VIF
    }
    if not high:
        return []
    worst = max(high.values())
    limit = SEVERE_VIF if worst > SEVERE_VIF else HIGH_VIF
    verdict = (
        f"above {limit:g}, so that their estimates depend on each other severely: add runs that "
        "separate them, or drop terms"
        if worst > SEVERE_VIF
        else f"above {limit:g}, so that their estimates depend on each other: look at the "
        "correlations"
    )
    ordered = sorted((name for name in high if high[name] > limit), key=lambda name: -high[name])
    named = _listed([f"{name} ({high[name]:.3g})" for name in ordered])
    # Shares that add up to one depend on each other in every design.
    mixed = " Part of it is the mixture's own." if evaluation.space.mixture else ""
    return [f"Variance inflation of {named} is {verdict}.{mixed}"]


def _leverage(evaluation: "DesignEvaluation") -> list[str]:
    runs = [str(run + 1) for run in (evaluation.leverage > 1 - 1e-9).nonzero()[0]]
    if not runs or len(runs) == evaluation.n_runs:
        return []
    return [
        f"Leverage is 1 for run {_listed(runs)}: the model goes through such a result whatever it "
        "is, and an error in it cannot be seen."
    ]


def _unknown_blocks(evaluation: "DesignEvaluation") -> list[str]:
    return [
        f"'{name}' is left out, because it is not known yet"
        + (f" for {evaluation.n_runs - known} of {evaluation.n_runs} runs" if known else "")
        + ": evaluate again when it is."
        for name, known in evaluation.unknown_blocks.items()
    ]


def _blocks(evaluation: "DesignEvaluation") -> list[str]:
    found = []
    for group in evaluation.blocks:
        if group.variance_ratio is not None:
            found.append(
                f"'{group.name}' is taken as random, its variance {group.variance_ratio:g} times "
                "that between runs (an assumption until results are in)."
            )
    starved = [
        term.name
        for term in evaluation.tested_terms
        if term.df_error == 0 and evaluation.degrees_of_freedom.residual > 0
        if term.power is None and term.is_estimable and term.name != "Intercept"
    ]
    if starved:
        found.append(
            f"{_listed(starved)} cannot be tested: there are no more whole plots than their "
            "settings need. Add whole plots."
        )
    return found


def _prediction(evaluation: "DesignEvaluation") -> list[str]:
    region = evaluation.region
    if region is None:
        if evaluation.not_estimable:
            return []
        return [
            "How surely the runs predict is not known: settings of a constrained space are drawn "
            "at random, which needs evaluate(..., rng=)."
        ]
    return [
        f"80 % of the allowed region is predicted with an SD of at most "
        f"{evaluation.prediction_sd(0.8):.3g} (run-to-run SD {evaluation.sd:g}), from "
        f"{region.settings}."
    ]


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN])
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
