"""One plain sentence per statistic of a fit: what to make of it, with the source of each limit."""

from typing import TYPE_CHECKING

from surrogates.linear.reports.decomposition import EXACT_FIT
from surrogates.linear.wording import counted

if TYPE_CHECKING:
    from surrogates.linear.reports.statistics import FitStatistics

# Eriksson et al. (2008), Design of Experiments: Principles and Applications, 3rd ed., Umetrics:
# Q2 above 0.5 is good, above 0.9 excellent; R2 and Q2 no more than 0.2 to 0.3 apart;
# reproducibility above 0.5; model validity above 0.25, which is p = 0.05 of lack of fit.
GOOD_Q2, EXCELLENT_Q2 = 0.5, 0.9
LARGE_GAP = 0.3
REPRODUCIBLE = 0.5
VALID = 0.25
# Stat-Ease, Handbook for Experimenters: adjusted and predicted R2 within 0.2 of each other.
ADJUSTED_GAP = 0.2
# Box and Wetz (1973), Technical Report 9, University of Wisconsin: a ratio of at least 4.
PRECISE = 4.0
# When lack of fit is called artificial. The rule is Eriksson et al.'s (significant lack of fit,
# high Q2, tiny pure error); these two limits are this product's reading of "high" and "tiny".
ARTIFICIAL_Q2, ARTIFICIAL_REPRODUCIBILITY = 0.8, 0.95


def has_artificial_lack_of_fit(statistics: "FitStatistics") -> bool:
    """Return whether lack of fit shows only because replicates agree unusually well."""
    validity, q2 = statistics.model_validity, statistics.q2
    reproducibility = statistics.reproducibility
    return (
        validity is not None
        and validity < VALID
        and q2 is not None
        and q2 >= ARTIFICIAL_Q2
        and reproducibility is not None
        and reproducibility >= ARTIFICIAL_REPRODUCIBILITY
    )


def readings(statistics: "FitStatistics") -> dict[str, str]:
    """Return for each statistic, by the names of ``FitStatistics.values``, what to make of it."""
    return {
        **_counts(statistics),
        **_noise(statistics),
        **_explained(statistics),
        **_criteria(statistics),
        "reproducibility": _reproducibility(statistics),
        "model validity": _validity(statistics),
    }


def _counts(s: "FitStatistics") -> dict[str, str]:
    parts = s.parts
    left = parts.residual.degrees
    judged = (
        "the noise cannot be estimated and nothing can be tested"
        if left < 1
        else "few: tests are weak and limits wide"
        if left < 5
        else "the noise can be judged"
    )
    runs = f"{counted(s.n_runs, 'run')} {'was' if s.n_runs == 1 else 'were'} fitted."
    if s.recommended:
        runs += (
            f" {s.recommended} of them were recommended by an optimizer, so that these are not the "
            "statistics of a randomised design: read them as descriptive."
        )
    blocks = parts.blocks.degrees
    return {
        "runs": runs,
        "coefficients": f"{s.n_coefficients} coefficients were estimated from {s.n_runs} runs.",
        "df model": f"The terms take {counted(parts.model.degrees, 'degree of freedom')}.",
        "df blocks": f"Differences between blocks take {blocks}; R2 and Q2 leave them out."
        if blocks
        else "No blocks are in the model.",
        "df residual": f"{counted(left, 'degree of freedom')} left for the residual: {judged}.",
        "df lack of fit": "Not available: no more different settings than coefficients."
        if parts.lack_of_fit.degrees < 1
        else f"{parts.lack_of_fit.degrees} settings more than coefficients show what the model "
        "misses.",
        "df pure error": "No setting was repeated: add replicates to see the noise by itself."
        if parts.pure_error.degrees < 1
        else "The replicates are identical, so they do not measure the noise: check that they are "
        "separate runs, and that the method resolves their differences."
        if parts.has_identical_replicates
        else f"Replicates give {counted(parts.pure_error.degrees, 'degree of freedom')} for the "
        "noise alone.",
    }


def _noise(s: "FitStatistics") -> dict[str, str]:
    unit = f" {s.unit}" if s.unit else ""
    none = "Not available: no degrees of freedom are left for the residual."
    return {
        "mean": f"The average of the modelled values is {s.mean:.5g}{unit}.",
        "residual SD": none
        if s.residual_std is None
        else EXACT_FIT
        if s.parts.is_exact
        else f"A run lies typically {s.residual_std:.3g}{unit} from the fitted surface.",
        "CV %": _variation(s),
        "adequate precision": (EXACT_FIT if s.parts.is_exact else none)
        if s.adequate_precision is None
        else f"The surface spans {s.adequate_precision:.3g} times its average standard error: "
        + (
            f"enough to tell good from bad settings (above {PRECISE:g}, Box and Wetz 1973)."
            if s.adequate_precision > PRECISE
            else f"too little to find one's way by it ({PRECISE:g} is needed, Box and Wetz 1973)."
        ),
    }


def _variation(s: "FitStatistics") -> str:
    if s.parts.is_exact:
        return EXACT_FIT
    if s.cv is None and s.scale not in ("none", "log"):
        return f"Not available on the {s.scale} scale, where a share of the mean means nothing."
    if s.cv is None:
        return "Not available: it needs a residual SD and a mean that is not zero."
    if s.scale == "log":
        return (
            f"A value varies by {s.cv:.3g} % of its own mean, wherever that is: on the log scale "
            "it is lognormal (100 sqrt(exp(SD^2) - 1)), and its unit does not matter."
        )
    return (
        f"That is {s.cv:.3g} % of the mean; it means something only where zero is a true zero of "
        "the scale."
    )


