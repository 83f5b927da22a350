"""The ways through candidate terms: forward, backward, stepwise, all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from doe.errors import InvalidValueError, TooFewDataError
from doe.terms import Term, Terms
from surrogates.linear.fitting import terms_of
from surrogates.linear.model import LinearModel
from surrogates.linear.reports.decomposition import decompose
from surrogates.linear.reports.statistics import aicc, bic
from surrogates.linear.screening.selection import (
    Action,
    Rule,
    Selection,
    Step,
    saturation,
    selection_notes,
    stopping,
)
from surrogates.linear.screening.subsets import Subsets, subsets_of
from surrogates.linear.term_formulas import (
    SortKey,
    is_blending,
    named_terms,
    parents,
    sort_key,
    terms_from,
)

# Differences smaller than this share are ties.
TIE = 1e-9
# Squares smaller than this share of all are rounding: the fit is exact.
EXACT = 1e-24
RUNNERS_UP = 9
# Adding stops where fewer degrees of freedom, or a smaller share of the runs, would be left.
MIN_DEGREES, MIN_SHARE = 3, 0.25

Subset = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class _Test:
    """A term that would come or go: its F test, and the criterion of the model after that."""

    term: Term
    f: float
    p: float
    value: float


@dataclass(eq=False)
class _Search:
    """Models of the candidates, their criteria, and the steps so far."""

    model: LinearModel
    rule: Rule
    subsets: Subsets
    offset: float
    explainable: float
    steps: list[Step] = field(default_factory=list)
    known: dict[frozenset[Term], float] = field(default_factory=dict)
    stopped: str = ""

    def __post_init__(self) -> None:
        terms = self.subsets.terms
        self.needs = {term: parents(term, terms) if self.rule.hierarchy else () for term in terms}

    def rss(self, subsets: Sequence[Subset]) -> list[float]:
        """Return residual sums of squares, 0 where the fit is exact; ``nan`` where impossible."""
        keys = [frozenset(subset) for subset in subsets]
        pairs = zip(keys, subsets, strict=True)
        new = {key: subset for key, subset in pairs if key not in self.known}
        exact = EXACT * self.subsets.total
        for key, value in zip(new, self.subsets.rss(list(new.values())), strict=True):
            self.known[key] = 0.0 if value <= exact else float(value)
        return [self.known[key] for key in keys]

    def degrees(self, subset: Subset) -> int:
        """Return the residual degrees of freedom."""
        return self.subsets.n_runs - self.subsets.n_columns(subset)

    @property
    def least_degrees(self) -> int:
        """The residual degrees of freedom that adding terms has to leave."""
        return max(MIN_DEGREES, int(np.ceil(MIN_SHARE * self.subsets.n_runs)))

    def criteria(self, subset: Subset, rss: float) -> tuple[float | None, float | None]:
        """Return AICc and BIC; None where not available."""
        n, parameters = self.subsets.n_runs, self.subsets.n_columns(subset) + 1
        if not rss > 0 or self.degrees(subset) < 1:
            return None, None
        likelihood = self.offset - 0.5 * n * (np.log(2 * np.pi * rss / n) + 1)
        return aicc(float(likelihood), n, parameters), bic(float(likelihood), n, parameters)

    def value(self, subset: Subset, rss: float) -> float:
        """Return the criterion to make small, infinite where it is not available."""
        a, b = self.criteria(subset, rss)
        found = b if self.rule.criterion == "BIC" else a
        return float("inf") if found is None or np.isnan(rss) else found

    def removable(self, subset: Subset) -> list[Term]:
        """Return the terms that no other of the subset builds on, the first to go in front."""
        needed = {parent for term in subset for parent in self.needs[term]}
        free = [term for term in subset if term not in needed]
        return sorted(free, key=sort_key, reverse=True)

    def addable(self, subset: Subset) -> list[Term]:
        """Return the terms whose parents are all there, the first to come in front."""
        inside = set(subset)
        free = [
            term
            for term in self.subsets.terms
            if term not in inside and inside.issuperset(self.needs[term])
        ]
        return sorted(free, key=sort_key)

    def tests(self, subset: Subset, terms: Sequence[Term], *, adding: bool) -> list[_Test]:
        """Return the test of each term on entering or leaving; impossible ones are left out."""
        others = [_with(subset, t) if adding else _without(subset, t) for t in terms]
        here = self.rss([subset])[0]
        found = []
        for term, other, rss in zip(terms, others, self.rss(others), strict=True):
            small, large = (here, rss) if adding else (rss, here)
            larger = other if adding else subset
            if not np.isnan(rss):
                f, p = self._f_test(small, large, len(self.subsets.places[term]), larger)
                found.append(_Test(term, f, p, self.value(other, rss)))
        return found

    def _f_test(
        self, without: float, with_it: float, columns: int, larger: Subset
    ) -> tuple[float, float]:
        left = self.degrees(larger)
        if left < 1:
            return float("nan"), float("nan")
        if with_it == 0:
            return (float("inf"), 0.0) if without > 0 else (0.0, 1.0)
        f = max(without - with_it, 0.0) / columns / (with_it / left)
        return f, float(special.fdtrc(columns, left, f))

    def log(self, action: Action, name: str, subset: Subset, test: _Test | None = None) -> None:
        """Write down a step and the model after it."""
        self.steps.append(self._step(action, name, subset, test))

    def _step(self, action: Action, name: str, subset: Subset, test: _Test | None) -> Step:
        rss, left = self.rss([subset])[0], self.degrees(subset)
        a, b = self.criteria(subset, rss)
        return Step(
            number=len(self.steps),
            action=action,
            term=name,
            f=None if test is None or np.isnan(test.f) else test.f,
            p=None if test is None or np.isnan(test.p) else test.p,
            aicc=a,
            bic=b,
            r2=1 - rss / self.explainable if self.explainable > 0 else None,
            residual_std=float(np.sqrt(rss / left)) if left > 0 else None,
            n_coefficients=self.subsets.n_columns(subset),
        )


def search(
    model: LinearModel, candidates: Terms | str | None, rule: Rule, forced: tuple[str, ...]
) -> Selection:
    """Return what a rule chooses; see ``select_terms``."""
    terms = model.terms if candidates is None else terms_of(candidates, model.space)
    always = _always(model, terms, forced, hierarchy=rule.hierarchy)
    subsets = subsets_of(model, terms, always)
    slopes = model.transform.slope(model.rows.measured)
    own = float(0.5 * np.log(model.weights).sum() + np.log(slopes).sum())
    work = _Search(
        model,
        rule,
        subsets,
        offset=own if np.isfinite(own) else 0.0,
        explainable=decompose(model).explainable.squares,
    )
    match rule.method:
        case "backward":
            chosen = _backward(work)
        case "forward" | "stepwise":
            chosen = _forward(work)
        case "all":
            chosen = _best_of_all(work)
    lost = [term for term in terms.terms if term not in always and term not in subsets.terms]
    final = terms_from([t for t in terms.terms if t in always or t in chosen], model.space)
    return Selection(
        method=rule.method,
        criterion=rule.criterion,
        keeps_hierarchy=rule.hierarchy,
        forced=tuple(term.name for term in always),
        enter=rule.enter,
        leave=rule.leave,
        steps=tuple(work.steps),
        terms=final,
        model=model.refit(final),
        n_candidates=len(subsets.terms),
        n_models=len(work.known),
        notes=tuple(selection_notes(model, lost, hierarchy=rule.hierarchy)),
        stopped=work.stopped,
        caution=_caution(work),
    )


def _always(
    model: LinearModel, terms: Terms, forced: tuple[str, ...], *, hierarchy: bool
) -> tuple[Term, ...]:
    stay = dict.fromkeys(t for t in terms.terms if t.is_intercept or is_blending(t, model.space))
    waiting = list(named_terms(forced, terms))
    while waiting:
        term = waiting.pop()
        if term not in stay:
            stay[term] = None
            waiting.extend(parents(term, terms.terms) if hierarchy else ())
    return tuple(term for term in terms.terms if term in stay)


def _backward(work: _Search) -> Subset:
    subset = work.subsets.terms
    if np.isnan(work.rss([subset])[0]) or work.degrees(subset) < 1:
        raise TooFewDataError(
            f"{work.subsets.n_runs} runs and {work.subsets.n_columns(subset)} coefficients of all "
            "candidates leave no degrees of freedom to test the first removal, or some cannot be "
            "told apart: take method='forward', fewer candidates, or Lenth's method (effects)."
        )
    if work.rule.criterion != "p" and not np.isfinite(work.value(subset, work.rss([subset])[0])):
        raise TooFewDataError(
            f"{work.rule.criterion} is not available for the model with all candidates "
            f"({work.subsets.n_columns(subset)} coefficients, {work.subsets.n_runs} runs): take "
            "criterion='p', method='forward', or fewer candidates."
        )
    work.log("start", _names(subset), subset)
    while True:
        gone = _worst(work, subset)
        if gone is None:
            return subset
        subset = _without(subset, gone.term)
        work.log("removed", gone.term.name, subset, gone)


def _forward(work: _Search) -> Subset:
    subset: Subset = ()
    work.log("start", _names(subset), subset)
    seen = {frozenset(subset)}
    while True:
        come = _best(work, subset)
        if come is None:
            return subset
        left = work.degrees(_with(subset, come.term))
        if left < work.least_degrees:
            runs, least = work.subsets.n_runs, work.least_degrees
            work.stopped = stopping(come.term.name, left, least, n_runs=runs)
            return subset
        subset = _with(subset, come.term)
        work.log("added", come.term.name, subset, come)
        while work.rule.method == "stepwise":
            gone = _worst(work, subset)
            if gone is None:
                break
            subset = _without(subset, gone.term)
            work.log("removed", gone.term.name, subset, gone)
        if frozenset(subset) in seen:
            return subset
        seen.add(frozenset(subset))


def _caution(work: _Search) -> str:
    every = work.subsets.terms
    if work.rule.method not in ("forward", "stepwise") or work.degrees(every) >= work.least_degrees:
        return ""
    return saturation(work.subsets.n_runs, work.subsets.n_columns(every))


def _worst(work: _Search, subset: Subset) -> _Test | None:
    """Return the term to remove next, or None when all are to stay."""
    tests = work.tests(subset, work.removable(subset), adding=False)
    if work.rule.criterion == "p":
        tests = [test for test in tests if test.p > work.rule.leave]
        # The term of the largest p; with several columns p and F need not agree.
        return _first(tests, [-test.p for test in tests])
    now = work.value(subset, work.rss([subset])[0])
    tests = [test for test in tests if test.value < now - TIE * abs(now)]
    return _first(tests, [test.value for test in tests])


def _best(work: _Search, subset: Subset) -> _Test | None:
    """Return the term to add next, or None when none is to come."""
    tests = work.tests(subset, work.addable(subset), adding=True)
    if work.rule.criterion == "p":
        tests = [test for test in tests if test.p <= work.rule.enter]
        # p values far out underflow to 0, where F still tells them apart.
        smallest = min((test.p for test in tests), default=0.0)
        tests = [test for test in tests if test.p <= smallest * (1 + TIE)]
        return _first(tests, [-test.f for test in tests])
    now = work.value(subset, work.rss([subset])[0])
    tests = [test for test in tests if test.value < now - TIE * abs(now)]
    return _first(tests, [test.value for test in tests])


def _first(tests: Sequence[_Test], keys: Sequence[float]) -> _Test | None:
    """Return the first of those whose key is the smallest, but for rounding."""
    if not tests:
        return None
    least = min(keys)
    if not np.isfinite(least):
        return tests[keys.index(least)]
    pairs = zip(tests, keys, strict=True)
    return next(test for test, key in pairs if key <= least + TIE * max(abs(least), TIE))


def _best_of_all(work: _Search) -> Subset:
    models = _all_models(work)
    rss = work.rss(models)
    possible = [
        (subset, squares)
        for subset, squares in zip(models, rss, strict=True)
        if not np.isnan(squares) and work.degrees(subset) >= 1
    ]
    if work.rule.criterion == "p":
        scores = [squares / work.degrees(subset) for subset, squares in possible]
    else:
        scores = [work.value(subset, squares) for subset, squares in possible]
    order = _ranked([subset for subset, _ in possible], scores)
    ranked = [possible[i][0] for i in order if np.isfinite(scores[i])]
    if work.rule.criterion == "p":
        ranked = _all_significant(work, ranked)
    if not ranked:
        raise TooFewDataError(
            f"No model of the candidates leaves enough degrees of freedom for "
            f"{work.rule.criterion} with {work.subsets.n_runs} runs: add runs."
        )
    for place, subset in enumerate(ranked[: 1 + RUNNERS_UP]):
        work.log("runner-up" if place else "chosen", _names(subset), subset)
    return ranked[0]


def _ranked(subsets: Sequence[Subset], scores: Sequence[float]) -> list[int]:
    # Rounded, so that equals are told apart by their terms and not by rounding.
    scale = max((abs(score) for score in scores if np.isfinite(score)), default=1.0) or 1.0
    keys = [
        (round(score / scale, 9) if np.isfinite(score) else score, len(subset), _sorted(subset))
        for subset, score in zip(subsets, scores, strict=True)
    ]
    return sorted(range(len(subsets)), key=keys.__getitem__)


def _all_significant(work: _Search, ranked: Sequence[Subset]) -> list[Subset]:
    """Return the first models in which every removable term has a small enough p value."""
    found = []
    for subset in ranked:
        tests = work.tests(subset, work.removable(subset), adding=False)
        if all(test.p <= work.rule.leave for test in tests):
            found.append(subset)
        if len(found) > RUNNERS_UP:
            break
    return found


def _all_models(work: _Search) -> list[Subset]:
    """Return every subset of the candidates that keeps to hierarchy where it is asked for."""
    terms = sorted(work.subsets.terms, key=sort_key)
    found: list[Subset] = [()]
    for term in terms:
        needs = set(work.needs[term])
        found += [
            (*subset, term)
            for subset in found
            if needs.issubset(subset) and work.degrees((*subset, term)) >= 1
        ]
        if len(found) > work.rule.max_models:
            raise InvalidValueError(
                f"More than max_models={work.rule.max_models} models can be made of "
                f"{len(terms)} candidate terms: take method='backward' or 'stepwise', fewer "
                "candidates, or a larger max_models."
            )
    return found


def _with(subset: Subset, term: Term) -> Subset:
    return (*subset, term)


def _without(subset: Subset, term: Term) -> Subset:
    return tuple(other for other in subset if other != term)


def _sorted(subset: Subset) -> list[SortKey]:
    return sorted(sort_key(term) for term in subset)


def _names(subset: Subset) -> str:
    return ", ".join(term.name for term in sorted(subset, key=sort_key)) or "none"
