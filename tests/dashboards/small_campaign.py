"""A campaign that is small enough to be modelled in two seconds: twelve runs, two factors."""

from pathlib import Path

import numpy as np
import pandas as pd

from campaigns.campaign import Campaign
from campaigns.envelope import Actor
from doe.factors import ContinuousFactor
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Observations
from doe.space import FactorSpace

ANA = Actor("ana", "Ana Silva")
NAME = "Titre of a clone"
SPACE = FactorSpace(
    (
        ContinuousFactor("temperature", 30.0, 40.0, "degC", step=0.5),
        ContinuousFactor("pH", 6.6, 7.4, step=0.05),
    )
)
TITRE = Response("titre", "g/L")
LOWER = 4.7


def results() -> pd.DataFrame:
    """Return twelve runs of a hill whose top is 5 g/L at 35 degC and pH 7."""
    temperature = np.tile([31.0, 34.5, 38.0], 4)
    ph = np.repeat([6.7, 6.9, 7.1, 7.3], 3)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 12)
    titre = 5.0 - 0.04 * (temperature - 35.0) ** 2 - 6.0 * (ph - 7.0) ** 2 + noise
    names = [f"R{number}" for number in range(1, 13)]
    return pd.DataFrame({"run": names, "temperature": temperature, "pH": ph, "titre": titre})


def create(store: Path, name: str = NAME) -> Campaign:
    """Create the campaign with its results and without a batch."""
    campaign = Campaign.create(
        str(store),
        name,
        SPACE,
        (TITRE,),
        (Specification("titre", lower=LOWER),),
        Single(Goal("titre")),
        seed=7,
        actor=ANA,
    )
    campaign.import_runs(Observations.from_frame(results(), SPACE, (TITRE,)))
    return campaign


def prepare(store: Path) -> Path:
    """Create the campaign with a batch of three recommended runs, and close it."""
    with create(store) as campaign:
        campaign.exclude("R12", reason="the probe had drifted")
        campaign.recommend(3)
    return store
