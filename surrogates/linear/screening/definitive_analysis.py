"""Analysis of definitive screening designs: main effects first, then curvature and interactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.errors import DesignError, InvalidValueError
from doe.terms import Terms
from surrogates.linear.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from doe.responses import Transform
    from doe.runs import Observations
    from surrogates.linear.model import LinearModel
    from surrogates.transforms import ResponseTransform

Heredity = Literal["strong", "weak", "none"]
Stage = Literal["main effects", "second order"]
NoiseFrom = Literal["clean", "residual"]

MIN_PAIRS = 3
# With so few degrees of freedom a test at 0.05 would find next to nothing.
FEW_DEGREES = {1: 0.20, 2: 0.10}


@dataclass(frozen=True, slots=True)
class DefinitiveStep:
    """One decision of the analysis.

    Attributes:
        stage: Main effects or second order.
        what: What was looked at: a main effect, or the second-order terms tried.
        estimate: Coefficient of a main effect in coded units; None for second order.
        statistic: t of a main effect; F of what the terms leave unexplained.
        degrees: Degrees of freedom of numerator and denominator.
        p: Its p value.
        decision: What followed.
    """

    stage: Stage
    what: str
    estimate: float | None
    statistic: float
    degrees: tuple[int, int]
    p: float
    decision: str


@dataclass(frozen=True, eq=False)
class DefinitiveAnalysis:
    """What a definitive screening design says, and how that was found.

    Attributes:
        response: What was measured.
        heredity: Which main effects a second-order effect needs.
        main_effects: Active main effects, largest first.
        second_order: Active second-order effects, as they were chosen.
        main_std: Noise SD from fake factors and repeats alone, or as ``noise_source`` says.
        main_degrees: Its degrees of freedom.
        noise_std: The same with the inactive main effects added.
        noise_degrees: Its degrees of freedom.
        noise_source: Where the noise comes from, in words.
        steps: Every decision, in order.
        terms: Intercept, active effects, and what these build on.
        model: The model with these terms, fitted to all runs.
        notes: What has to be known to read it, each a sentence.
        doubt: Why the noise is probably understated, and what to do; empty otherwise.
    """

    response: str
    heredity: Heredity
    main_effects: tuple[str, ...]
    second_order: tuple[str, ...]
    main_std: float
    main_degrees: int
    noise_std: float
    noise_degrees: int
    noise_source: str
    steps: tuple[DefinitiveStep, ...]
    terms: Terms
    model: "LinearModel"
    notes: tuple[str, ...]
    doubt: str = ""

    def table(self) -> "pd.DataFrame":
        """Return a row per decision: stage, what, estimate, statistic, degrees, p, decision."""
        import pandas as pd

        return pd.DataFrame(
            {
                "stage": [step.stage for step in self.steps],
                "what": [step.what for step in self.steps],
                "estimate": [
                    float("nan") if step.estimate is None else step.estimate for step in self.steps
                ],
                "t or F": [step.statistic for step in self.steps],
                "degrees of freedom": [
                    f"{a}, {b}" for a, b in (step.degrees for step in self.steps)
                ],
                "p": [step.p for step in self.steps],
                "decision": [step.decision for step in self.steps],
            }
        )

    def sentence(self) -> str:
        """Return what is active, and by which noise that was judged; a doubt about it first."""
        first = ", ".join(self.main_effects) or "none"
        second = ", ".join(self.second_order) or "none"
        doubt = f"{self.doubt} " if self.doubt else ""
        return (
            f"{doubt}Active main effects: {first}; active second-order effects: {second} (heredity "
            f"{self.heredity}). Noise SD {self.main_std:.4g} from {self.noise_source}, "
            f"{self.noise_std:.4g} with {counted(self.noise_degrees, 'degree of freedom')} when "
            "inactive main effects are added to it."
        )


def analyse_definitive_screening(
    observations: "Observations",
    response: str,
    *,
    heredity: Heredity = "strong",
    noise: NoiseFrom = "clean",
    main_level: float | None = None,
    second_level: float = 0.20,
    transform: "Transform | ResponseTransform | None" = None,
) -> DefinitiveAnalysis:
    """Return the active effects of a definitive screening design by the two-stage method.

    Each run has a mirror image, so that half the difference of a pair holds main effects and half
    the sum second-order effects, whatever the others are. First the main effects are tested against
    a noise that no second-order effect touches: what pairs leave beside the main effects (the fake
    factors) and what repeats differ by. Inactive main effects are then added to the noise. Second,
    among the second-order effects of the active factors, the best set of one, of two, ... is taken
    until what is left is no larger than the noise (beyond pure error, which is part of the noise
    and not counted twice), or half of what can be told apart is used.

    Where nothing but the main effects themselves measures the noise (no fake factors, no repeats),
    the largest main effects are tested against the others, and the set with the smallest p value is
    taken.

    Args:
        observations: Runs in mirror pairs, and at the centre; with fixed blocks if need be.
        response: A measured response.
        heredity: Whether an interaction needs both main effects to be active (``strong``) or one
            (``weak``), and a square its own; ``none`` allows all.
        noise: What main effects are tested against: the noise that no second-order effect touches
            (``clean``), or all that the main effects leave, second-order effects with it
            (``residual``), for repeats that understate the noise, such as samples of one
            preparation.
        main_level: p value below which a main effect is active; when absent 0.05, but 0.10 with two
            degrees of freedom for the noise and 0.20 with one.
        second_level: p value above which what is left is taken as noise.
        transform: The scale on which the response is modelled; the response's own when absent.

    Raises:
        DesignError: If the runs are not mirror images of each other.
        InvalidValueError: If an argument is not allowed.
        TooFewDataError: If there are too few runs for the main effects.

    Source:
        Jones and Nachtsheim (2017), Technometrics 59, 319-329: the two stages; with no estimate of
        the noise: JMP 13 Design of Experiments Guide, Fit Definitive Screening, stage 1, case 2.
    """
    from surrogates.linear.model import fit_linear
    from surrogates.linear.screening.definitive_stages import Levels, analyse

    if heredity not in get_args(Heredity):
        raise InvalidValueError(
            f"heredity is {heredity!r}; expected one of {', '.join(get_args(Heredity))}."
        )
    if noise not in get_args(NoiseFrom):
        raise InvalidValueError(f"noise is {noise!r}; expected {' or '.join(get_args(NoiseFrom))}.")
    levels = [second_level] if main_level is None else [second_level, main_level]
    for level in levels:
        if not 0 < level < 1:
            raise InvalidValueError(
                f"A level is {level}; expected a p value between 0 and 1, such as 0.05."
            )
    main = fit_linear(observations, response, "linear", transform=transform)
    return analyse(main, Levels(heredity, noise, main_level, second_level))


def level_for(degrees: int, chosen: float | None) -> float:
    """Return the p value below which a main effect is active."""
    return FEW_DEGREES.get(degrees, 0.05) if chosen is None else chosen


def check_pairs(n_pairs: int, n_factors: int, unpaired: Sequence[str]) -> None:
    """Refuse runs that are no mirror images of each other.

    Raises:
        DesignError: If there are fewer pairs than factors.
    """
    if n_pairs >= max(MIN_PAIRS, n_factors):
        return
    first = f"; run '{unpaired[0]}' is one of {len(unpaired)} without" if unpaired else ""
    raise DesignError(
        f"{n_pairs} pairs of runs are mirror images of each other in one block{first}; the two "
        f"stages need at least {max(MIN_PAIRS, n_factors)}, one per factor. For other designs use "
        "select_terms."
    )


def std_of(squares: float, degrees: int) -> float:
    """Return the SD of a sum of squares; ``nan`` without degrees of freedom."""
    return float(np.sqrt(squares / degrees)) if degrees else float("nan")
