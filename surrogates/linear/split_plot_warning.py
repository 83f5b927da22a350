"""Whether an analysis overlooks that a factor was set once for several runs."""

from typing import TYPE_CHECKING

from doe.factors import MixtureComponent, SearchedFactor
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.blocks import block_paths
from surrogates.learning_rows import LearningRows

if TYPE_CHECKING:
    import pandas as pd


def unrespected_plots(runs: Observations | LearningRows, space: FactorSpace) -> tuple[str, ...]:
    """Return what an analysis that leaves the blocks out overlooks, a sentence per factor.

    A factor that is the same throughout every level of a block factor was set once per block: the
    block is its experimental unit. The runs within a block share
    that unit's error, so judged by the scatter between runs the factor looks surer than it is. A
    hard-to-change factor whose settings are shared by several runs without any such block is named
    too, since nobody can tell from the data whether it was set anew.

    Args:
        runs: The runs analysed.
        space: Their factor space.

    Source:
        Jones and Nachtsheim (2009), J. Quality Technology 41, 340-361: split-plot designs and what
        their analysis as completely randomised does.
    """
    settings = runs.settings() if isinstance(runs, Observations) else runs.settings
    columns = [name for name in space.names if name in settings.columns]
    whole = {name: plot for name in columns if (plot := _plot_of(name, settings, space))}
    found = [_shared(name, plot, settings, space) for name, plot in whole.items()]
    for factor in space.searched:
        name = factor.name
        if name in columns and name not in whole and _is_hard(factor):
            n_settings = settings[name].nunique()
            if 1 < n_settings < len(settings) / 2:
                found.append(
                    f"'{name}' is hard to change and its {n_settings} settings are shared by "
                    f"{len(settings)} runs, but no block says which runs were done at one setting. "
                    "If it was not set anew for every run, its p value is too small: record the "
                    "whole plots as a random block and fit a mixed model (fit_mixed)."
                )
    return tuple(found)


def _plot_of(name: str, settings: "pd.DataFrame", space: FactorSpace) -> str | None:
    """Return the outermost block factor within whose levels a factor never varies."""
    by_depth = sorted(space.blocks, key=lambda block: _depth(block.name, space))
    for block in by_depth:
        if block.name not in settings.columns:
            continue
        paths = ["/".join(path) for path in block_paths(space, settings, block.name)]
        n_levels = len(set(paths))
        varied = settings.groupby(paths, sort=False)[list(space.names)].nunique()
        if (
            1 < n_levels < len(settings)
            and len(set(settings[name])) > 1
            and (varied[name] <= 1).all()
        ):
            return block.name
    return None


def _depth(name: str, space: FactorSpace) -> int:
    nested_in = {block.name: block.nested_in for block in space.blocks}
    depth = 0
    while (parent := nested_in[name]) is not None:
        name, depth = parent, depth + 1
    return depth


def _shared(name: str, plot: str, settings: "pd.DataFrame", space: FactorSpace) -> str:
    n_plots = len(set(block_paths(space, settings, plot)))
    return (
        f"'{name}' was set once per '{plot}' ({n_plots} in {len(settings)} runs): its effect is to "
        f"be judged by the differences between them. Here all runs count as if '{name}' had been "
        "set anew for each, and its p value is not to be relied on. Fit a mixed model (fit_mixed, "
        "or fit_linear with blocks='random')."
    )


def _is_hard(factor: SearchedFactor) -> bool:
    return not isinstance(factor, MixtureComponent) and factor.change != "easy"
