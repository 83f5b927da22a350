"""What a run may turn out to give: joint draws of every response, in natural units, with gradients.

A draw is of the surfaces: of what runs at a setting give on average. ``log_within`` adds what one
run may differ from that by, noise and block effect, and gives the probability that a new run meets
its limits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from doe.expressions import parse_expression
from doe.responses import DerivedResponse, Specification

LOG_NEVER = -700.0  # exp of it is still above zero in double precision, so gradients survive


def _with_number(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def applied(first: Tensor | float, second: Tensor | float) -> Tensor:
        tensors = [a for a in (first, second) if isinstance(a, Tensor)]
        like = tensors[0] if tensors else torch.zeros((), dtype=torch.float64)
        return function(torch.as_tensor(first).to(like), torch.as_tensor(second).to(like))

    return applied


def _of_number(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def applied(value: Tensor | float) -> Tensor:
        return function(torch.as_tensor(value, dtype=torch.float64))

    return applied


TORCH_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "log": _of_number(torch.log),
    "log10": _of_number(torch.log10),
    "exp": _of_number(torch.exp),
    "sqrt": _of_number(torch.sqrt),
    "abs": _of_number(torch.abs),
    "min": _with_number(torch.minimum),
    "max": _with_number(torch.maximum),
}


@dataclass(frozen=True, slots=True)
class ResponseScale:
    """How a measured response gets from the scale it is modelled on to its natural unit.

    Attributes:
        name: The response.
        unit: Its natural unit.
        run_std: SD of one run about its expected value (noise and block), on the modelled scale.
        to_natural: Expected natural value of runs whose modelled value is given; any shape.
        to_modelled: Modelled value of a natural value; infinite beyond the domain.
        increasing: Whether larger natural values have larger modelled values.
    """

    name: str
    unit: str
    run_std: float
    to_natural: Callable[[Tensor], Tensor]
    to_modelled: Callable[[float], float]
    increasing: bool = True


@dataclass(frozen=True, slots=True)
class Draws:
    """Joint draws of what runs at several settings give.

    Attributes:
        modelled: Draws on the modelled scales, shape ``(n_draws, n_settings, n_measured)``.
        columns: Draws in natural units by response, each ``(n_draws, n_settings)``, and the
            numeric factors, each ``(n_settings,)``. NaN where an expression is not defined.
        scales: The measured responses, in the order of the last axis of ``modelled``.
        run_spread: SD of one run about its expected value, of a derived response, in each draw.
    """

    modelled: Tensor
    columns: Mapping[str, Tensor]
    scales: Sequence[ResponseScale]
    run_spread: Callable[[str], Tensor]

    def value(self, response: str) -> Tensor:
        """Return the expected natural value in each draw, shape ``(n_draws, n_settings)``."""
        return self.columns[response]

    def log_within(self, limits: Specification) -> Tensor:
        """Return the log probability that a new run meets the limits, given each draw.

        Exact for measured responses with normal noise on the modelled scale; for derived responses
        the noise is taken as normal, with the SD that the noises of the measured ones give it.
        """
        ends = (limits.lower, limits.upper)
        for place, scale in enumerate(self.scales):
            if scale.name == limits.response:
                centre = self.modelled[..., place]
                lower, upper = (None if e is None else scale.to_modelled(e) for e in ends)
                if not scale.increasing:
                    lower, upper = upper, lower
                return _log_between(centre, torch.full_like(centre, scale.run_std), lower, upper)
        value = self.value(limits.response)
        defined = torch.isfinite(value)
        centre = torch.where(defined, value, torch.zeros_like(value))
        chance = _log_between(centre, self.run_spread(limits.response), *ends)
        return torch.where(defined, chance, torch.full_like(chance, LOG_NEVER))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Turns draws on the modelled scales into draws of every response.

    Attributes:
        scales: The measured responses.
        derived: Responses that are computed from others and from factors.
        factors: Numeric factors in natural units from encoded settings ``(n_settings, d)``.
    """

    scales: tuple[ResponseScale, ...]
    derived: tuple[DerivedResponse, ...]
    factors: Callable[[Tensor], Mapping[str, Tensor]]

    def draws(self, modelled: Tensor, settings: Tensor) -> Draws:
        """Return the draws at encoded settings.

        Args:
            modelled: Shape ``(n_draws, n_settings, n_measured)``.
            settings: Shape ``(n_settings, d)``.
        """
        if self.derived and modelled.requires_grad:
            # Outside an expression's domain the derivative is NaN; such a draw has no say.
            modelled.register_hook(torch.nan_to_num)  # type: ignore[no-untyped-call]  # torch's own
        columns = self._columns(modelled, settings)
        return Draws(
            modelled,
            columns,
            self.scales,
            lambda response: self._run_spread(response, columns, modelled, settings),
        )

    def _columns(self, modelled: Tensor, settings: Tensor) -> dict[str, Tensor]:
        columns = dict(self.factors(settings))
        for place, scale in enumerate(self.scales):
            columns[scale.name] = scale.to_natural(modelled[..., place])
        for response in self.derived:
            value = parse_expression(response.expression).evaluate(
                columns, functions=TORCH_FUNCTIONS
            )
            value = torch.as_tensor(value, dtype=modelled.dtype).expand(modelled.shape[:-1])
            columns[response.name] = torch.where(
                torch.isfinite(value), value, torch.full_like(value, torch.nan)
            )
        return columns

    def _run_spread(
        self, response: str, columns: Mapping[str, Tensor], modelled: Tensor, settings: Tensor
    ) -> Tensor:
        """Return the SD that the noises of the measured responses give a derived one.

        It is the root mean square change when each measured response is moved by plus or minus one
        SD, over the rows of an orthogonal two-level design of the signs: exact for a linear
        expression, and including the curvature of others.
        """
        spread = torch.tensor([s.run_std for s in self.scales], dtype=modelled.dtype)
        total = torch.zeros_like(columns[response])
        signs = _signs(len(self.scales)).to(modelled)
        for row in signs:
            change = self._columns(modelled + row * spread, settings)[response] - columns[response]
            total = total + torch.nan_to_num(change).square()
        size = torch.nan_to_num(columns[response]).detach().abs().amax()
        return (total / len(signs)).clamp_min(float(1e-18 * size**2) + 1e-300).sqrt()

    def measured_in(self, response: str) -> tuple[str, ...]:
        """Return the measured responses that a response depends on, itself if it is measured."""
        measured = [scale.name for scale in self.scales]
        if response in measured:
            return (response,)
        found: dict[str, None] = {}
        for derived in self.derived:
            if derived.name == response:
                for name in parse_expression(derived.expression).names:
                    if name in measured or any(name == d.name for d in self.derived):
                        found.update(dict.fromkeys(self.measured_in(name)))
        return tuple(found)

    def unit(self, response: str) -> str:
        """Return the natural unit of a response."""
        units = {scale.name: scale.unit for scale in self.scales}
        units.update({derived.name: derived.unit for derived in self.derived})
        return units[response]


