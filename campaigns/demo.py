"""The main job on published data: a campaign from its first run to the next batch, as a story."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from campaigns.batch import Batch
from campaigns.campaign import Campaign
from campaigns.commands.batches import batch_document, prediction_table, settings_table
from campaigns.commands.record import objective_sentence
from campaigns.confounding import Confounding, find_confounding, spread
from campaigns.definition import CampaignDefinition
from campaigns.demo_folder import STORE, fresh_folder, remember
from campaigns.envelope import Actor
from campaigns.exports.package import export_campaign, write_figure
from campaigns.maps import map_reliability
from campaigns.narrator import Narrator
from campaigns.validations import usual_groups, validate_model, validation_plot
from doe.documents import from_document, load_document
from doe.factors import ContinuousFactor, Covariate
from doe.tables import read_table
from surrogates.validation import EACH_RUN, Comparison, Validation

DEFAULT_FOLDER = Path("bayeswell-demo")
_EXAMPLES = Path(__file__).parent / "examples"
EXAMPLE = "by2_medium"
SOURCE = "Leyendecker, Nausch, Wergers, Scheffler and Schmitt (2025), MIT licence"
RATE, MASS, TIME, BATCH = "growth rate", "wet mass", "culture time", "batch"
N_RECOMMENDED = 4
N_STEPS = 10
SUSPECT = "its own columns contradict each other, so one of them is wrong and nobody knows which"

_MODELS = {
    "gaussian_process": "Gaussian process",
    "quadratic": "quadratic surface",
    "linear": "linear surface",
}

Facts = dict[str, Any]


def play(folder: Path, *, actor: Actor, quiet: bool = False) -> Facts:
    """Play the campaign, tell it on the terminal, and write everything into a folder.

    Args:
        folder: Where to write; made when it is not there.
        actor: Who acts.
        quiet: Whether nothing is told.

    Returns:
        What was found, plain JSON: every number that was told.

    Raises:
        InvalidValueError: If the folder is a file.
    """
    began = perf_counter()
    told = Narrator(N_STEPS, quiet=quiet)
    place = fresh_folder(folder)
    facts: Facts = {"folder": str(place), "store": str(place / STORE)}
    with _begin(place, actor, told) as campaign:
        facts |= _import_runs(campaign, told)
        facts["contradictions"] = _point_out_contradictions(campaign, told)
        facts["confounding"] = _show_confounding(campaign, told, place)
        facts["model"] = _model(campaign, told)
        facts["validation"] = _validate(campaign, told, place)
        facts["drivers"] = _rank_drivers(campaign, told)
        facts["map"] = _map_probability(campaign, told)
        facts["batch"] = _recommend(campaign, told)
        facts |= _hand_over(campaign, told, place)
        _say_what_next(facts, told)
    facts["seconds"] = perf_counter() - began
    told.say(f"All of this took {facts['seconds']:.0f} seconds.", "dim")
    return facts


def example_definition() -> CampaignDefinition:
    """Return the definition of the campaign that ships with the package."""
    definition: CampaignDefinition = from_document(
        CampaignDefinition, load_document(_EXAMPLES / f"{EXAMPLE}.yaml")
    )
    return definition


def example_data() -> Path:
    """Return the table of runs that goes with it, for ``doe.read_table``."""
    return _EXAMPLES / f"{EXAMPLE}.csv"


def _begin(folder: Path, actor: Actor, told: Narrator) -> Campaign:
    definition = example_definition()
    told.title(f"A whole campaign on published data: {definition.name}", definition.description)
    told.step("Begin the campaign")
    campaign = Campaign.create_from(folder / STORE, definition, actor=actor)
    rows = [
        [f.name, f"{f.low:g} to {f.high:g} {f.unit}", f"{f.step:g} {f.unit}"]
        for f in definition.space.searched
        if isinstance(f, ContinuousFactor) and f.step is not None
    ]
    told.table(["factor", "may be set to", "in steps of"], rows)
    limits = "; ".join(
        f"{s.sentence(_unit(campaign, s.response))}, a {s.basis}" for s in definition.specifications
    )
    told.say(f"Wanted: {objective_sentence(campaign.state)}. Limit: {limits}.")
    told.say(f"The {MASS} is no goal: it hangs on when somebody harvested, as step 4 will show.")
    return campaign


def _import_runs(campaign: Campaign, told: Narrator) -> Facts:
    told.step("Import the runs that were done")
    responses = campaign.state.definition.responses
    table = read_table(example_data(), space=campaign.space, responses=responses)
    runs = campaign.import_runs(table)
    batches = sorted({str(run.recorded[BATCH]) for run in campaign.state.runs.values()})
    renamed = [f"{h} is {name}" for h, name in table.columns.items() if not h.startswith(name)]
    told.say(
        f"{table.file_name}: {len(runs)} runs in {len(batches)} batches, "
        f"{len(campaign.state.measurements)} values. By their other names: {'; '.join(renamed)}."
    )
    told.say(f"Source: {SOURCE}.", "dim")
    return {
        "campaign": campaign.name,
        "factors": list(campaign.space.names),
        "responses": [r.name for r in campaign.state.definition.responses],
        "runs": len(runs),
        "values": len(campaign.state.measurements),
        "batches": len(batches),
        "notes": list(table.notes),
    }


def _point_out_contradictions(campaign: Campaign, told: Narrator) -> list[Facts]:
    told.step("Point out what contradicts itself")
    for note in campaign.state.notes:
        told.caution(note)
    found = []
    for name, time in _impossible_times(campaign).items():
        values = {
            response: campaign.state.measurements[name, response, None, 1].current.value
            for response in (RATE, MASS)
        }
        start = campaign.state.run(name).target["start wet mass"]
        campaign.exclude(name, reason=SUSPECT)
        found.append({"run": name, TIME: time, "start wet mass": start, **values})
        told.say(
            f"Run {name} would have grown from {start:g} to {values[MASS]:g} "
            f"{_unit(campaign, MASS)} at {values[RATE]:+.3f} {_unit(campaign, RATE)}. Nothing is "
            "dropped by itself: here the demonstration decides, with a reason, to leave it out of "
            f"the models. It stays in the record; `bayeswell include {name}` takes it back."
        )
    return found


def _impossible_times(campaign: Campaign) -> Mapping[str, float]:
    covariate = campaign.space.factor(TIME)
    low = covariate.low if isinstance(covariate, Covariate) else None
    times = campaign.observations.recorded[TIME]
    return {str(run): float(time) for run, time in times.items() if low is not None and time < low}


def _show_confounding(campaign: Campaign, told: Narrator, folder: Path) -> Facts:
    told.step("Ask what else changed: the time of harvest")
    mass = find_confounding(campaign.observations, TIME, BATCH, MASS)
    rate = find_confounding(campaign.observations, TIME, BATCH, RATE)
    told.say(f"The file has no {TIME}; it follows from the rest: ({MASS} - start {MASS}) / {RATE}.")
    by_batch = mass.by_block().to_dict(orient="records")
    hours = [f"{row['low']:.0f}–{row['high']:.0f}" for row in by_batch]
    told.table([BATCH, *(str(row[BATCH]) for row in by_batch)], [["hours", *hours]])
    told.caution(mass.sentence())
    same = "; ".join(
        f"{spread(row['response low'], row['response high'], decimals=2)} in {BATCH} {row[BATCH]}"
        for row in rate.repeats().to_dict(orient="records")
    )
    told.say(
        f"The {RATE} compares better, but not fully ({same}, {_unit(campaign, RATE)}): so the "
        f"{RATE} is modelled, with the {BATCH} as a random block."
    )
    write_figure(mass.plot(), folder / "figures", "confounding")
    return {
        "share_between_batches": mass.share,
        "by_batch": by_batch,
        "same_medium": _repeats(mass),
        "same_medium_rate": _repeats(rate),
        "same_medium_runs": list(mass.repeated),
    }


def _repeats(found: Confounding) -> list[Facts]:
    return [{str(k): v for k, v in row.items()} for row in found.repeats().to_dict("records")]


def _model(campaign: Campaign, told: Narrator) -> Facts:
    told.step(f"Model the {RATE}, with the {BATCH} as a random block")
    with told.working("Fitting the Gaussian processes"):
        described: Facts = dict(campaign.surrogates()[RATE].describe())
    (block,) = described["blocks"]
    unit = _unit(campaign, RATE)
    told.say(
        f"{described['kind']} on {described['n_runs']} runs. SD of the surface over the factors "
        f"{described['surface_std']:.2f}, between {BATCH}es {block['std']:.2f}, of runs within a "
        f"{BATCH} {described['noise_std']:.2f} {unit}."
    )
    for warning in described["warnings"]:
        told.caution(warning)
    told.say(f"Recorded and not modelled: {', '.join(described['not_modelled'])}.")
    names = ("kind", "n_runs", "surface_std", "noise_std", "replicate_std", "warnings")
    return {**{name: described[name] for name in names}, "batch_std": block["std"]}


def _validate(campaign: Campaign, told: Narrator, folder: Path) -> Facts:
    told.step("Validate: predict runs that the model has not seen")
    together = usual_groups(campaign.space)
    found: dict[str, Comparison] = {}
    with told.working("Validating") as progress:
        for groups in (EACH_RUN, together):
            found[groups] = validate_model(campaign, RATE, groups=groups, progress=progress)
    rows: list[list[object]] = []
    for groups, comparison in found.items():
        rows += [_validated(groups, name, v) for name, v in comparison.validations.items()]
        rows += [[f"one {groups}", _MODELS[name], "none"] for name in comparison.refusals]
    blank = [[*row, *[None] * (5 - len(row))] for row in rows]
    error = f"error, {_unit(campaign, RATE)}"
    told.table(["held out", "model", "Q2", error, "within 95 %"], blank)
    for name, why in found[together].refusals.items():
        told.say(f"{_MODELS[name]}, one {together}: {why}", "dim")
    chosen = next(iter(found[together].validations.values()))
    told.caution(f"{_MODELS[chosen.candidate]}. {chosen.verdict}")
    if chosen.q2 < 0:
        told.caution("Plainly: what follows says where to look next, not what will come out there.")
    plot = validation_plot(chosen, found[together].validations)
    write_figure(plot, folder / "figures", "validation")
    return {
        groups: {
            "candidates": {n: dict(v.summary()) for n, v in comparison.validations.items()},
            "refused": dict(comparison.refusals),
        }
        for groups, comparison in found.items()
    }


def _validated(groups: str, name: str, found: Validation) -> list[object]:
    n_runs = len(found.table)
    inside = round(found.coverage[0.95] * n_runs)
    model = _MODELS[name]
    return [f"one {groups}", model, f"{found.q2:.2f}", f"{found.rmse:.2f}", f"{inside} of {n_runs}"]


def _rank_drivers(campaign: Campaign, told: Narrator) -> list[Facts]:
    told.step(f"Rank what drives the {RATE}")
    with told.working("Ranking"):
        ranking = campaign.drivers()
    drivers = ranking.of(RATE)
    told.table(
        ["factor", "share of variation (95 %)", f"effect, {ranking.units[RATE]} (95 %)", "studied"],
        [
            [
                d.factor,
                f"{d.total.mean:.0%} ({d.total.low:.0%} to {d.total.high:.0%})",
                f"{d.effect.mean:+.2f} ({d.effect.low:+.2f} to {d.effect.high:+.2f})",
                d.studied,
            ]
            for d in drivers
        ],
    )
    told.say(drivers[0].sentence)
    open_sign = [d.factor for d in drivers if d.effect.low < 0 < d.effect.high]
    if open_sign:
        told.caution(f"Whether more is better is open for: {', '.join(open_sign)}.")
    return [
        {
            "factor": d.factor,
            "total": d.total.mean,
            "low": d.total.low,
            "high": d.total.high,
            "p_strongest": d.rank_probability[0],
        }
        for d in drivers
    ]


def _map_probability(campaign: Campaign, told: Narrator) -> Facts:
    (limit,) = campaign.state.specifications
    told.step(f"Map the probability of {limit.sentence(_unit(campaign, RATE))}")
    with told.working("Mapping"):
        found = map_reliability(campaign)
    surface = found.surface
    told.say(f"Over {found.x} and {found.y}, the two strongest drivers. {found.plot.sentence}")
    if found.held_as_in is not None:
        told.say(f"The other factors are held as in run {found.held_as_in}.")
    return {
        "x": found.x,
        "y": found.y,
        "at": dict(found.at),
        "limit": limit.lower,
        "highest": float(surface.z.max()),
        "extrapolated": 0.0 if surface.shaded is None else float(surface.shaded.mean()),
        "sentence": found.plot.sentence,
    }


def _recommend(campaign: Campaign, told: Narrator) -> Facts:
    told.step(f"Recommend the next {N_RECOMMENDED} runs")
    with told.working("Recommending") as progress:
        batch: Batch = campaign.recommend(N_RECOMMENDED, progress=progress)
    told.table(*settings_table(batch))
    told.table(*prediction_table(batch, [RATE]))
    for name, run in zip(batch.names, batch.runs, strict=True):
        told.say(f"Run {name}: {run.reason.sentence}")
    for note in batch.notes:
        told.caution(note)
    return batch_document(batch)


def _hand_over(campaign: Campaign, told: Narrator, folder: Path) -> Facts:
    told.step("Write the run sheet, the figures and the record, and check the record")
    with told.working("Writing") as progress:
        written = export_campaign(campaign, folder, replace=True, progress=progress)
    check = campaign.check_record()
    told.say(check.sentence(), "green" if check.intact else "red")
    own = [p for p in (folder / "figures").iterdir() if p.stem in ("confounding", "validation")]
    paths = sorted({*written.files, *own, folder / STORE})
    manifest = remember(folder, paths)
    return {
        "files": [path.relative_to(folder).as_posix() for path in (*paths, manifest)],
        "record": {
            "intact": check.intact,
            "events": check.n_events,
            "head": str(check.head),
        },
    }


def _say_what_next(facts: Facts, told: Narrator) -> None:
    folder, store = facts["folder"], facts["store"]
    told.say("")
    told.say("What to open next", "bold")
    told.say(f"{folder}/figures: {len(list(Path(folder, 'figures').glob('*.png')))} figures")
    told.say(f"{folder}/run_sheet.xlsx: the proposed runs; nobody has approved them yet")
    told.say(f'bayeswell approve --all --store "{store}", then fill in the sheet and record it')
    told.say(f'make app, or python -m dashboards --store "{store}": the campaign in the browser')
    told.say("")
    told.say("What these data cannot support", "bold")
    told.say(
        f"Whether a longer culture or another {BATCH} made the difference: set the time of harvest "
        f"in the next runs, and repeat one medium in every {BATCH}."
    )
    told.say(
        f"A design space: nowhere on the map does the probability exceed "
        f"{facts['map']['highest']:.2f}, and {facts['map']['extrapolated']:.0%} of it is "
        "extrapolation."
    )
    told.say("A claim about another scale or site: the file does not say where a run was done.")


def _unit(campaign: Campaign, name: str) -> str:
    return next(r.unit for r in campaign.state.definition.responses if r.name == name)
