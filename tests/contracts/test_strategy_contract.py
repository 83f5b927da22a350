"""What every strategy keeps; a new one inherits ``StrategyContract`` and says how to make it."""

import json
from dataclasses import asdict
from functools import cache
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from campaigns.recommending.bayesian import BayesianStrategy
from campaigns.recommending.distances import distances
from campaigns.recommending.search import Effort
from campaigns.recommending.space_filling import SpaceFillingStrategy
from campaigns.recommending.strategy import (
    BatchRequest,
    Proposal,
    Strategy,
    StrategyContext,
    Tag,
)
from doe.errors import CancelledError, InfeasibleSpaceError, InvalidValueError, UnknownNameError
from doe.space import FactorSpace
from tests.campaigns.recommending.examples import (
    CONSTRAINED,
    MEDIUM,
    MIXED,
    SQUARE,
    TITRE,
    Truth,
    context_of,
    hill,
    medium_hill,
    mixed_hill,
    settings_of,
    study,
)

SPACES: dict[str, tuple[FactorSpace, Truth]] = {
    "a linear constraint": (CONSTRAINED, hill),
    "numbers, levels and a forbidden combination": (MIXED, mixed_hill),
    "a mixture": (MEDIUM, medium_hill),
}


@cache
def campaign(name: str) -> StrategyContext:
    space, truth = SPACES[name]
    pending = space.sample(2, rng=np.random.default_rng(99))
    pending.index = pd.Index(["P1", "P2"])
    return context_of(study(space, {"titre": truth}, n_runs=14), pending=pending)


class StrategyContract:
    """The suite; a subclass gives ``make``."""

    @classmethod
    def make(cls) -> Strategy:
        """Return the strategy, with as little work as makes sense."""
        raise NotImplementedError

    @classmethod
    @cache
    def proposal(cls, name: str, n_runs: int = 3, seed: int = 5) -> Proposal:
        rng = np.random.default_rng(seed)
        return cls.make().propose(campaign(name), BatchRequest(n_runs), rng=rng)

    @pytest.fixture(params=list(SPACES))
    def name(self, request):
        return request.param

    def test_it_keeps_the_protocol(self):
        strategy = self.make()

        assert isinstance(strategy, Strategy)
        kind, version = strategy.name.split("/")
        assert kind
        assert version.isdigit()

    @pytest.mark.requirement("OPT-3")
    @pytest.mark.parametrize("n_runs", [1, 3])
    def test_as_many_runs_as_asked_for_all_allowed_and_on_the_steps(self, name, n_runs):
        space = campaign(name).space

        settings = settings_of(self.proposal(name, n_runs).runs)

        assert len(settings) == n_runs
        assert list(settings.columns) == list(space.names)
        assert space.contains(settings).all()
        assert space.on_steps(settings).all()

    def test_the_same_random_state_gives_the_same_proposal(self, name):
        rng = np.random.default_rng(5)

        again = self.make().propose(campaign(name), BatchRequest(3), rng=rng)

        assert asdict(again) == asdict(self.proposal(name))

    def test_another_random_state_may_give_other_runs(self):
        proposals = [self.proposal("a mixture", seed=seed) for seed in (5, 6, 7)]

        batches = {tuple(tuple(run.settings.items()) for run in p.runs) for p in proposals}
        assert len(batches) > 1

    @pytest.mark.requirement("OPT-4")
    def test_every_run_carries_what_a_person_needs_to_decide(self, name):
        context = campaign(name)

        for run in self.proposal(name).runs:
            assert run.reason.tag in get_args(Tag)
            assert run.reason.sentence.endswith(".")
            prediction = next(p for p in run.predictions if p.response == "titre")
            assert prediction.low < prediction.mean < prediction.high
            assert prediction.unit == TITRE.unit
            assert run.nearest_run in {*context.observations.runs, "P1", "P2"}
            assert run.nearest_distance is not None
            assert 0 <= run.nearest_distance <= 1
            assert run.probability_in_specification is None
            sentences = {c.sentence() for c in context.space.all_constraints}
            assert set(run.slack) <= sentences
            assert all(room >= 0 for room in run.slack.values())

    def test_the_nearest_run_is_at_the_stated_distance_and_no_other_is_nearer(self, name):
        context = campaign(name)
        others = pd.concat([context.observations.target, context.pending])

        for run in self.proposal(name).runs:
            gaps = distances(context.space, settings_of([run]), others)[0]
            assert run.nearest_distance == pytest.approx(gaps.min())
            assert gaps[list(others.index).index(run.nearest_run)] == pytest.approx(gaps.min())

    def test_a_proposal_is_plain_json(self, name):
        document = asdict(self.proposal(name))

        assert json.loads(json.dumps(document, allow_nan=False)) == json.loads(json.dumps(document))

    def test_a_setting_is_not_proposed_twice_unless_it_says_so(self, name):
        taken = campaign(name).pending
        for run in self.proposal(name).runs:
            settings = settings_of([run])
            if run.reason.tag != "replicate":
                assert distances(campaign(name).space, settings, taken).min() > 1e-9
            taken = pd.concat([taken, settings])

    def test_the_order_of_the_factors_means_nothing(self):
        space = FactorSpace(tuple(reversed(CONSTRAINED.factors)), CONSTRAINED.constraints)
        given = campaign("a linear constraint").observations
        runs = given.target.assign(run=given.runs, titre=given.values("titre")["value"].to_numpy())
        context = context_of(type(given).from_frame(runs, space, (TITRE,)))

        proposal = self.make().propose(context, BatchRequest(2), rng=np.random.default_rng(1))

        settings = settings_of(proposal.runs)
        assert set(settings.columns) == set(CONSTRAINED.names)
        assert CONSTRAINED.contains(settings).all()

    def test_fixed_factors_keep_their_setting(self):
        fixed = {"resin": "C", "pH": 7.5}

        proposal = self.make().propose(
            campaign("numbers, levels and a forbidden combination"),
            BatchRequest(2, fixed=fixed),
            rng=np.random.default_rng(1),
        )

        settings = settings_of(proposal.runs)
        assert (settings["resin"] == "C").all()
        np.testing.assert_allclose(settings["pH"], 7.5, rtol=1e-12)
        assert MIXED.contains(settings).all()

    @pytest.mark.parametrize(
        ("fixed", "error"),
        [
            ({"resin": "D"}, InvalidValueError),
            ({"colour": 1.0}, UnknownNameError),
            ({"resin": "A", "pH": 7.5}, InfeasibleSpaceError),
            ({"pH": 9.0}, InfeasibleSpaceError),
        ],
    )
    def test_a_setting_that_is_not_allowed_cannot_be_fixed(self, fixed, error):
        context = campaign("numbers, levels and a forbidden combination")

        with pytest.raises(error):
            self.make().propose(context, BatchRequest(1, fixed=fixed), rng=np.random.default_rng(1))

    def test_progress_goes_from_zero_to_one_and_speaks(self):
        told: list[tuple[float, str]] = []

        self.make().propose(
            campaign("a linear constraint"),
            BatchRequest(3),
            rng=np.random.default_rng(1),
            progress=lambda fraction, sentence: told.append((fraction, sentence)),
        )

        fractions = [fraction for fraction, _ in told]
        assert fractions == sorted(fractions)
        assert fractions[0] == 0
        assert 0 < fractions[-1] <= 1
        assert len(told) >= 3
        assert all(sentence for _, sentence in told)

    def test_long_work_can_be_cancelled_between_runs(self):
        def cancel_at_the_second_run(fraction: float, sentence: str) -> None:
            if fraction > 0:
                raise CancelledError("Cancelled by the user.")

        with pytest.raises(CancelledError):
            self.make().propose(
                campaign("a linear constraint"),
                BatchRequest(3),
                rng=np.random.default_rng(1),
                progress=cancel_at_the_second_run,
            )

    def test_nothing_it_is_given_is_changed(self):
        context = campaign("a mixture")
        target, pending = context.observations.target.copy(), context.pending.copy()

        self.make().propose(context, BatchRequest(1), rng=np.random.default_rng(1))

        pd.testing.assert_frame_equal(context.observations.target, target)
        pd.testing.assert_frame_equal(context.pending, pending)

    def test_numpy_and_torch_draw_on_as_if_nothing_had_happened(self):
        import torch

        torch.manual_seed(3)
        expected = torch.rand(4)
        torch.manual_seed(3)

        self.make().propose(campaign("a mixture"), BatchRequest(1), rng=np.random.default_rng(1))

        assert torch.equal(torch.rand(4), expected)


