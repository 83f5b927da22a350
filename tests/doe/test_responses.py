"""Responses, specifications and objectives: what they accept and what they refuse."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doe.errors import ExpressionError, InvalidValueError
from doe.responses import (
    At,
    DerivedResponse,
    Desirability,
    Goal,
    Pareto,
    ProbabilityInSpecification,
    Response,
    Single,
    Specification,
    Weighted,
    goals_of,
)
from tests.doe.run_strategies import all_responses, objectives, specifications


@given(st.data())
def test_every_response_specification_and_objective_equals_its_copy(data):
    responses = data.draw(all_responses())
    names = [response.name for response in responses]

    for made in (
        *responses,
        data.draw(specifications(names[0])),
        data.draw(objectives(names)),
    ):
        assert dataclasses.replace(made) == made


@given(st.data())
def test_an_objective_names_only_responses_it_was_given(data):
    objective = data.draw(objectives(["titre", "purity"]))

    assert {goal.response for goal in goals_of(objective)} <= {"titre", "purity"}


@pytest.mark.parametrize(
    "made",
    [
        Response("titre", "g/L"),
        DerivedResponse("ratio", "a / b"),
        Specification("titre", 1.0),
        Goal("titre"),
        Single(Goal("titre")),
        At(5.0, "d"),
    ],
    ids=lambda made: type(made).__name__,
)
def test_what_is_wanted_cannot_be_changed(made):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[0].name, "other")


@pytest.mark.parametrize(
    ("specification", "sentence"),
    [
        (Specification("viscosity", 62, 68), "62 <= viscosity <= 68 mPa s"),
        (Specification("viscosity", upper=68), "viscosity <= 68 mPa s"),
        (Specification("viscosity", lower=62), "viscosity >= 62 mPa s"),
    ],
)
def test_a_specification_reads_as_people_write_it(specification, sentence):
    assert specification.sentence("mPa s") == sentence


def test_probability_in_specification_has_no_goals():
    assert goals_of(ProbabilityInSpecification()) == ()


_RANGE = {"low": 1.0, "high": 3.0}


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Response(""), ["response needs a name"]),
        (lambda: Response("t", kind="ordinal"), ["'t' kind", "'ordinal'", "pass_fail"]),
        (lambda: Response("t", transform="ln"), ["'ln'", "logit"]),
        (lambda: Response("t", summary="mean"), ["'mean'", "At(time, unit)"]),
        (lambda: Response("t", detection_limit="low"), ["detection limit", "'low'"]),
        (lambda: Response("t", method_sd=0), ["method SD must be positive", "0"]),
        (lambda: At("late"), ["Time of a summary", "'late'"]),
        (lambda: DerivedResponse("r", "r * 2"), ["'r'", "defined by itself"]),
        (lambda: Specification("t"), ["'t'", "lower or an upper"]),
        (lambda: Specification("t", 3, 2), ["low 3", "high 2"]),
        (lambda: Specification("t", 2, 2), ["low 2"]),
        (lambda: Specification("t", 1, basis="guess"), ["'guess'", "in-process"]),
        (lambda: Specification("t", float("nan")), ["lower", "nan"]),
        (lambda: Goal("t", "best"), ["'best'", "maximise"]),
        (lambda: Goal("t", "target"), ["needs the target value"]),
        (lambda: Goal("t", target=3), ["target of 3", "use aim 'target'"]),
        (lambda: Goal("t", "range", low=1), ["needs low and high"]),
        (lambda: Goal("t", low=3, high=1), ["low 3", "high 1"]),
        (lambda: Goal("t", weight=0), ["must be positive"]),
        (lambda: Pareto((Goal("t"),)), ["at least 2 goals", "got 1"]),
        (lambda: Pareto((Goal("t"), Goal("t"))), ["names a response twice"]),
        (lambda: Pareto((Goal("t"), Goal("u")), {"v": 1}), ["['v']", "not a goal"]),
        (lambda: Pareto((Goal("t"), Goal("u")), {"t": None}), ["reference of 't'", "None"]),
        (lambda: Desirability(()), ["at least 1"]),
        (lambda: Desirability((Goal("t"),)), ["'t'", "needs low and high"]),
        (lambda: Desirability((Goal("t", "target", target=9, **_RANGE),)), ["target 9", "between"]),
        (lambda: Weighted((Goal("t", "range", **_RANGE),)), ["'t'", "not 'range'"]),
    ],
)
def test_what_cannot_be_wanted_is_refused_with_its_name_and_value(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_a_derived_response_is_read_when_it_is_made():
    with pytest.raises(ExpressionError, match="cannot be read"):
        DerivedResponse("ratio", "a / / b")
