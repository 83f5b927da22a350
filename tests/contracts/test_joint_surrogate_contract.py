"""What every joint surrogate keeps; a new one inherits ``JointSurrogateContract``."""

import numpy as np
import pandas as pd
import pytest

from doe.errors import InvalidValueError, UnknownNameError
from doe.runs import Observations
from surrogates.linear.joint.multivariate import fit_multivariate
from surrogates.linear.joint.seemingly_unrelated import fit_seemingly_unrelated
from surrogates.surrogate import JointSurrogate, Surrogate
from tests.surrogates.linear.examples import paired_study

N_DRAWS = 8000


class JointSurrogateContract:
    """The suite; a subclass gives ``fit``."""

    @classmethod
    def study(cls) -> Observations:
        """Return the runs that it is fitted to; their errors correlate 0.8."""
        return paired_study()

    @classmethod
    def fit(cls, observations: Observations) -> JointSurrogate:
        """Return the joint surrogate of all responses of these runs."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def joint(cls) -> JointSurrogate:
        return cls.fit(cls.study())

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> pd.DataFrame:
        return cls.study().space.sample(5, rng=np.random.default_rng(7))

    def test_it_keeps_the_protocol(self, joint):
        assert isinstance(joint, JointSurrogate)
        assert joint.responses == tuple(r.name for r in self.study().responses)
        assert joint.space == self.study().space

    def test_draws_have_the_moments_of_each_margin(self, joint, settings):
        for kind in ("latent", "new_run"):
            draws = joint.sample(settings, N_DRAWS, kind=kind, rng=np.random.default_rng(1))

            assert draws.shape == (N_DRAWS, 5, len(joint.responses))
            for place, name in enumerate(joint.responses):
                margin = joint[name]
                assert isinstance(margin, Surrogate)
                prediction = margin.predict(settings)
                std = prediction.latent_std if kind == "latent" else prediction.new_run_std
                error = np.abs(draws[:, :, place].mean(axis=0) - prediction.mean)
                assert (error < 4.5 * std / np.sqrt(N_DRAWS)).all()
                np.testing.assert_allclose(draws[:, :, place].std(axis=0), std, rtol=0.08)

    def test_new_runs_go_along_as_the_errors_do(self, joint, settings):
        draws = joint.sample(settings, N_DRAWS, kind="new_run", rng=np.random.default_rng(2))

        for place in range(5):
            assert np.corrcoef(draws[:, place].T)[0, 1] > 0.4

    def test_draws_are_repeatable_and_leave_the_settings_alone(self, joint, settings):
        before = settings.copy()
        one, other = (
            joint.sample(settings, 5, kind="new_run", rng=np.random.default_rng(4))
            for _ in range(2)
        )

        assert np.array_equal(one, other)
        pd.testing.assert_frame_equal(settings, before)

    @pytest.mark.requirement("DS-1")
    def test_the_joint_probability_is_the_share_of_draws(self, joint, settings):
        draws = joint.sample(settings, N_DRAWS, kind="new_run", rng=np.random.default_rng(2))
        low, high = np.quantile(draws[:, 0], [0.2, 0.9], axis=0)
        limits = {
            name: (float(low[place]), float(high[place]))
            for place, name in enumerate(joint.responses)
        }

        found = joint.probability_within(settings, limits, rng=np.random.default_rng(3))

        share = ((draws >= low) & (draws <= high)).all(axis=2).mean(axis=0)
        assert (np.abs(found.value - share) < 4.5 * np.sqrt(0.25 / N_DRAWS)).all()
        assert (found.standard_error < 0.01).all()
        assert found.method.endswith(".")

    def test_the_probability_of_one_response_is_that_of_its_margin(self, joint, settings):
        name = joint.responses[1]
        middle = float(np.median(joint[name].predict(settings).mean))

        found = joint.probability_within(settings, {name: (None, middle)})

        margin = joint[name].probability_within(settings, None, middle)
        np.testing.assert_allclose(found.value, margin, rtol=1e-9)

    def test_more_limits_are_met_less_often_and_none_always(self, joint, settings):
        first, second = joint.responses
        middle = {
            name: float(np.median(joint[name].predict(settings).mean)) for name in (first, second)
        }
        rng = np.random.default_rng(5)

        one = joint.probability_within(settings, {first: (middle[first], None)}, rng=rng)
        both = joint.probability_within(
            settings, {first: (middle[first], None), second: (middle[second], None)}, rng=rng
        )

        assert (both.value < one.value).all()
        np.testing.assert_array_equal(joint.probability_within(settings, {}).value, 1.0)

    def test_limits_that_exclude_each_other_are_never_met(self, joint, settings):
        found = joint.probability_within(settings, {joint.responses[0]: (2.0, 1.0)})

        np.testing.assert_array_equal(found.value, 0.0)

    def test_an_unknown_response_and_a_missing_setting_are_refused_by_name(self, joint, settings):
        with pytest.raises(UnknownNameError, match="no such response"):
            joint.probability_within(settings, {"no such response": (1.0, None)})
        name = joint.space.names[0]
        with pytest.raises(InvalidValueError, match=name):
            joint.sample(
                settings.drop(columns=name), 2, kind="latent", rng=np.random.default_rng(1)
            )


class TestMultivariateLinear(JointSurrogateContract):
    @classmethod
    def fit(cls, observations):
        return fit_multivariate(observations, [r.name for r in observations.responses])


class TestSeeminglyUnrelated(JointSurrogateContract):
    @classmethod
    def fit(cls, observations):
        names = [response.name for response in observations.responses]
        terms = dict(zip(names, ("quadratic", "linear"), strict=True))
        return fit_seemingly_unrelated(observations, names, terms, rng=np.random.default_rng(11))
