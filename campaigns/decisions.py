"""Which acts a campaign's state allows, and the event that each becomes. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from campaigns import events as happened
from campaigns.definition import check_limits
from campaigns.envelope import Draft, require_reason
from campaigns.events import draft
from campaigns.modelling import check_model
from campaigns.state import CampaignState, RunStatus
from doe.errors import InvalidValueError, StateError, UnknownNameError
from doe.responses import Objective, Response, Specification
from doe.runs import Measurement

_UNDER_WAY: tuple[RunStatus, ...] = ("approved", "started")


def approve(state: CampaignState, runs: Iterable[str]) -> Draft:
    """Return the event that agrees to recommended runs.

    Raises:
        StateError: If a run is not proposed.
    """
    return draft(happened.RunsApproved(_in_status(state, runs, ("proposed",), "approve")))


def reject(state: CampaignState, runs: Iterable[str], reason: str) -> Draft:
    """Return the event that turns recommended runs down.

    Raises:
        StateError: If a run is neither proposed nor approved.
        InvalidValueError: If no reason is given.
    """
    names = _in_status(state, runs, ("proposed", "approved"), "reject")
    why = require_reason(reason, f"to reject {', '.join(names)}")
    return draft(happened.RunsRejected(names), reason=why)


def start(state: CampaignState, run: str, recorded: Mapping[str, str]) -> Draft:
    """Return the event that a run began.

    Raises:
        StateError: If the run is not approved.
    """
    (name,) = _in_status(state, [run], ("approved",), "start")
    return draft(happened.RunStarted(name, dict(recorded)))


def fail(state: CampaignState, run: str, reason: str) -> Draft:
    """Return the event that a run gave no usable result.

    Raises:
        StateError: If the run was not approved, or has results.
        InvalidValueError: If no reason is given.
    """
    (name,) = _in_status(state, [run], _UNDER_WAY, "fail")
    return draft(happened.RunFailed(name), reason=require_reason(reason, f"why {name} failed"))


def abort(state: CampaignState, run: str, reason: str) -> Draft:
    """Return the event that a run was called off.

    Raises:
        StateError: If the run was not approved, or has results.
        InvalidValueError: If no reason is given.
    """
    (name,) = _in_status(state, [run], _UNDER_WAY, "abort")
    return draft(happened.RunAborted(name), reason=require_reason(reason, f"to abort {name}"))


def correct(state: CampaignState, measurement: Measurement, value: float, reason: str) -> Draft:
    """Return the event that replaces a value.

    Raises:
        UnknownNameError: If there is no such value.
        InvalidValueError: If no reason is given, or nothing changes.
    """
    current = _measurement(state, measurement)
    what = f"{current.response} of run {current.run}"
    corrected = replace(current, value=value)
    if corrected == current:
        raise InvalidValueError(f"{what} is already {value:g}: nothing to correct.")
    why = require_reason(reason, f"to correct {what}")
    return draft(happened.MeasurementCorrected(current, corrected), reason=why)


def exclude(state: CampaignState, what: Measurement | str, reason: str) -> Draft:
    """Return the event that leaves a value, or a run with all its values, out of the models.

    Raises:
        UnknownNameError: If it is not there.
        StateError: If it is excluded already.
        InvalidValueError: If no reason is given.
    """
    event: happened.RunExcluded | happened.MeasurementExcluded
    if isinstance(what, str):
        label, excluded = f"run {what}", state.run(what).excluded
        event = happened.RunExcluded(what)
    else:
        current = _measurement(state, what)
        label = f"{current.response} of run {current.run}"
        excluded = state.measurements[current.key].excluded
        event = happened.MeasurementExcluded(current)
    if excluded is not None:
        raise StateError(f"{label} is excluded already, because: {excluded}")
    return draft(event, reason=require_reason(reason, f"to exclude {label}"))


def include(state: CampaignState, run: str, reason: str) -> Draft:
    """Return the event that lets a run, with every value of it, count again.

    Raises:
        StateError: If nothing of it is excluded.
        InvalidValueError: If no reason is given.
    """
    values = [r.excluded for r in state.measurements.values() if r.current.run == run]
    if state.run(run).excluded is None and all(excluded is None for excluded in values):
        raise StateError(f"Nothing of run {run} is excluded.")
    why = require_reason(reason, f"to include run {run} again")
    return draft(happened.ExclusionLifted(run), reason=why)


def choose_model(state: CampaignState, choice: happened.ModelChosen, reason: str) -> Draft:
    """Return the event that chooses the kind of surrogate for a response.

    Raises:
        UnknownNameError: If there is no such measured response.
        InvalidValueError: If there is no such kind, or no reason is given.
    """
    measured = [r.name for r in state.definition.responses if isinstance(r, Response)]
    if choice.response not in measured:
        raise UnknownNameError(
            f"No measured response is '{choice.response}'; those are {measured}."
        )
    check_model(choice, state.space)
    why = require_reason(reason, f"to model {choice.response} by {choice.model}")
    return draft(choice, reason=why)


def change_objective(state: CampaignState, objective: Objective, reason: str) -> Draft:
    """Return the event that changes what is wanted.

    Raises:
        InvalidValueError: If it names no response, or no reason is given.
    """
    check_limits(state.definition.responses, state.specifications, objective)
    why = require_reason(reason, "to change the objective")
    return draft(happened.ObjectiveChanged(objective), reason=why)


def change_specifications(
    state: CampaignState, specifications: Sequence[Specification], reason: str
) -> Draft:
    """Return the event that changes the limits.

    Raises:
        InvalidValueError: If one names no response, or no reason is given.
    """
    limits = tuple(specifications)
    check_limits(state.definition.responses, limits, state.objective)
    why = require_reason(reason, "to change the specifications")
    return draft(happened.SpecificationsChanged(limits), reason=why)


def _in_status(
    state: CampaignState, runs: Iterable[str], allowed: tuple[RunStatus, ...], action: str
) -> tuple[str, ...]:
    # One name given bare would otherwise be read as one run per letter.
    names = (runs,) if isinstance(runs, str) else tuple(dict.fromkeys(runs))
    if not names:
        raise InvalidValueError(f"No run to {action} was named.")
    wrong = [run for run in map(state.run, names) if run.status not in allowed]
    if wrong:
        described = ", ".join(f"run {run.name} (which is {run.status})" for run in wrong)
        raise StateError(
            f"Cannot {action} {described}: only a run that is {' or '.join(allowed)} can be. "
            "Nothing was changed."
        )
    return names


def _measurement(state: CampaignState, measurement: Measurement) -> Measurement:
    if measurement.key not in state.measurements:
        raise UnknownNameError(
            f"Run {measurement.run} has no value of '{measurement.response}' at time "
            f"{measurement.time}, replicate {measurement.replicate}."
        )
    return state.measurements[measurement.key].current
