"""Everything that leaves a campaign at once: run sheet, results, record and figures."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.exports.figures import FigureFormat, image
from campaigns.exports.origin import origin
from campaigns.exports.record import write_record
from campaigns.exports.run_sheet import TO_DO, in_order_of_doing, results_table, write_run_sheet
from campaigns.maps import map_reliability
from campaigns.progress import report_progress
from campaigns.recommending.strategy import Progress, no_progress
from doe.errors import ExperimentError, InvalidValueError
from doe.tables import write_table
from doe.whole_files import replacing

if TYPE_CHECKING:
    from campaigns.campaign import Campaign
    from doe.plots import Plot

FORMATS: tuple[FigureFormat, ...] = ("png", "svg")
RUN_SHEET, RESULTS, RECORD, FIGURES = "run_sheet.xlsx", "results.xlsx", "record.json", "figures"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        files: Every file.
        left_out: What could not be written, with the reason.
        anchor: Head of the record, to be kept elsewhere.
    """

    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    anchor: str


def export_campaign(
    campaign: "Campaign",
    folder: Path,
    *,
    replace: bool = False,
    progress: Progress = no_progress,
) -> Exported:
    """Write the run sheet, every result, the record and the figures of a campaign.

    A figure that the results cannot support is left out, and the answer says so.

    Args:
        campaign: The campaign.
        folder: Where to write; made when it is not there.
        replace: Whether files of the same names may be replaced; nothing else is touched.
        progress: Called with the share done and a sentence.

    Raises:
        InvalidValueError: If the folder is a file, or holds such a file that is not to be replaced.
        RecordError: If the record was changed since it was written.
    """
    waiting = [run.name for run in campaign.state.runs.values() if run.status in TO_DO]
    tables = [RUN_SHEET] if waiting else []
    tables += [RESULTS] if campaign.state.measurements else []
    paths = {name: folder / name for name in (*tables, RECORD)}
    # Before the figures, which take their time, and again with them.
    _check_free(folder, list(paths.values()), replace=replace)
    left_out = [] if waiting else [f"{RUN_SHEET}: no run is to be done."]
    progress(0.0, "Computing the figures")
    plots = _under_own_names(_plots(campaign, left_out))
    drawn = [f"{FIGURES}/{name}.{kind}" for name in plots for kind in FORMATS]
    paths |= {name: folder / name for name in drawn}
    _check_free(folder, list(paths.values()), replace=replace)
    for parent in {path.parent for path in paths.values()}:
        parent.mkdir(parents=True, exist_ok=True)
    if waiting:
        runs = in_order_of_doing(campaign.events(), waiting)
        write_run_sheet(campaign.state, paths[RUN_SHEET], runs=runs, predict=True)
    if campaign.state.measurements:
        write_results(campaign, paths[RESULTS])
    anchor = write_record(campaign, paths[RECORD])
    for done, (name, plot) in enumerate(plots.items()):
        progress(0.5 + 0.5 * done / len(plots), f"Drawing {name}")
        write_figure(plot, folder / FIGURES, name)
    return Exported(tuple(paths.values()), tuple(left_out), anchor)


def write_results(campaign: "Campaign", path: Path) -> None:
    """Write every value of every run as a table, with why some do not count."""
    units = {f.name: getattr(f, "unit", "") for f in campaign.space.factors}
    table = results_table(campaign.state)
    write_table(path, table, units=units, title="Results", metadata=origin(campaign.state))


def write_figure(plot: "Plot", folder: Path, name: str) -> tuple[Path, ...]:
    """Write a plot as PNG and SVG; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{name}.{kind}" for kind in FORMATS)
    for path in files:
        write_image(plot, path)
    return files


def write_image(plot: "Plot", path: Path) -> None:
    """Write a plot as the end of the path says.

    Raises:
        InvalidValueError: If that is neither PNG nor SVG.
    """
    for kind in FORMATS:
        if path.suffix.lower() == f".{kind}":
            with replacing(path) as temporary:
                temporary.write_bytes(image(plot, kind))
            return
    raise InvalidValueError(f"'{path.name}' must end in .png or .svg to say what is drawn.")


def figure_name(*words: str) -> str:
    """Return a file name without blanks and signs, from names that people gave."""
    return re.sub(r"[^\w-]+", "_", "_".join(words)).strip("_").lower()


def _under_own_names(plots: "Iterable[tuple[str, Plot]]") -> "dict[str, Plot]":
    """Return plots by name; names that became alike as file names get a number."""
    named: dict[str, Plot] = {}
    for name, plot in plots:
        number = sum(other == name or other.startswith(f"{name}_v") for other in named)
        named[f"{name}_v{number + 1}" if number else name] = plot
    return named


def _plots(campaign: "Campaign", left_out: list[str]) -> "Iterator[tuple[str, Plot]]":
    for report in report_progress(campaign.state):
        yield figure_name("runs", report.response.name), report.plot()
    try:
        ranking = campaign.drivers()
    except ExperimentError as refusal:
        left_out.append(f"figures of the drivers and the design space: {refusal}")
        return
    for response in ranking.drivers:
        yield figure_name("drivers", response), ranking.plot(response)
    if not campaign.state.specifications:
        left_out.append("the map of the design space: no specification limits a response.")
        return
    try:
        found = map_reliability(campaign)
        pending = campaign.state.pending()
        rows = pending.to_dict(orient="records")
        waiting = [{str(name): value for name, value in row.items()} for row in rows]
        names = [str(run) for run in pending.index]
        yield "design_space", found.with_batch(names, waiting) if waiting else found.plot
    except ExperimentError as refusal:
        left_out.append(f"the map of the design space: {refusal}")


def _check_free(folder: Path, paths: list[Path], *, replace: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidValueError(f"'{folder}' is a file: name a folder.")
    there = [path for path in paths if path.exists()]
    if there and not replace:
        others = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise InvalidValueError(
            f"'{there[0]}'{others} is there already: name another folder, or replace with --force."
        )