def _log_between(
    centre: Tensor, spread: Tensor, lower: float | None, upper: float | None
) -> Tensor:
    """Return log P(lower <= centre + spread * N(0, 1) <= upper), accurate in both tails."""
    # An infinite end has an undefined derivative; it is either no limit or an impossible one.
    low_end = -math.inf if lower is None else lower
    high_end = math.inf if upper is None else upper
    if low_end == math.inf or high_end == -math.inf:
        return torch.full_like(centre, LOG_NEVER)
    if low_end == -math.inf and high_end == math.inf:
        return torch.zeros_like(centre)
    if low_end == -math.inf:
        return _log_normal_cdf((high_end - centre) / spread).clamp_min(LOG_NEVER)
    if high_end == math.inf:
        return _log_normal_cdf((centre - low_end) / spread).clamp_min(LOG_NEVER)
    # Mirrored where both ends lie above the centre, so that no difference of near-ones is taken.
    a, b = (low_end - centre) / spread, (high_end - centre) / spread
    mirrored = a > 0
    low, high = torch.where(mirrored, -b, a), torch.where(mirrored, -a, b)
    log_high, log_low = _log_normal_cdf(high), _log_normal_cdf(low)
    gap = (log_low - log_high).clamp(LOG_NEVER, -1e-15)
    return (log_high + torch.log(-torch.expm1(gap))).clamp_min(LOG_NEVER)


def _log_normal_cdf(score: Tensor) -> Tensor:
    chance: Tensor = torch.special.log_ndtr(score)
    return chance


def _signs(n_measured: int) -> Tensor:
    """Return rows of plus and minus one whose columns are balanced and pairwise orthogonal."""
    n_rows = 1 << max(1, n_measured.bit_length())
    rows = torch.arange(n_rows)[:, None] & torch.arange(1, n_measured + 1)[None, :]
    parity = torch.zeros_like(rows)
    for bit in range(n_rows.bit_length()):
        parity = parity ^ ((rows >> bit) & 1)
    return (1 - 2 * parity).to(torch.float64)
