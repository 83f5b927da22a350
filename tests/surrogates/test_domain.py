import numpy as np
import pandas as pd
import pytest

from doe.constraints import LinearConstraint
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.domain import ApplicabilityDomain
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import FixedHyperparameters, GPOptions

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        ContinuousFactor("feed", 0.0, 10.0),
        CategoricalFactor("resin", ("A", "B", "C")),
    ),
    (LinearConstraint({"pH": 1.0, "feed": 1.0}, upper=16.0),),
)
RUNS = pd.DataFrame({"pH": [6.5, 7.5, 7.0], "feed": [1.0, 9.5, 4.0], "resin": ["A", "C", "A"]})
DOMAIN = ApplicabilityDomain(SPACE, RUNS, "kernel distance", 0.5, "")
MIDDLE = {"pH": 7.0, "feed": 5.0, "resin": "A"}


@pytest.mark.requirement("MG-6")
@pytest.mark.parametrize(
    ("changed", "distance", "reason"),
    [
        ({}, 0.2, None),
        ({"pH": 7.7}, 0.2, "pH 7.7 was not studied: the runs have 6.5 to 7.5"),
        ({"resin": "B"}, 0.2, "resin B was not studied: the runs have A, C"),
        ({"pH": 7.4, "feed": 9.2}, 0.2, "breaks pH + feed <= 16"),
        ({}, 0.7, "kernel distance 0.70 exceeds 0.5"),
    ],
)
def test_a_setting_extrapolates_for_a_stated_reason(changed, distance, reason):
    settings = pd.DataFrame([{**MIDDLE, **changed}])

    assert DOMAIN.outside(settings, np.array([distance])).tolist() == [reason is not None]
    (reasons,) = DOMAIN.reasons(settings, np.array([distance]))
    assert reasons == (() if reason is None else (reason,))


@pytest.mark.requirement("MG-6")
def test_what_was_studied_is_what_the_runs_span_not_what_is_allowed():
    assert DOMAIN.studied == {"pH": (6.5, 7.5), "feed": (1.0, 9.5), "resin": ("A", "C")}


@pytest.mark.requirement("MG-6")
def test_a_hole_between_runs_extrapolates_by_its_distance_alone():
    """Runs at both ends of a wide range: inside every studied range, far from every run."""
    rng = np.random.default_rng(1)
    space = FactorSpace((ContinuousFactor("pH", 0.0, 14.0), ContinuousFactor("feed", 0.0, 1.0)))
    places = np.concatenate([rng.uniform(0, 0.7, 12), rng.uniform(13.3, 14, 12)])
    table = pd.DataFrame({"pH": places, "feed": rng.random(24)})
    table["titre"] = np.sin(places) + 0.05 * rng.standard_normal(24)
    observations = Observations.from_frame(table, space, (Response("titre"),))
    fixed = FixedHyperparameters(length_scales={"pH": 1.5, "feed": 1.0})
    model = fit_gp(observations, "titre", options=GPOptions(fixed=fixed), rng=rng)

    prediction = model.predict(pd.DataFrame({"pH": [0.3, 7.0, 13.7], "feed": [0.5] * 3}))

    assert prediction.extrapolates.tolist() == [False, True, False]
    assert prediction.latent_std[1] > 2 * prediction.latent_std[0]


def test_a_blend_that_does_not_add_up_extrapolates():
    components = tuple(MixtureComponent(name) for name in ("water", "salt", "sugar"))
    space = FactorSpace(components)
    rng = np.random.default_rng(1)
    table = space.sample(15, rng=rng)
    table["viscosity"] = 1 + 3 * table["sugar"] + 0.05 * rng.standard_normal(15)
    observations = Observations.from_frame(table, space, (Response("viscosity"),))
    model = fit_gp(observations, "viscosity", rng=rng)
    blend = table[["water", "salt", "sugar"]].head(1)

    assert not model.predict(blend).extrapolates[0]
    assert model.predict(blend * 0.9).extrapolates[0]
