"""What the packages say of their functions and arguments, said in options and words of commands."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from shlex import quote

from campaigns.commands.design_options import KINDS
from doe.errors import ExperimentError

# Functions that add runs, by the word behind `bayeswell augment`.
ADDITIONS: Mapping[str, str] = {
    "add_centre_points": "centre-points",
    "add_axial_points": "axial-points",
    "add_fold_over": "fold-over",
    "estimate_curvature": "curvature",
    "separate_effects": "separate",
    "extend_screening_to_surface": "surface",
    "augment_optimal": "optimal",
    "replicate_uncertain": "replicates",
    "repair_lost_runs": "repair",
    "augment_space_filling": "space-filling",
}
# Calls whose arguments say nothing to who types commands.
_CALLS = {
    r"in_blocks\(design, (\d+), .*?rng=rng\)": r"--blocks \1 beside --terms",
    r"optimal_design\(keep=\.\.\.\)": "`augment optimal`",
    r", process='centre', or a design made for process_space\(space\)": " or process='centre'",
    r"evaluate\(design, terms\)\.alias_matrix\(\)": "`evaluate`",
    r"evaluate\(\.\.\., rng=\)": "`evaluate`",
}
_SETTINGS = {
    "axial='beyond'": "--beyond",
    "other_interactions='negligible'": "--others-negligible",
    "in_new_block=False": "--same-block",
    "MixtureComponent factors": "mixture components",
}
_FUNCTIONS = {
    **{kind.maker.partition(":")[2]: f"`design {word}`" for word, kind in KINDS.items()},
    **{function: f"`augment {word}`" for function, word in ADDITIONS.items()},
    "in_blocks": "--blocks beside --terms",
}
_ARGUMENTS = {
    **{name: flag for kind in KINDS.values() for flag, name in kind.arguments.items()},
    "factors": "--factor",
    "free": "--free",
    "effects": "--free",
    "n_added": "--runs",
    "run_cost": "--run-cost",
}
# Properties of factors, as a campaign's definition has them.
_IN_DEFINITION = ("change", "scale", "random", "nested_in", "step")
# An argument of one word is also a word of the language: it is one only where it stands alone.
_PLAIN = ("potential", "block", "fraction")


def in_options(sentence: str) -> str:
    """Return a sentence with the options and commands for the arguments and functions it names."""
    for pattern, words in _CALLS.items():
        sentence = re.sub(pattern, words, sentence)
    for setting, flag in _SETTINGS.items():
        sentence = sentence.replace(setting, flag)
    sentence = re.sub(
        r"\b([a-z_]+)=('[^']*'|\[[^\]]*\]|[\w.]*\w)?",
        lambda found: _option(*found.groups()),
        sentence,
    )
    sentence = re.sub(r"\b[a-z]+(_[a-z]+)+\b(?!')", lambda found: _word(found[0]), sentence)
    sentence = re.sub(r"\b(doehlert|sobol)(?=\()", lambda found: _word(found[0]), sentence)
    return re.sub(rf"\b(leave out) ({'|'.join(_PLAIN)})\b", _left_out, sentence)


@contextmanager
def said_in_options(translated: Callable[[str], str] = in_options) -> Iterator[None]:
    """Let a refusal speak of what can be typed.

    Args:
        translated: Says a sentence in the words of a command; of those that plan runs when absent.

    Raises:
        ExperimentError: The same one, in words of the command line.
    """
    try:
        yield
    except ExperimentError as refusal:
        # The message is the first argument of every error of the tree.
        refusal.args = (translated(str(refusal)), *refusal.args[1:])
        raise


def _option(name: str, value: str | None) -> str:
    given = "" if value is None else value
    if name in _IN_DEFINITION:
        plain = given.strip("'")
        return f"`{name}: {plain.lower() if plain in ('True', 'False') else plain}`"
    if name not in _ARGUMENTS:
        return f"{name}={given}"
    words = re.findall(r"'([^']*)'", given) if given.startswith("[") else [given.strip("'")]
    return " ".join(
        f"{_ARGUMENTS[name]} {quote(word)}" if word else _ARGUMENTS[name] for word in words
    )


def _word(name: str) -> str:
    return _FUNCTIONS.get(name) or _ARGUMENTS.get(name) or name


def _left_out(found: re.Match[str]) -> str:
    return f"{found[1]} {_ARGUMENTS[found[2]]}"
