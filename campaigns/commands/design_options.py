"""The kinds of design that can be asked for by name, and which options each of them takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, Literal

import typer

Variant = Literal["face-centred", "inscribed", "rotatable", "spherical", "orthogonal blocks"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command.

    Attributes:
        flag: As it is typed.
        type: Of its value, as Typer reads it.
        help: What it says.
    """

    flag: str
    type: Any
    help: str

    @property
    def name(self) -> str:
        """The name of the parameter that it becomes."""
        return self.flag.removeprefix("--").replace("-", "_")

    def parameter(self) -> Parameter:
        """Return the parameter of a command that takes this option."""
        annotation: Any = Annotated[self.type, typer.Option(self.flag, help=self.help)]
        default = False if self.type is bool else None
        return Parameter(self.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


OPTIONS = (
    Option("--runs", int | None, "How many runs."),
    Option("--terms", str | None, "Model: linear, interaction, quadratic, or a formula."),
    Option(
        "--criterion",
        str | None,
        'Optimal: D, A, I, G or "bayesian D". Latin hypercube: maximin...',
    ),
    Option("--possible-terms", str | None, 'Terms that may matter, for "bayesian D": a model.'),
    Option("--cost", str | None, 'Cost of a run by its settings: "100 + 20 * duration".'),
    Option("--cost-limit", float | None, "The most that all runs together cost, for --cost."),
    Option("--levels", int | None, "Levels per continuous factor (full factorial)."),
    Option("--resolution", int | None, "Of a fraction: 3, 4, 5..."),
    Option("--generator", list[str] | None, 'Of a fraction: "E=ABCD".'),
    Option("--estimate", list[str] | None, 'Interaction that a fraction keeps clear: "pH:feed".'),
    Option("--others-negligible", bool, "Interactions that are not named are taken for zero."),
    Option("--variant", Variant | None, "Where the axial runs of a central composite are."),
    Option("--beyond", bool, "Axial runs may lie outside the factors' ranges."),
    Option("--core", str | None, 'Fraction of a central composite\'s core: "resolution V".'),
    Option("--extra-runs", int | None, "Further runs of a definitive screening, a multiple of 4."),
    Option("--degree", int | None, "Steps along an edge of a simplex lattice."),
    Option("--centroids", str | None, "Beside the extreme vertices: edges, faces or all."),
    Option("--process", str | None, "Process factors of a mixture: full factorial or centre."),
    Option(
        "--centre-points",
        int | None,
        "How many centre runs, for each combination of levels that have no middle.",
    ),
    Option("--replicates", int | None, "How often each factorial run; of an optimal: repeats."),
    Option(
        "--blocks",
        int | None,
        "In how many blocks the runs are done; with --terms, the blocks that disturb these least.",
    ),
    Option("--block", str | None, "Which block factor the blocks or whole plots are."),
    Option("--whole-plots", int | None, "How often hard-to-change factors are set."),
    Option("--sub-plots", int | None, "How often they are set where others are very hard."),
    Option("--variance-ratio", float | None, "Variance of whole plots over that of runs."),
)

# Arguments that a switch gives a fixed value.
_SWITCHES = {"axial": "beyond", "other_interactions": "negligible"}
_BLOCKS = {"--blocks": "n_blocks", "--block": "block"}
_CENTRE = {"--centre-points": "centre_points"}


@dataclass(frozen=True, slots=True)
class DesignKind:
    """A kind of design.

    Attributes:
        maker: Module and function that make it.
        arguments: The argument that each of its options becomes.
        needs: Options that it cannot do without.
        draws: Whether it takes random draws.
    """

    maker: str
    arguments: Mapping[str, str]
    needs: tuple[str, ...] = ()
    draws: bool = False


KINDS: Mapping[str, DesignKind] = {
    "full-factorial": DesignKind(
        "doe.designs.factorial:full_factorial",
        {"--levels": "levels", "--replicates": "replicates", **_CENTRE, **_BLOCKS},
    ),
    "fractional-factorial": DesignKind(
        "doe.designs.factorial:fractional_factorial",
        {
            "--runs": "n_runs",
            "--resolution": "resolution",
            "--generator": "generators",
            "--estimate": "estimate",
            "--others-negligible": "other_interactions",
            "--replicates": "replicates",
            **_CENTRE,
            **_BLOCKS,
        },
    ),
    "plackett-burman": DesignKind(
        "doe.designs.screening:plackett_burman", {"--runs": "n_runs", **_CENTRE, **_BLOCKS}
    ),
    "definitive-screening": DesignKind(
        "doe.designs.definitive:definitive_screening",
        {"--extra-runs": "extra_runs", **_CENTRE, **_BLOCKS},
    ),
    "central-composite": DesignKind(
        "doe.designs.response_surface:central_composite",
        {
            "--variant": "kind",
            "--beyond": "axial",
            "--core": "fraction",
            "--replicates": "core_replicates",
            **_CENTRE,
            **_BLOCKS,
        },
    ),
    "box-behnken": DesignKind("doe.designs.response_surface:box_behnken", {**_CENTRE, **_BLOCKS}),
    "doehlert": DesignKind("doe.designs.uniform_shell:doehlert", _CENTRE),
    "simplex-lattice": DesignKind(
        "doe.designs.mixture:simplex_lattice",
        {"--degree": "degree", "--process": "process", "--replicates": "replicates"},
        needs=("--degree",),
    ),
    "simplex-centroid": DesignKind(
        "doe.designs.mixture:simplex_centroid",
        {"--process": "process", "--replicates": "replicates"},
    ),
    "extreme-vertices": DesignKind(
        "doe.designs.mixture:extreme_vertices",
        {
            "--runs": "max_runs",
            "--terms": "terms",
            "--centroids": "centroids",
            "--process": "process",
            "--replicates": "replicates",
        },
        draws=True,
    ),
    "latin-hypercube": DesignKind(
        "doe.designs.space_filling:latin_hypercube",
        {"--runs": "n_runs", "--criterion": "criterion"},
        needs=("--runs",),
        draws=True,
    ),
    "sobol": DesignKind(
        "doe.designs.space_filling:sobol", {"--runs": "n_runs"}, needs=("--runs",), draws=True
    ),
    "max-projection": DesignKind(
        "doe.designs.space_filling:max_projection",
        {"--runs": "n_runs"},
        needs=("--runs",),
        draws=True,
    ),
    "fast-flexible": DesignKind(
        "doe.designs.fast_flexible:fast_flexible_filling",
        {"--runs": "n_runs"},
        needs=("--runs",),
        draws=True,
    ),
    "optimal": DesignKind(
        "doe.designs.optimal.design:optimal_design",
        {
            "--runs": "n_runs",
            "--terms": "terms",
            "--criterion": "criterion",
            "--possible-terms": "potential",
            "--cost": "cost",
            "--cost-limit": "budget",
            "--replicates": "replicates",
            "--centre-points": "centre_points",
            "--blocks": "block_sizes",
            "--block": "block",
        },
        needs=("--runs", "--terms"),
        draws=True,
    ),
    "split-plot": DesignKind(
        "doe.designs.split_plot.design:split_plot_design",
        {
            "--runs": "n_runs",
            "--terms": "terms",
            "--criterion": "criterion",
            "--whole-plots": "n_whole_plots",
            "--sub-plots": "n_sub_plots",
            "--variance-ratio": "variance_ratio",
            "--block": "block",
        },
        needs=("--runs", "--terms", "--whole-plots"),
        draws=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Blocking:
    """Blocks that are made after the runs, for a model.

    Attributes:
        n_blocks: How many.
        terms: The model that they are to disturb least.
        block: Name of the block factor, if given.
    """

    n_blocks: int
    terms: str
    block: str | None


def later_blocks(kind: str, given: Mapping[str, Any]) -> tuple[Blocking | None, dict[str, Any]]:
    """Return the blocks that the runs of a kind are divided into, and the options that are left.

    ``--blocks`` beside ``--terms`` divides the runs of any kind that does not plan its own blocks
    for a model; without ``--terms`` a kind makes the blocks that its construction has.
    """
    own = KINDS[kind].arguments
    is_asked = "--blocks" in given and "--terms" in given
    if not is_asked or "--whole-plots" in own or {"--blocks", "--terms"} <= set(own):
        return None, dict(given)
    taken = {"--blocks", "--block"} | ({"--terms"} - set(own))
    blocking = Blocking(given["--blocks"], given["--terms"], given.get("--block"))
    return blocking, {flag: value for flag, value in given.items() if flag not in taken}


def arguments_of(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the options given become, by the name of the argument.

    Raises:
        InvalidValueError: If the kind does not know an option, or lacks one that it needs.
    """
    from doe.errors import InvalidValueError

    known = KINDS[kind]
    unheard = [flag for flag in given if flag not in known.arguments]
    if "--blocks" in unheard and "--whole-plots" not in known.arguments:
        raise InvalidValueError(
            f"Blocks of a {kind} design are made for a model: give --terms beside --blocks, such "
            "as --terms quadratic."
        )
    if unheard:
        raise InvalidValueError(
            f"{', '.join(unheard)} means nothing for a {kind} design; it takes "
            f"{', '.join(known.arguments)}."
        )
    lacking = [flag for flag in known.needs if flag not in given]
    if lacking:
        raise InvalidValueError(
            f"{'An' if kind[0] in 'aeiou' else 'A'} {kind} design needs {' and '.join(lacking)}, "
            "such as "
            f"{' '.join(f'{flag} {_EXAMPLES[flag]}' for flag in lacking)}."
        )
    arguments = {known.arguments[flag]: value for flag, value in given.items()}
    arguments |= {name: value for name, value in _SWITCHES.items() if name in arguments}
    if "block_sizes" in arguments:
        n_runs, n_blocks = arguments["n_runs"], arguments["block_sizes"]
        arguments["block_sizes"] = _equal_sizes(n_runs, n_blocks)
    return arguments


_EXAMPLES = {"--runs": "20", "--terms": "quadratic", "--whole-plots": "6", "--degree": "3"}


def _equal_sizes(n_runs: int, n_blocks: int) -> tuple[int, ...]:
    from doe.errors import InvalidValueError

    if not 1 <= n_blocks <= n_runs:
        raise InvalidValueError(
            f"{n_runs} runs cannot be done in {n_blocks} blocks: give --blocks from 1 to {n_runs}."
        )
    return tuple(n_runs // n_blocks + (place < n_runs % n_blocks) for place in range(n_blocks))
