"""What a fit may be told: the preset of kernel and priors, fixed hyper-parameters, the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from doe.errors import InvalidValueError
from surrogates.learning_rows import Censored

KernelName = Literal["matern52", "rbf"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A kernel and its priors, fixed under a name and a version that is stored with each fit.

    Inputs are in the unit cube and outputs have mean 0 and SD 1, so all scales are relative:
    lengths to the range of a factor, deviations to the SD of the observed values. The fit takes
    the mode of the density of the logarithms of all scales, where their posterior is closest to
    normal; each prior is stated as that density.

    Attributes:
        name: What it is called.
        version: Raised whenever a number here changes.
        kernel: Covariance over the numeric factors, one length scale each.
        length_shape: Shape of the inverse-gamma prior on a length scale.
        length_rate: Its rate, times sqrt(d) for d numeric factors. Features much narrower than
            a few tens of runs can show are ruled out; factors without effect are not.
        level_log_mean: Logarithm of the median scale of a categorical factor; two levels
            correlate by exp(-1/scale).
        level_log_std: Spread of that logarithm.
        signal_log_std: Spread of the log variance of the surface about 1.
        level_std: Prior SD of the overall level, which is integrated out, not estimated.
        block_rate: Rate of the exponential prior on the SD between random blocks.
        fixed_block_std: Prior SD of the effects of fixed blocks: wide.
        noise_log_mean: Logarithm of the median noise variance.
        noise_log_std: Spread of that logarithm.
    """

    name: str
    version: int
    kernel: KernelName
    length_shape: float = 1.5
    length_rate: float = 0.5
    level_log_mean: float = 0.0
    level_log_std: float = 1.0
    signal_log_std: float = 0.5
    level_std: float = 1.0
    block_rate: float = 2.0
    fixed_block_std: float = 10.0
    noise_log_mean: float = -3.0
    noise_log_std: float = 1.0

    @property
    def label(self) -> str:
        """Name and version, such as ``matern52-blocks v1``."""
        return f"{self.name} v{self.version}"

    def sources(self) -> dict[str, str]:
        """Return where each choice comes from."""
        return {
            "density of the logarithms": "MacKay (1998), Machine Learning 33, 77-86",
            "length scales": (
                "inverse-gamma, which has no mass at zero and a long right tail: Stan User's "
                "Guide, section Gaussian Processes; growing with sqrt(d): Hvarfner, Hellsten and "
                "Nardi (2024), ICML, arXiv:2402.02229"
            ),
            "level": "integrated over a normal prior: Omre (1987), Mathematical Geology 19, 25-39",
            "blocks": (
                "the density of the log SD under an exponential prior is a gamma(2) penalty on "
                "the SD, which keeps it off zero without deciding it: Chung, Rabe-Hesketh, Dorie, "
                "Gelman and Liu (2013), Psychometrika 78, 685-709"
            ),
            "noise": "log-normal; median 22 % and 95 % range 8 to 60 % of the SD of the values",
        }


PRESETS: Mapping[KernelName, Preset] = {
    "matern52": Preset("matern52-blocks", 1, "matern52"),
    "rbf": Preset("rbf-blocks", 1, "rbf"),
}


@dataclass(frozen=True, slots=True)
class FixedHyperparameters:
    """Hyper-parameters that are given instead of learned; each one absent is learned.

    All are in the natural unit of response and factors; for a transformed response in the
    transformed unit, for a log-scaled factor in natural-log units.

    Attributes:
        mean: The level far from all runs, known exactly (simple kriging).
        signal_variance: Variance of the surface about the level.
        length_scales: Per numeric factor; all or none.
        noise_variance: Variance between runs at one setting.
        block_variances: Per random block factor.
    """

    mean: float | None = None
    signal_variance: float | None = None
    length_scales: Mapping[str, float] | None = field(default=None, hash=False)
    noise_variance: float | None = None
    block_variances: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        numbers = {
            "signal_variance": self.signal_variance,
            "noise_variance": self.noise_variance,
            **{f"length scale of '{k}'": v for k, v in (self.length_scales or {}).items()},
            **{f"block variance of '{k}'": v for k, v in self.block_variances.items()},
        }
        for what, value in numbers.items():
            if value is not None and not value > 0:
                raise InvalidValueError(f"Fixed {what} must be positive, got {value}.")


@dataclass(frozen=True, slots=True)
class GPOptions:
    """How a Gaussian process is fitted.

    Attributes:
        kernel: Which preset of kernel and priors.
        fixed: Hyper-parameters that are given instead of learned.
        censored: What to do with values known only as a limit.
        n_starts: From how many starting values the hyper-parameters are searched.
        max_iterations: Iterations of each search.
        device: ``auto`` takes a GPU when there is one and the runs are many enough to gain.
    """

    kernel: KernelName = "matern52"
    fixed: FixedHyperparameters = FixedHyperparameters()
    censored: Censored = "refuse"
    n_starts: int = 4
    max_iterations: int = 200
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.kernel not in PRESETS:
            raise InvalidValueError(f"kernel {self.kernel!r} is unknown; use {list(PRESETS)}.")
        if self.n_starts < 1 or self.max_iterations < 1:
            raise InvalidValueError(
                f"n_starts and max_iterations must be at least 1, got {self.n_starts} and "
                f"{self.max_iterations}."
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise InvalidValueError(f"device {self.device!r} is unknown; use auto, cpu or cuda.")

    @property
    def preset(self) -> Preset:
        """The kernel and priors."""
        return PRESETS[self.kernel]
