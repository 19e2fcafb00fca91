"""Active units and the warning of collapse."""

import warnings

import numpy as np
import pytest

import keras_ae
from keras_ae.evaluation import CollapseMonitor, active_units
from tests.linear import linear_vae


def using(dims, dim=4, values=6):
    """A model of whose code only the first `dims` dimensions depend on x."""
    model = keras_ae.create("vae", (values,), dim, seed=0, network_options={"hidden": ()})
    kernel = np.zeros((values, dim))
    kernel[range(dims), range(dims)] = 1.0
    model.mean_head.kernel.assign(kernel)
    for variable in (model.mean_head.bias, model.log_var_head.kernel, model.log_var_head.bias):
        variable.assign(np.zeros(variable.shape))
    return model


@pytest.mark.parametrize("dims", [0, 1, 3])
def test_units_that_depend_on_x_are_active(dims, rng):
    x = rng.integers(0, 2, (200, 6)).astype("float32")
    found = active_units(using(dims), x)
    assert found.number == dims
    assert found.active.tolist() == [True] * dims + [False] * (4 - dims)
    expected = np.append(x[:, :dims].var(axis=0), np.zeros(4 - dims))
    np.testing.assert_allclose(found.variance, expected, atol=1e-6)
    np.testing.assert_allclose(
        found.kl, np.append(0.5 * np.square(x[:, :dims]).mean(axis=0), np.zeros(4 - dims)), atol=1e-6
    )


def test_the_kl_of_a_full_posterior_is_that_of_its_marginals():
    model, x, _ = linear_vae(3, widen=2.0)
    q = model.posterior(x)
    covariance = np.einsum("bij,bkj->bik", q.scale_tril, q.scale_tril)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    expected = 0.5 * (np.square(q.mean) + variance - np.log(variance) - 1).mean(axis=0)
    np.testing.assert_allclose(active_units(model, x).kl, expected, rtol=1e-4)


def test_the_kl_to_a_learned_prior(rng):
    options = {"condition_dim": 3, "learned_prior": True, "network_options": {"hidden": (8,)}, "seed": 0}
    model = keras_ae.create("conditional_vae", (6,), 2, **options)
    model.prior_mean_head.kernel.assign(rng.normal(size=(3, 2)))
    model.prior_log_var_head.kernel.assign(rng.normal(size=(3, 2)))
    x, y = rng.integers(0, 2, (6, 6)).astype("float32"), np.arange(6) % 3
    found = active_units(model, x, condition=y)
    assert found.kl.sum() == pytest.approx(keras_ae.evaluation.elbo(model, x, condition=y).rate.mean(), rel=1e-5)


def test_a_collapse_is_warned_of_once(rng):
    x = rng.integers(0, 2, (64, 6)).astype("float32")
    model = using(0)
    model.compile(keras_ae.optimizers.Adam(1e-9))
    with pytest.warns(UserWarning, match="Posterior collapse: after epoch 2, 0 of 4 units.*beta_vae") as seen:
        history = model.fit(x, epochs=4, callbacks=[CollapseMonitor(x, patience=2)], verbose=0).history
    assert len(seen) == 1
    assert history["active_units"] == [0, 0, 0, 0]


def test_a_model_that_uses_its_code_is_not_warned_of(rng):
    x = rng.integers(0, 2, (64, 6)).astype("float32")
    model = using(2)
    model.compile(keras_ae.optimizers.Adam(1e-9))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        history = model.fit(x, callbacks=[CollapseMonitor(x, patience=0)], verbose=0).history
    assert history["active_units"] == [2]
    with pytest.warns(UserWarning, match="2 of 4 units"):
        model.fit(x, callbacks=[CollapseMonitor(x, patience=0, share=0.5)], verbose=0)


def test_bad_arguments():
    x = np.ones((3, 6), "float32")
    with pytest.raises(keras_ae.InputError, match="at least 2"):
        active_units(using(1), x[:1])
    deterministic = keras_ae.create("ae", (6,), 2)
    deterministic.compile("adam")
    with pytest.raises(keras_ae.InputError, match="AE is deterministic"):
        deterministic.fit(x, callbacks=[CollapseMonitor(x)], verbose=0)
    with pytest.raises(keras_ae.InputError, match="share must be"):
        CollapseMonitor(x, share=1)
    with pytest.raises(keras_ae.InputError, match="patience must be"):
        CollapseMonitor(x, patience=-1)
