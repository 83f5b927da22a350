"""Choosing the terms of a model: forward, backward, stepwise, best of all; every step is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.errors import InvalidValueError
from doe.terms import Term, Terms
from surrogates.linear.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

Method = Literal["forward", "backward", "stepwise", "all"]
Criterion = Literal["p", "AICc", "BIC"]
Action = Literal["start", "added", "removed", "chosen", "runner-up"]

OPTIMISM = (
    "The terms were chosen by looking at these results: the p values (that of the whole model "
    "too), R2 and intervals of the chosen model are too good, and the more so the more terms were "
    "looked at (Freedman 1983, American Statistician 37, 152-155). Confirm it by new runs."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How terms are chosen; see ``select_terms``."""

    method: Method
    criterion: Criterion
    enter: float
    leave: float
    hierarchy: bool
    max_models: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a selection.

    Attributes:
        number: From 0, the start.
        action: What was done.
        term: The term added or removed; for ``all`` the terms of the model.
        f: Its F on entering or leaving; None where none was tested.
        p: Its p value; None likewise.
        aicc: Criterion of the model after the step; None where not available.
        bic: Likewise.
        r2: Share of the variation (within blocks) that the model explains after the step.
        residual_std: After the step; None without degrees of freedom.
        n_coefficients: After the step, those of blocks counted.
    """

    number: int
    action: Action
    term: str
    f: float | None
    p: float | None
    aicc: float | None
    bic: float | None
    r2: float | None
    residual_std: float | None
    n_coefficients: int


@dataclass(frozen=True, eq=False)
class Selection:
    """A model chosen from candidates, and how.

    Attributes:
        method: The way through the candidates.
        criterion: What decided.
        keeps_hierarchy: Whether a term needs those that it builds on.
        forced: Terms that had to stay, with those that they build on.
        enter: Largest p value of a term that is added.
        leave: Largest p value of a term that stays.
        steps: What was done, in order.
        terms: The chosen terms.
        model: The chosen model.
        n_candidates: How many terms were free to come and go.
        n_models: How many models were compared.
        notes: What has to be known to read it, each a sentence.
        stopped: Why no more terms were added though some would have come; empty otherwise.
        caution: That the candidates nearly use up the runs; empty otherwise, and for ``all`` and
            ``backward``.
    """

    method: Method
    criterion: Criterion
    keeps_hierarchy: bool
    forced: tuple[str, ...]
    enter: float
    leave: float
    steps: tuple[Step, ...]
    terms: Terms
    model: "LinearModel"
    n_candidates: int
    n_models: int
    notes: tuple[str, ...]
    stopped: str = ""
    caution: str = ""

    def table(self) -> "pd.DataFrame":
        """Return a row per step: what was done to which term, its statistic, and the model after.

        Missing numbers are those that were not tested or are not available.
        """
        import pandas as pd

        def column(attribute: str) -> list[float]:
            values = (getattr(step, attribute) for step in self.steps)
            return [float("nan") if value is None else value for value in values]

        return pd.DataFrame(
            {
                "step": [step.number for step in self.steps],
                "action": [step.action for step in self.steps],
                "term": [step.term for step in self.steps],
                "F": column("f"),
                "p": column("p"),
                "AICc": column("aicc"),
                "BIC": column("bic"),
                "R2": column("r2"),
                "residual SD": column("residual_std"),
                "coefficients": [step.n_coefficients for step in self.steps],
            }
        ).set_index("step")

    def sentence(self) -> str:
        """Return what was chosen and how."""
        names = [name for name in self.terms.names if name != "Intercept"]
        kept = "kept" if self.keeps_hierarchy else "not asked for"
        limit = {
            "forward": f", entering below {self.enter:g}",
            "backward": f", leaving above {self.leave:g}",
            "stepwise": f", entering below {self.enter:g} and leaving above {self.leave:g}",
            "all": f", each term below {self.leave:g}",
        }[self.method]
        rule = f"p value{limit}" if self.criterion == "p" else self.criterion
        way = "comparison of all models" if self.method == "all" else f"{self.method} selection"
        text = (
            f"By {way} ({rule}; hierarchy {kept}; {counted(self.n_models, 'model')} of "
            f"{counted(self.n_candidates, 'candidate')}): "
            f"{', '.join(names) or 'no term but the intercept'}."
        )
        whole = self.model.anova().row("Model")
        if whole.p is not None:
            text += (
                f" The p value of the whole model, {whole.p:.3g}, is too small, since its terms "
                "were chosen by these same results."
            )
        return " ".join(part for part in (text, self.caution, self.stopped) if part)


def select_terms(
    model: "LinearModel",
    candidates: Terms | str | None = None,
    *,
    method: Method = "backward",
    criterion: Criterion = "p",
    enter: float = 0.10,
    leave: float = 0.10,
    hierarchy: bool = True,
    forced: Sequence[str] = (),
    max_models: int = 50_000,
) -> Selection:
    """Return the terms that a rule chooses, with every step and the model that results.

    Nothing is chosen behind anyone's back: this suggests, and the scientist decides.

    - ``backward`` starts from all candidates and removes the least useful term while there is one;
    - ``forward`` starts from the forced terms and adds the most useful; with hierarchy an
      interaction comes into question only after what it builds on;
    - ``stepwise`` is forward with removals between; neither adds a term that leaves fewer residual
      degrees of freedom than 3 or a quarter of the runs, where a noise made small by the choice
      lets every further term in;
    - ``all`` compares every model (every hierarchical one).

    By ``p`` the F test of a term after all others decides; of all models the one with the smallest
    residual SD is taken among those in which every removable term has a p value of at most
    ``leave``. By ``AICc`` or ``BIC`` the smaller criterion decides. A term with several columns
    comes and goes as one. Equal terms are taken in an order that does not depend on that of the
    factors: of two equals the one of lower order, then the one first in the alphabet, stays.

    Args:
        model: Gives the runs, blocks, weights and scale.
        candidates: Terms, a formula or an order such as ``quadratic`` to choose from, more than
            there are runs if need be (not for ``backward``); those of ``model`` when absent.
        method: The way through the candidates.
        criterion: What decides.
        enter: Largest p value of a term that is added.
        leave: Largest p value of a term that stays; at least ``enter`` for ``stepwise``.
        hierarchy: Whether a term needs the terms that it builds on (A and B for ``A:B``).
        forced: Names of terms that stay, and what they build on with them. The intercept and the
            linear blending of mixture components always stay.
        max_models: Most models that ``all`` compares.

    Raises:
        InvalidValueError: If an argument is not allowed, a name is unknown, or there are too many
            models.
        TooFewDataError: If the runs leave nothing to judge a term by.

    Source:
        Draper and Smith (1998), Applied Regression Analysis, 3rd ed., chapter 15; Miller (2002),
        Subset Selection in Regression, 2nd ed.; hierarchy: Peixoto (1990), American Statistician
        44, 26-30; AICc: Hurvich and Tsai (1989), Biometrika 76, 297-307.
    """
    from surrogates.linear.screening.selection_search import search

    _check(method, criterion, enter, leave, max_models)
    rule = Rule(method, criterion, enter, leave, hierarchy, max_models)
    return search(model, candidates, rule, tuple(forced))


def stopping(term: str, left: int, least: int, *, n_runs: int) -> str:
    """Return why no more terms were added.

    Args:
        term: The term that would have come.
        left: Residual degrees of freedom that it would have left.
        least: Those that are kept.
        n_runs: Runs.
    """
    return (
        f"Adding stopped before '{term}', which would leave {left} residual degrees of freedom of "
        f"{n_runs} runs; at least {least} are kept (3, or a quarter of the runs)."
    )


def saturation(n_runs: int, n_columns: int) -> str:
    """Return the caution where the candidates make up nearly as many columns as there are runs.

    Args:
        n_runs: Runs.
        n_columns: Coefficients of all candidates.
    """
    return (
        f"The candidates make up {n_columns} coefficients of {n_runs} runs: out of so many some "
        "always fit what is noise, and the noise that is left looks too small, so that no F or p "
        "value here shows an effect. Judge the effects by Lenth's method, or add runs."
    )


def selection_notes(model: "LinearModel", lost: Sequence[Term], *, hierarchy: bool) -> list[str]:
    """Return what has to be known to read a selection."""
    notes = [OPTIMISM]
    if not hierarchy:
        notes.append(
            "Hierarchy was not asked for: a model with an interaction or square without what it "
            "builds on changes its meaning with the coding of the factors."
        )
    if lost:
        notes.append(
            f"{', '.join(term.name for term in lost)} cannot be told apart from terms that stay in "
            "these runs, and did not take part."
        )
    if model.recommended:
        notes.append(
            f"{len(model.recommended)} of {model.n_runs} runs were recommended by an optimizer, "
            "not drawn at random: p values are descriptive."
        )
    return notes


def _check(
    method: Method, criterion: Criterion, enter: float, leave: float, max_models: int
) -> None:
    for name, choice, allowed in (
        ("method", method, get_args(Method)),
        ("criterion", criterion, get_args(Criterion)),
    ):
        if choice not in allowed:
            raise InvalidValueError(f"{name} is {choice!r}; expected one of {', '.join(allowed)}.")
    for name, value in (("enter", enter), ("leave", leave)):
        if not (np.isfinite(value) and 0 < value <= 1):
            raise InvalidValueError(
                f"{name} is {value}; expected a p value above 0 and up to 1, such as 0.05."
            )
    if method == "stepwise" and criterion == "p" and enter > leave:
        raise InvalidValueError(
            f"enter is {enter:g} and leave {leave:g}: terms would come and go for ever. Choose "
            "leave at least as large as enter."
        )
    if max_models < 1:
        raise InvalidValueError(f"max_models is {max_models}; expected at least 1.")