class TestBayesianStrategy(StrategyContract):
    @classmethod
    def make(cls) -> Strategy:
        return BayesianStrategy(Effort(n_draws=64, n_raw=64, n_starts=2, n_iterations=20))


class TestSpaceFillingStrategy(StrategyContract):
    @classmethod
    def make(cls) -> Strategy:
        return SpaceFillingStrategy(n_drawn=64)

    def test_runs_are_further_apart_than_a_random_sample_is(self):
        context = campaign("a linear constraint")
        batch = settings_of(self.proposal("a linear constraint", 6).runs)
        random = SQUARE.sample(6, rng=np.random.default_rng(3))

        def closest(settings: pd.DataFrame) -> float:
            others = pd.concat([context.observations.target, context.pending, settings])
            gaps = distances(context.space, settings, others)
            gaps[np.arange(6), np.arange(6) + len(others) - 6] = np.inf
            return float(gaps.min())

        assert closest(batch) > 2 * closest(random)

    def test_it_needs_no_results(self):
        observations = study(SQUARE, {"titre": hill}, n_runs=3)
        empty = type(observations)(
            SQUARE,
            (TITRE,),
            observations.target.iloc[:0],
            observations.actual.iloc[:0],
            observations.recorded.iloc[:0],
            (),
        )
        context = campaign("a linear constraint")
        context = StrategyContext(empty, None, (), context.objective, empty.target)

        proposal = self.make().propose(context, BatchRequest(4), rng=np.random.default_rng(2))

        assert len(proposal.runs) == 4
        assert proposal.runs[0].nearest_run is None
        assert all(run.predictions == () for run in proposal.runs)
