"""What every surrogate keeps; a new one inherits ``SurrogateContract`` and says how to fit it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from doe.errors import ExperimentError, InvalidValueError, UnknownNameError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.linear.joint.multivariate import fit_multivariate
from surrogates.linear.joint.seemingly_unrelated import fit_seemingly_unrelated
from surrogates.linear.surface import fit_surface
from surrogates.surrogate import Surrogate
from surrogates.validation import without_runs
from tests.surrogates.examples import culture_study, mixed_study
from tests.surrogates.linear.examples import paired_study

N_DRAWS = 8000


class SurrogateContract:
    """The suite; a subclass gives ``study`` and ``fit``."""

    @classmethod
    def study(cls) -> Observations:
        """Return the runs that the surrogate is fitted to."""
        return culture_study()

    @classmethod
    def fit(cls, observations: Observations) -> Surrogate:
        """Return the surrogate fitted to these runs."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def surrogate(cls) -> Surrogate:
        return cls.fit(cls.study())

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> pd.DataFrame:
        return cls.study().space.sample(12, rng=np.random.default_rng(7))

    def test_it_keeps_the_protocol(self, surrogate):
        assert isinstance(surrogate, Surrogate)
        assert surrogate.response == self.study().responses[0].name
        assert surrogate.space == self.study().space

    def test_predictions_have_a_value_per_setting(self, surrogate, settings):
        prediction = surrogate.predict(settings)

        for numbers in (prediction.mean, prediction.latent_std, prediction.new_run_std):
            assert numbers.shape == (12,)
            assert np.isfinite(numbers).all()
        assert prediction.extrapolates.shape == (12,)
        assert prediction.extrapolates.dtype == np.bool_

    def test_a_new_run_is_less_certain_than_the_surface(self, surrogate, settings):
        prediction = surrogate.predict(settings)

        assert (prediction.latent_std >= 0).all()
        assert (prediction.latent_std < prediction.new_run_std).all()

    def test_wider_intervals_hold_narrower_ones(self, surrogate, settings):
        prediction = surrogate.predict(settings)
        ends = [prediction.interval(coverage) for coverage in (0.5, 0.8, 0.95)]

        assert (np.diff([low for low, _ in ends], axis=0) < 0).all()
        assert (np.diff([high for _, high in ends], axis=0) > 0).all()
        with pytest.raises(InvalidValueError, match="coverage"):
            prediction.interval(95)

    @pytest.mark.requirement("MG-4")
    def test_the_same_data_give_the_same_numbers_bit_by_bit(self, surrogate, settings):
        again = self.fit(self.study())

        one, other = surrogate.predict(settings), again.predict(settings)
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.new_run_std, other.new_run_std)
        assert again.describe() == surrogate.describe()

    def test_the_order_of_the_rows_means_nothing(self, surrogate, settings):
        order = np.random.default_rng(3).permutation(len(self.study().target))

        _agree(surrogate, self.fit(reordered(self.study(), order)), settings)

    def test_the_order_of_the_factors_means_nothing(self, surrogate, settings):
        study = self.study()
        space = FactorSpace(tuple(reversed(study.space.factors)))

        _agree(surrogate, self.fit(replace(study, space=space)), settings)

    def test_the_unit_of_a_factor_means_nothing(self, surrogate, settings):
        study = self.study()
        name = next(f.name for f in study.space.factors if isinstance(f, ContinuousFactor))

        _agree(
            surrogate,
            self.fit(rescaled(study, name, 1000.0)),
            settings,
            settings.assign(**{name: settings[name] * 1000.0}),
        )

    def test_draws_have_the_moments_of_the_prediction(self, surrogate, settings):
        prediction = surrogate.predict(settings)
        for kind, std in (("latent", prediction.latent_std), ("new_run", prediction.new_run_std)):
            draws = surrogate.sample(settings, N_DRAWS, kind=kind, rng=np.random.default_rng(1))

            assert draws.shape == (N_DRAWS, 12)
            error = 4.5 * std / np.sqrt(N_DRAWS)
            assert (np.abs(draws.mean(axis=0) - prediction.mean) < error).all()
            np.testing.assert_allclose(draws.std(axis=0), std, rtol=0.08)

    def test_draws_are_repeatable_and_leave_the_settings_alone(self, surrogate, settings):
        before = settings.copy()
        one, other = (
            surrogate.sample(settings, 5, kind="new_run", rng=np.random.default_rng(4))
            for _ in range(2)
        )

        assert np.array_equal(one, other)
        pd.testing.assert_frame_equal(settings, before)

    def test_latent_draws_of_one_setting_asked_twice_agree(self, surrogate, settings):
        twice = pd.concat([settings.head(2), settings.head(2)], ignore_index=True)

        draws = surrogate.sample(twice, 20, kind="latent", rng=np.random.default_rng(4))

        scale = surrogate.predict(settings.head(1)).new_run_std[0]
        np.testing.assert_allclose(draws[:, :2], draws[:, 2:], atol=1e-3 * scale)

    def test_the_probability_within_limits_is_the_share_of_draws(self, surrogate, settings):
        prediction = surrogate.predict(settings)
        draws = surrogate.sample(settings, N_DRAWS, kind="new_run", rng=np.random.default_rng(2))
        middle = float(np.median(prediction.mean))
        width = float(np.median(prediction.new_run_std))
        for lower, upper in ((middle, None), (None, middle), (middle - width, middle + width)):
            share = surrogate.probability_within(settings, lower, upper)

            low = -np.inf if lower is None else lower
            high = np.inf if upper is None else upper
            seen = ((draws >= low) & (draws <= high)).mean(axis=0)
            assert (np.abs(share - seen) < 4.5 * np.sqrt(0.25 / N_DRAWS)).all()

    def test_without_limits_every_run_is_within(self, surrogate, settings):
        np.testing.assert_allclose(surrogate.probability_within(settings, None, None), 1.0)

    @pytest.mark.requirement("MG-6")
    def test_settings_far_outside_extrapolate_and_the_runs_do_not(self, surrogate, settings):
        name = next(f.name for f in surrogate.space.searched if isinstance(f, ContinuousFactor))
        high = surrogate.domain.studied[name][1]

        assert surrogate.predict(settings.assign(**{name: high * 1.5})).extrapolates.all()
        assert not surrogate.predict(surrogate.domain.runs).extrapolates.any()

    def test_a_missing_column_is_refused_by_name(self, surrogate, settings):
        name = surrogate.space.names[0]

        with pytest.raises(InvalidValueError, match=name):
            surrogate.predict(settings.drop(columns=name))

    def test_an_empty_cell_is_refused_by_name(self, surrogate, settings):
        name = surrogate.space.names[0]
        broken = settings.copy()
        broken.loc[3, name] = np.nan

        with pytest.raises(InvalidValueError, match=name):
            surrogate.predict(broken)

    def test_text_in_place_of_a_number_is_refused_by_name(self, surrogate, settings):
        name = surrogate.space.names[0]

        with pytest.raises(InvalidValueError, match=name):
            surrogate.predict(settings.assign(**{name: "warm"}))

    def test_an_unknown_level_is_refused_by_name(self, surrogate, settings):
        for factor in surrogate.space.searched:
            if isinstance(factor, CategoricalFactor):
                with pytest.raises(InvalidValueError, match=factor.name):
                    surrogate.predict(settings.assign(**{factor.name: "no such level"}))

    def test_an_unknown_block_is_refused(self, surrogate, settings):
        with pytest.raises((UnknownNameError, InvalidValueError), match="no such"):
            surrogate.predict(settings, block="no such level")

    def test_the_description_is_plain_json(self, surrogate):
        description = surrogate.describe()

        assert json.loads(json.dumps(description, allow_nan=False)) == description
        assert {"kind", "response", "n_runs", "noise_std", "data_sha256", "warnings"} <= set(
            description
        )

    @pytest.mark.requirement("MG-3")
    def test_one_changed_value_changes_the_hash(self, surrogate):
        study = self.study()
        first = study.measurements[0]
        changed = (replace(first, value=first.value * (1 + 1e-12)), *study.measurements[1:])

        other = self.fit(replace(study, measurements=changed)).describe()["data_sha256"]

        assert other != surrogate.describe()["data_sha256"]

    def test_two_runs_are_refused_as_too_few(self):
        study = self.study()
        few = {str(run) for run in study.target.index[2:]}

        with pytest.raises(ExperimentError, match="2 runs"):
            self.fit(without_runs(study, few))