def _explained(s: "FitStatistics") -> dict[str, str]:
    nothing = "Not available: nothing varies about the mean."
    about = "about the mean" if s.parts.is_corrected else "about zero (the model has no constant)"
    if s.parts.blocks.degrees:
        about += " within blocks"
    return {
        "R2": nothing
        if s.r2 is None
        else f"The model accounts for {100 * s.r2:.1f} % of the variation {about}; every further "
        "term raises it, so it does not say whether the model is good.",
        "adjusted R2": "Not available: no degrees of freedom are left for the residual."
        if s.adjusted_r2 is None
        else _adjusted(s, s.adjusted_r2),
        "Q2": _missing_press(s) if s.q2 is None else _predicted(s, s.q2),
        "PRESS": _missing_press(s)
        if s.press is None
        else f"Predicting each run from the others leaves {s.press:.4g} in squared errors, against "
        f"{s.parts.residual.squares:.4g} when fitting it.",
    }


def _adjusted(s: "FitStatistics", adjusted: float) -> str:
    if s.q2 is None:
        return f"{adjusted:.3f} with the number of terms allowed for; Q2 to compare is missing."
    if adjusted - s.q2 > ADJUSTED_GAP:
        return (
            f"{adjusted:.3f} is more than {ADJUSTED_GAP:g} above Q2 {s.q2:.3f} (Stat-Ease's rule): "
            "look for needless terms, outliers or a change of scale."
        )
    return f"{adjusted:.3f} agrees with Q2 {s.q2:.3f} within {ADJUSTED_GAP:g} (Stat-Ease's rule)."


def _predicted(s: "FitStatistics", q2: float) -> str:
    if s.parts.is_exact:
        return EXACT_FIT
    if q2 < 0:
        verdict = "runs left out are predicted worse than by their mean: do not predict with it"
    elif q2 < GOOD_Q2:
        verdict = f"weak (below {GOOD_Q2:g}): it gives direction, not precision"
    elif q2 < EXCELLENT_Q2:
        verdict = f"good (above {GOOD_Q2:g})"
    else:
        verdict = f"excellent (above {EXCELLENT_Q2:g})"
    text = f"{q2:.3f}: {verdict} (Eriksson et al. 2008)."
    if s.r2 is not None and s.r2 - q2 > LARGE_GAP:
        text += f" R2 is more than {LARGE_GAP:g} higher: too many terms, or single runs decide."
    return text


def _missing_press(s: "FitStatistics") -> str:
    if s.full_leverage and s.parts.residual.degrees > 0:
        return (
            f"Not available: run {s.full_leverage[0]} has leverage 1, so the others cannot "
            "predict it. Leave out the term that rests on it, or repeat the run."
        )
    return "Not available: no degrees of freedom are left to predict a run from the others."


def _criteria(s: "FitStatistics") -> dict[str, str]:
    use = "compare it between models of the same runs, lower is better; alone it says nothing"
    none = "Not available: the residuals are zero or have no degrees of freedom."
    short = f"Not available: {s.n_runs} runs are too few for {s.n_coefficients + 1} parameters."
    return {
        "log likelihood": none
        if s.log_likelihood is None
        else "How likely the values are under the model; higher is closer, not better.",
        "AICc": (none if s.log_likelihood is None else short)
        if s.aicc is None
        else f"Balances closeness against terms: {use} (Hurvich and Tsai 1989).",
        "BIC": none
        if s.bic is None
        else f"As AICc, harder on terms when runs are many: {use} (Schwarz 1978).",
    }


def _reproducibility(s: "FitStatistics") -> str:
    value = s.reproducibility
    if value is None and s.parts.has_identical_replicates:
        return "Not available: the replicates are identical."
    if value is None:
        return "Not available: no setting was repeated, so the noise alone is not known."
    if value < REPRODUCIBLE:
        return (
            f"{value:.3f} is low (below {REPRODUCIBLE:g}, Eriksson et al. 2008): replicates differ "
            "nearly as much as settings; look at the method and the control of the process."
        )
    return f"{value:.3f}: replicates agree well against the whole variation (Eriksson et al. 2008)."


def _validity(s: "FitStatistics") -> str:
    value = s.model_validity
    if value is None:
        lacking = (
            "no setting was repeated"
            if s.parts.pure_error.degrees < 1
            else "the replicates are identical"
            if s.parts.has_identical_replicates
            else "no degrees of freedom are left for lack of fit"
            if s.parts.lack_of_fit.degrees < 1
            else "replicates and residual do not allow the test"
        )
        return f"Not available: {lacking}."
    if has_artificial_lack_of_fit(s):
        return (
            f"{value:.2f} shows lack of fit, but it is artificial: replicates agree unusually well "
            f"(reproducibility {s.reproducibility:.3f}) while Q2 is {s.q2:.3f}. The model predicts "
            "well; ask whether the replicates were run independently."
        )
    if value < VALID:
        return (
            f"{value:.2f} is below {VALID:g}, lack of fit is significant at 5 % "
            "(Eriksson et al. 2008): the model misses something. Consider further terms, another "
            "scale, or an outlier."
        )
    return f"{value:.2f} is above {VALID:g}: no lack of fit is seen (Eriksson et al. 2008)."
