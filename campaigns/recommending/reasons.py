"""The sentence behind a tag: the numbers of the decomposition in natural units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition
from campaigns.recommending.explanation import Decomposition, decompose
from campaigns.recommending.goals import Wanted, log_all_within
from campaigns.recommending.repeats import Repeat
from campaigns.recommending.strategy import Reason, Tag
from campaigns.recommending.values import HypervolumeImprovement, ReliabilityImprovement
from surrogates.transforms import quadrature

ALSO = 0.5  # a second cause is mentioned from this share on


def reason_for(
    acquisition: Acquisition,
    setting: Tensor,
    *,
    standing_names: Sequence[str],
    repeat: Repeat | None,
) -> Reason:
    """Return why a setting was chosen.

    Args:
        acquisition: As it was when the setting was chosen.
        setting: Encoded, shape ``(d,)``.
        standing_names: Names of the standing runs.
        repeat: What repeating a run teaches, if that is what was chosen.
    """
    parts = decompose(acquisition, setting)
    told = _Telling(acquisition, parts, tuple(standing_names))
    if repeat is not None:
        # What would be lost by doing the best new setting instead.
        lost = 1 - min(1.0, repeat.gain_of_new / max(repeat.gain, 1e-300))
        return Reason("replicate", told.replicate(repeat), {"replicate": round(lost, 6)})
    tag: Tag = parts.tag
    match tag:
        case "explore":
            sentence = told.explore()
        case "exploit":
            sentence = told.exploit()
        case "feasibility" | "replicate":
            sentence = told.feasibility()
        case _:
            assert_never(tag)
    return Reason(tag, sentence, {cause: round(s, 6) for cause, s in parts.shares.items()})


@dataclass(frozen=True, eq=False)
class _Telling:
    """A decomposition in words."""

    acquisition: Acquisition
    parts: Decomposition
    names: tuple[str, ...]

    @property
    def wanted(self) -> Wanted:
        return self.acquisition.worth.wanted

    def explore(self) -> str:
        response = self.parts.uncertain
        return (
            f"Explores: {response} is uncertain here ({self._estimate(response)}); if all were "
            f"as predicted, {self._fall(self.parts.without['explore'])}.{self._also('explore')}"
        )

    def exploit(self) -> str:
        fall = self._fall(self.parts.without["exploit"])
        if self.parts.best is None:
            return f"Exploits: what is predicted here; {fall}."
        run = self.names[self.parts.best]
        if len(self.wanted.values) > 1:
            estimates = " and ".join(
                f"{r} {self._moments(r, -1)[0]:.3g}{_space(self.acquisition.outcomes.unit(r))}"
                for r in self.wanted.responses
            )
            return (
                f"Exploits: no run so far matches the {estimates} predicted here; with only what "
                f"is expected of {run}, {fall}.{self._also('exploit')}"
            )
        if self.wanted.label in self.wanted.responses:
            new, old = (self._moments(self.wanted.label, p)[0] for p in (-1, self.parts.best))
        else:
            values = self.wanted.sign * self.wanted(self.parts.draws)[..., 0].nanmean(dim=0)
            new, old = float(values[-1]), float(values[self.parts.best])
        unit = _space(self.wanted.unit)
        return (
            f"Exploits: the predicted {self.wanted.label} is {new:.3g}{unit}, against {old:.3g}"
            f"{unit} at {run}, the best so far; with only that, {fall}.{self._also('exploit')}"
        )

    def feasibility(self) -> str:
        worth, fall = self.acquisition.worth, self._fall(self.parts.without["feasibility"])
        chances = log_all_within(self.parts.draws, worth.specifications).exp().mean(dim=0)
        meets = f"a new run here meets {self._limits()} with probability {float(chances[-1]):.2g}"
        also = self._also("feasibility")
        if not isinstance(worth, ReliabilityImprovement):
            return (
                f"Serves the specification: {meets}; if runs outside counted as well, {fall}.{also}"
            )
        best = int(chances[:-1].argmax())
        return (
            f"Looks for the specification: {meets}, against {float(chances[best]):.2g} at "
            f"{self.names[best]}, the most likely so far; with only that, {fall}.{also}"
        )

    def replicate(self, repeat: Repeat) -> str:
        response = self.parts.uncertain
        unit = _space(self.wanted.unit)
        return (
            f"Repeats {self.names[repeat.place]}: {response} is uncertain there "
            f"({self._estimate(response)}); another result is expected to raise the best choice by "
            f"{repeat.gain:.2g}{unit}, one at the best new setting by "
            f"{_left(repeat.gain_of_new, repeat.gain)}{unit}."
        )

    def _also(self, tag: Tag) -> str:
        """Return a sentence on the second cause where much depends on it too."""
        others = {c: s for c, s in self.parts.shares.items() if c != tag and s >= ALSO}
        if not others:
            return ""
        cause = max(others, key=lambda name: others[name])
        match cause:
            case "explore":
                lack = "if all were as predicted"
            case "feasibility" if not isinstance(self.acquisition.worth, ReliabilityImprovement):
                lack = "if runs outside the specification counted"
            case _:
                lack = "without the predicted gain"
        return f" It needs more than that: {lack}, {others[cause]:.0%} would be lost as well."

    def _fall(self, rest: float) -> str:
        whole, share = self.parts.whole, self.parts.share(rest)
        worth = self.acquisition.worth
        if isinstance(worth, HypervolumeImprovement):
            return f"{share:.0%} of the expected growth of the Pareto front's volume would be lost"
        if isinstance(worth, ReliabilityImprovement):
            left = _left(rest, whole)
            return (
                f"the expected gain in the probability of {self._limits()} would fall from "
                f"{whole:.2g} to {left}"
            )
        unit = _space(self.wanted.unit)
        return f"the expected improvement would fall from {whole:.2g} to {_left(rest, whole)}{unit}"

    def _limits(self) -> str:
        return " and ".join(
            limit.sentence(self.acquisition.outcomes.unit(limit.response))
            for limit in self.acquisition.worth.specifications
        )

    def _estimate(self, response: str) -> str:
        mean, std = self._moments(response, -1)
        return f"{mean:.3g} ± {std:.2g}{_space(self.acquisition.outcomes.unit(response))}, one SD"

    def _moments(self, response: str, place: int) -> tuple[float, float]:
        """Return mean and SD of a response's expected value at a standing run or the setting."""
        for row, scale in enumerate(self.acquisition.outcomes.scales):
            if scale.name == response:
                # By quadrature, so that the sentence agrees with the prediction to all digits.
                nodes, weights = (torch.from_numpy(part) for part in quadrature())
                mean = self.parts.moments.mean[row, place]
                std = self.parts.moments.covariance[row, place, place].clamp_min(0.0).sqrt()
                values = scale.to_natural(mean + std * nodes)
                centre = values @ weights
                spread = (values - centre).square() @ weights
                return float(centre), float(spread.sqrt())
        values = self.parts.draws.value(response)[:, place]
        values = values[torch.isfinite(values)]
        return float(values.mean()), float(values.std())


def _left(rest: float, whole: float) -> str:
    """Return what remains; nothing where only the smoothing of the acquisition does."""
    return "0" if rest < 1e-3 * whole else f"{rest:.2g}"


def _space(unit: str) -> str:
    return f" {unit}" if unit else ""