class TestGaussianProcess(SurrogateContract):
    @classmethod
    def fit(cls, observations):
        return fit_gp(observations, observations.responses[0].name, rng=np.random.default_rng(11))


class TestGaussianProcessWithBlocks(TestGaussianProcess):
    @classmethod
    def study(cls):
        return culture_study(block_std=3.0)


class TestGaussianProcessOnTheLogScale(TestGaussianProcess):
    @classmethod
    def study(cls):
        return culture_study(transform="log")


class TestGaussianProcessOverMixedFactors(TestGaussianProcess):
    @classmethod
    def study(cls):
        return mixed_study()


class TestLeastSquares(SurrogateContract):
    @classmethod
    def fit(cls, observations):
        return fit_surface(observations, observations.responses[0].name)


class TestLeastSquaresOverMixedFactors(TestLeastSquares):
    @classmethod
    def study(cls):
        return mixed_study()


class TestLeastSquaresWithFixedBlocks(TestLeastSquares):
    @classmethod
    def study(cls):
        study = culture_study(block_std=3.0, n_blocks=3)
        factors = tuple(
            replace(f, random=False) if isinstance(f, BlockFactor) else f
            for f in study.space.factors
        )
        return replace(study, space=FactorSpace(factors))


class TestLeastSquaresOnTheLogScale(TestLeastSquares):
    @classmethod
    def study(cls):
        return culture_study(transform="log")


