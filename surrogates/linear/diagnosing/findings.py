"""What stands out in the residuals, with the value, the threshold, its source, and what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from doe.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    from surrogates.linear.diagnosing.diagnostics import Diagnostics
    from surrogates.linear.diagnosing.residual_tests import Drift, ResidualTest

FindingKind = Literal[
    "outlier",
    "influence on the model",
    "influence on its prediction",
    "influence on a coefficient",
    "leverage",
    "unchecked",
    "normality",
    "constant variance",
    "run order",
    "drift",
]
# Fewer degrees of freedom make the limit for outliers so wide that only gross errors pass it.
FEW_DEGREES = 3
RECORD = (
    "Look into the record of this run. Leave it out only for a cause found there, with the reason "
    "and a signature; report the analysis with and without it"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits beyond which a run is flagged.

    Attributes:
        outlier: Of the externally studentised residual, by degrees of freedom of the residual:
            Student's t at significance / (2 n), so that the chance of any false flag among the n
            runs is at most the significance; None where it does not exist.
        cook: Of Cook's distance: the median of F(p, n - p), where leaving the run out moves the
            coefficients to the edge of their 50 % confidence region; None without degrees.
        dffits: 2 sqrt(p/(n - p)), what a residual of 2 gives in a design of equal leverages, but
            at least 1. For p much smaller than n it is the usual 2 sqrt(p/n), which in designs with
            few runs to spare would flag every other run.
        dfbetas: 2/sqrt(n - p), likewise, but at least 1.
        leverage: 2 p/n, twice the average.

    Source:
        Outlier: Cook and Weisberg (1982), Residuals and Influence in Regression, section 2.2.2;
        Cook's distance: Cook (1977), Technometrics 19, 15-18; DFFITS: Belsley, Kuh and Welsch
        (1980), Regression Diagnostics, section 2.1; 1 for DFFITS and DFBETAS in small to medium
        data sets: Kutner, Nachtsheim, Neter and Li (2005), Applied Linear Statistical Models, 5th
        ed., section 10.4; leverage: Hoaglin and Welsch (1978), The American Statistician 32, 17-22.
    """

    outlier: float | None
    cook: float | None
    dffits: float
    dfbetas: float
    leverage: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look into; nothing is done about it by itself.

    Attributes:
        kind: What it is about.
        run: The run; None when it is about all.
        value: What was found.
        threshold: The limit that it passes; for tests the significance.
        sentence: What was found, in words with both numbers.
        action: What to do, a sentence.
    """

    kind: FindingKind
    run: str | None
    value: float
    threshold: float
    sentence: str
    action: str


def thresholds(n_runs: int, n_coefficients: int, significance: float) -> Thresholds:
    """Return the limits beyond which a run is flagged; sources stand with ``Thresholds``."""
    degrees = n_runs - n_coefficients
    tail = significance / (2 * n_runs)
    return Thresholds(
        outlier=float(stats.t.isf(tail, degrees - 1)) if degrees > 1 else None,
        cook=float(stats.f.ppf(0.5, n_coefficients, degrees)) if degrees > 0 else None,
        dffits=max(1.0, 2 * float(np.sqrt(n_coefficients / max(degrees, 1)))),
        dfbetas=max(1.0, 2 / float(np.sqrt(max(degrees, 1)))),
        leverage=2 * n_coefficients / n_runs,
    )


def outlier_probabilities(diagnostics: "Diagnostics") -> FloatArray:
    """Return each run's p value as an outlier, times the number of runs, at most 1.

    ``nan`` where there is no externally studentised residual.

    Source:
        Cook and Weisberg (1982), Residuals and Influence in Regression, section 2.2.2.
    """
    found = diagnostics.influence
    if found.degrees < 2:
        return np.full(len(found.external), np.nan)
    tails = 2 * stats.t.sf(np.abs(found.external), found.degrees - 1)
    return np.asarray(np.minimum(1.0, len(tails) * tails))


def findings(diagnostics: "Diagnostics") -> tuple[Finding, ...]:
    """Return what stands out, what matters most first; outliers before all."""
    return (
        *_outliers(diagnostics),
        *_on_the_model(diagnostics),
        *_leverages(diagnostics),
        *_tests(diagnostics),
        *_on_predictions(diagnostics),
        *_on_coefficients(diagnostics),
    )


def notes(diagnostics: "Diagnostics") -> tuple[str, ...]:
    """Return what is not available and why, and what was assumed, each a sentence."""
    found = diagnostics.influence
    said = []
    if not diagnostics.order_is_given:
        said.append(
            "The order of the rows was taken for the order of doing; give run_order if it differs."
        )
    if found.degrees < 1:
        said.append(
            "There are as many coefficients as runs: every residual is zero, and nothing can be "
            "said of any run. Add runs or drop terms."
        )
    elif found.is_exact:
        said.append(
            "The model reproduces every run to the last digit: residuals are rounding, and are not "
            "studentised. Check that the values were measured, not computed."
        )
    elif found.degrees == 1:
        said.append(
            "One degree of freedom is left: all internally studentised residuals are +1 or -1, and "
            "no run can be judged against the others. Add runs or drop terms."
        )
    elif found.degrees - 1 < FEW_DEGREES:
        said.append(
            f"{found.degrees} degrees of freedom are left: only gross outliers can be told."
        )
    if found.is_alone.any() and found.degrees > 0:
        said.append(
            f"Runs without a residual of their own ({_listed(diagnostics, found.is_alone)}) have "
            "leverage 1: no studentised residual, influence or prediction from the others exists."
        )
    if diagnostics.model.transform.kind != "none":
        said.append(
            f"Residuals and tests are on the {diagnostics.model.transform.kind} scale; predictions "
            "are medians in the response's unit."
        )
    return tuple(said)


def _outliers(diagnostics: "Diagnostics") -> list[Finding]:
    found, limit = diagnostics.influence, diagnostics.thresholds.outlier
    if limit is None:
        return []
    probabilities = outlier_probabilities(diagnostics)
    flagged = []
    for place, run in enumerate(diagnostics.runs):
        if found.makes_all_noise[place]:
            internal = float(found.internal[place])
            sentence = f"Without run '{run}' the model fits all other runs exactly."
            flagged.append(Finding("outlier", run, internal, limit, sentence, f"{RECORD}."))
        elif probabilities[place] < diagnostics.significance:
            value = float(found.external[place])
            sentence = (
                f"Run '{run}' is an outlier: its externally studentised residual is {value:.2f}, "
                f"beyond {limit:.2f} (p = {probabilities[place]:.2g} after Bonferroni's correction "
                f"for {len(diagnostics.runs)} runs)."
            )
            flagged.append(Finding("outlier", run, value, limit, sentence, f"{RECORD}."))
    return flagged


def _on_the_model(diagnostics: "Diagnostics") -> list[Finding]:
    limit = diagnostics.thresholds.cook
    if limit is None:
        return []
    return _beyond(
        diagnostics,
        "influence on the model",
        (diagnostics.influence.cook, limit),
        lambda run, value, limit: (
            f"Run '{run}' moves the whole model: its Cook's distance is {value:.2f}, beyond "
            f"{limit:.2f}, the edge of the 50 % confidence region of the coefficients."
        ),
        "Repeat this run if decisions rest on it; compare the model without it",
    )


def _on_predictions(diagnostics: "Diagnostics") -> list[Finding]:
    return _beyond(
        diagnostics,
        "influence on its prediction",
        (diagnostics.influence.dffits, diagnostics.thresholds.dffits),
        lambda run, value, limit: (
            f"Run '{run}' moves its own prediction by {value:+.2f} standard errors (DFFITS), "
            f"beyond {limit:.2f}."
        ),
        "Repeat this run before trusting predictions near it",
    )


def _on_coefficients(diagnostics: "Diagnostics") -> list[Finding]:
    changes = diagnostics.influence.dfbetas
    names = diagnostics.dfbetas().columns
    worst = np.nan_to_num(np.abs(changes)).argmax(axis=1)
    moved = {run: str(names[place]) for run, place in zip(diagnostics.runs, worst, strict=True)}
    return _beyond(
        diagnostics,
        "influence on a coefficient",
        (changes[np.arange(len(worst)), worst], diagnostics.thresholds.dfbetas),
        lambda run, value, limit: (
            f"Run '{run}' moves coefficients, most of all that of {moved[run]}, by {value:+.2f} "
            f"standard errors (DFBETAS), beyond {limit:.2f}."
        ),
        "See whether the conclusion about this term holds without the run",
    )


def _leverages(diagnostics: "Diagnostics") -> list[Finding]:
    found, limit = diagnostics.influence, diagnostics.thresholds.leverage
    if found.degrees < 1:
        return []
    flagged = []
    for place, run in enumerate(diagnostics.runs):
        value = float(found.leverage[place])
        if found.is_alone[place]:
            sentence = (
                f"Run '{run}' has leverage 1: the model passes through it, whatever its value, so "
                "that an error in it would not show."
            )
            action = "Replicate this run, or drop the term or block that it alone determines."
            flagged.append(Finding("unchecked", run, value, 1.0, sentence, action))
        elif value > limit:
            sentence = (
                f"Run '{run}' has leverage {value:.2f}, beyond {limit:.2f} (twice the average): it "
                "lies far out in the factors. That is no fault, but its value counts for much."
            )
            action = "Check its settings for a typing error; replicate it if much rests on it."
            flagged.append(Finding("leverage", run, value, limit, sentence, action))
    return flagged


def _tests(diagnostics: "Diagnostics") -> list[Finding]:
    done: list[tuple[FindingKind, ResidualTest | Drift]] = [
        ("normality", diagnostics.normality),
        ("constant variance", diagnostics.constant_variance),
        ("run order", diagnostics.autocorrelation),
        ("drift", diagnostics.drift),
    ]
    actions: dict[FindingKind, str] = {
        "normality": "See the normal plot and the Box-Cox profile.",
        "constant variance": "See the Box-Cox profile; otherwise fit with weights.",
        "run order": "See the run order plot for what came in batches; add it as a block.",
        "drift": "Look for the cause; fit with the run number or a block, and compare.",
    }
    limit = diagnostics.significance
    return [
        Finding(kind, None, test.p, limit, _named(diagnostics, kind, test.reading), actions[kind])
        for kind, test in done
        if test.p is not None and test.p < limit
    ]


def _named(diagnostics: "Diagnostics", kind: FindingKind, reading: str) -> str:
    said = f"{kind[0].upper()}{kind[1:]}: {reading}"
    if kind in ("run order", "drift") and not diagnostics.order_is_given:
        said += " This takes the order of the rows for the order of doing: give run_order if not."
    return said


def _beyond(
    diagnostics: "Diagnostics",
    kind: FindingKind,
    values: tuple[FloatArray, float],
    say: Callable[[str, float, float], str],
    action: str,
) -> list[Finding]:
    """Return a finding per run whose value is beyond the limit, the largest first."""
    numbers, limit = values
    sizes = np.where(np.isnan(numbers), 0.0, np.abs(numbers))
    return [
        Finding(
            kind,
            diagnostics.runs[place],
            float(numbers[place]),
            limit,
            say(diagnostics.runs[place], float(numbers[place]), limit),
            f"{action}.",
        )
        for place in np.argsort(-sizes, kind="stable")
        if sizes[place] > limit
    ]


def _listed(diagnostics: "Diagnostics", where: BoolArray) -> str:
    names = [run for run, hit in zip(diagnostics.runs, where, strict=True) if hit]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