class TestMarginOfAMultivariateModel(SurrogateContract):
    @classmethod
    def study(cls):
        return paired_study()

    @classmethod
    def fit(cls, observations):
        names = [response.name for response in observations.responses]
        return fit_multivariate(observations, names)[names[0]]


class TestMarginOfSeeminglyUnrelatedRegressions(SurrogateContract):
    @classmethod
    def study(cls):
        return paired_study()

    @classmethod
    def fit(cls, observations):
        names = [response.name for response in observations.responses]
        terms = dict(zip(names, ("quadratic", "linear"), strict=True))
        rng = np.random.default_rng(11)
        return fit_seemingly_unrelated(observations, names, terms, rng=rng)[names[0]]


def _agree(
    one: Surrogate,
    other: Surrogate,
    settings: pd.DataFrame,
    other_settings: pd.DataFrame | None = None,
) -> None:
    first = one.predict(settings)
    second = other.predict(settings if other_settings is None else other_settings)
    np.testing.assert_allclose(first.mean, second.mean, rtol=1e-6)
    np.testing.assert_allclose(first.latent_std, second.latent_std, rtol=1e-5)
    np.testing.assert_allclose(first.new_run_std, second.new_run_std, rtol=1e-5)


def reordered(observations: Observations, order: np.ndarray) -> Observations:
    """Return the same runs in another order."""
    return replace(
        observations,
        target=observations.target.iloc[order],
        actual=observations.actual.iloc[order],
        recorded=observations.recorded.iloc[order],
        measurements=tuple(reversed(observations.measurements)),
    )


def rescaled(observations: Observations, name: str, size: float) -> Observations:
    """Return the same runs with one factor in a unit ``size`` times smaller."""
    factors = tuple(
        replace(f, low=f.low * size, high=f.high * size)
        if isinstance(f, ContinuousFactor) and f.name == name
        else f
        for f in observations.space.factors
    )
    target = observations.target.assign(**{name: observations.target[name] * size})
    return replace(observations, space=FactorSpace(factors), target=target)
