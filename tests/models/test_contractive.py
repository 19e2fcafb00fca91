"""The squared norm of the encoder's Jacobian: closed form, automatic Jacobians, probes."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_ae
from keras_ae import backend
from keras_ae.models import Batch, ContractiveAE

VALUES, PENALTY = 6, 0.3


def create(latent_dim=4, hidden=(), **arguments):
    options = {"network_options": {"hidden": hidden, "activation": "tanh"}, "penalty": PENALTY, **arguments}
    model = keras_ae.create("contractive_ae", (VALUES,), latent_dim, seed=0, likelihood="normal", **options)
    model.compile("adam")
    return model


def with_encoder(*encoder, latent_dim=3, **arguments):
    """A model with an encoder of these layers."""
    encoder = keras.Sequential([keras.Input((VALUES,)), *encoder])
    decoder = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(4, "relu")])
    model = ContractiveAE(encoder, decoder, latent_dim, likelihood="normal", penalty=PENALTY, seed=0, **arguments)
    model.compile("adam")
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(10, VALUES)).astype("float32")


def squared_norms(model, x, training=False):
    """|J|^2 of each example, as the objective sees it."""
    batch = Batch(ops.convert_to_tensor(x), ops.convert_to_tensor(x))
    return np.asarray(model.objective(batch, training)["contraction"]) / PENALTY


def by_tape(model, x, training=False):
    """The same from the Jacobian of TensorFlow, each example's code by its own x."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        code = model.code(x, training)
    jacobian = tape.jacobian(code, x).numpy().astype("float64")
    of_own = jacobian[np.arange(len(x)), :, np.arange(len(x))]
    return np.square(of_own).sum(axis=(1, 2))


def test_one_sigmoid_layer_has_the_closed_form_of_rifai(x):
    """sum_j (h_j (1 - h_j))^2 |W_j|^2 (Rifai et al., 2011, sec. 3.1)."""
    model = create(code_activation="sigmoid", estimator="exact")
    kernel, bias = (np.asarray(weight, "float64") for weight in (model.code_head.kernel, model.code_head.bias))
    h = 1 / (1 + np.exp(-(x @ kernel + bias)))
    expected = ((h * (1 - h)) ** 2 * np.square(kernel).sum(axis=0)).sum(axis=1)
    np.testing.assert_allclose(squared_norms(model, x), expected, rtol=1e-5)
    terms = model.evaluate(x, verbose=0, return_dict=True)
    assert terms["contraction"] == pytest.approx(PENALTY * expected.mean(), rel=1e-5)


@pytest.mark.parametrize("latent_dim", [1, 4, 10])
def test_the_exact_form_is_the_jacobian_of_a_deep_encoder(latent_dim, x):
    model = create(latent_dim, hidden=(7, 5), estimator="exact")
    np.testing.assert_allclose(squared_norms(model, x), by_tape(model, x), rtol=1e-4)


def test_the_exact_form_is_the_jacobian_of_a_convolutional_encoder(rng):
    x = rng.random((3, 8, 8, 1)).astype("float32")
    options = {"network": "conv", "network_options": {"filters": (3, 4), "units": 5}, "penalty": PENALTY}
    model = keras_ae.create("contractive_ae", (8, 8, 1), 2, seed=0, **options)
    jacobian = np.zeros((3, 2, 64))
    for pixel in range(64):
        shift = np.zeros((8, 8, 1), "float32")
        shift.flat[pixel] = 1e-2
        jacobian[:, :, pixel] = (np.asarray(model.code(x + shift)) - model.code(x - shift)) / 2e-2
    np.testing.assert_allclose(squared_norms(model, x), np.square(jacobian).sum(axis=(1, 2)), rtol=0.02)


def test_probes_have_the_exact_form_as_their_expectation(x, monkeypatch):
    """The mean over all vectors of signs is not an estimate any more."""
    exact, estimate = (create(4, hidden=(5,), estimator=name, probes=16) for name in ("exact", "hutchinson"))
    signs = tf.stack([tf.tile([v], (len(x), 1)) for v in itertools.product([-1.0, 1.0], repeat=4)])
    monkeypatch.setattr(estimate, "random_signs", lambda x: signs)
    np.testing.assert_allclose(squared_norms(estimate, x), squared_norms(exact, x), rtol=1e-4)


def test_probes_are_independent_fair_signs(x):
    model = create(4, estimator="hutchinson", probes=3)
    v = np.concatenate(model.random_signs(np.zeros((5000, VALUES), "float32")), axis=1)
    assert v.shape == (5000, 12) and set(np.unique(v)) == {-1, 1}
    second_moments = v.T @ v / 5000
    assert np.abs(v.mean(axis=0)).max() < 5 / np.sqrt(5000)
    assert np.abs(second_moments - np.eye(12)).max() < 5 / np.sqrt(5000)
    assert np.abs(np.mean(v[1:] * v[:-1], axis=0)).max() < 5 / np.sqrt(5000)  # nor from one example to the next


@pytest.mark.parametrize("training", [False, True])
def test_many_probes_meet_the_exact_form(training, x):
    exact, one, four = (
        create(4, hidden=(5,), estimator=estimator, probes=probes)
        for estimator, probes in (("exact", 1), ("hutchinson", 1), ("hutchinson", 4))
    )
    expected, many = squared_norms(exact, x[:1]), np.repeat(x[:1], 4000, axis=0)
    draws = [squared_norms(model, many, training) for model in (one, four)]
    for values in draws:
        assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(len(many))
    assert draws[1].var() / draws[0].var() == pytest.approx(1 / 4, rel=0.15)
    assert draws[0].std() > 0.1 * expected


def test_auto_is_exact_up_to_eight_dimensions(x):
    for latent_dim, exact in ((8, True), (9, False)):
        model = create(latent_dim, hidden=(5,))
        assert np.array_equal(squared_norms(model, x), squared_norms(model, x)) == exact


def test_inference_computes_no_jacobian(x, monkeypatch):
    model = create(hidden=(5,))

    def refuse(*_):
        raise AssertionError("a Jacobian")

    monkeypatch.setattr(backend, "vjp", refuse)
    model.reconstruct(x), model.encode(x), model.predict(x, verbose=0), model(x)
    with pytest.raises(AssertionError, match="a Jacobian"):
        model.evaluate(x, verbose=0)


def in_float64(weights, x):
    """The mean of |J|^2 of two tanh layers and a linear one, by the chain rule."""
    first, bias1, second, bias2, last = weights
    h1 = np.tanh(x @ first + bias1)
    h2 = np.tanh(h1 @ second + bias2)
    jacobian = np.einsum("ij,nj,jk,nk,kl->nil", first, 1 - h1**2, second, 1 - h2**2, last)
    return np.square(jacobian).sum(axis=(1, 2)).mean()


@pytest.mark.parametrize("estimator", ["exact", "hutchinson"])
def test_its_gradient_is_that_of_finite_differences(estimator, x, monkeypatch):
    model = create(2, hidden=(5, 3), estimator=estimator, probes=4)
    signs = tf.stack([tf.tile([v], (len(x), 1)) for v in itertools.product([-1.0, 1.0], repeat=2)])
    monkeypatch.setattr(model, "random_signs", lambda x: signs)
    variables = [*model.encoder.trainable_weights, model.code_head.kernel]
    with tf.GradientTape() as tape:
        loss = ops.mean(model.objective(Batch(tf.constant(x), x), training=True)["contraction"])
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    values = [np.asarray(variable, "float64") for variable in variables]
    assert float(loss) == pytest.approx(PENALTY * in_float64(values, x), rel=1e-4)
    for variable, gradient in zip(values, gradients, strict=True):
        for index in itertools.islice(np.ndindex(variable.shape), 0, None, 3):
            before = variable[index]
            ends = []
            for shift in (1e-5, -1e-5):
                variable[index] = before + shift
                ends.append(PENALTY * in_float64(values, x))
            variable[index] = before
            assert gradient.numpy()[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_batch_normalisation_in_the_encoder_is_updated_once_a_step(x):
    normalise = layers.BatchNormalization(momentum=0.9)
    model = with_encoder(normalise, layers.Dense(5, "tanh"))
    squared_norms(model, x, training=True)
    np.testing.assert_allclose(normalise.moving_mean, 0.1 * x.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(normalise.moving_variance, 0.9 + 0.1 * x.var(axis=0), rtol=1e-4)
    assert np.isfinite(model.fit(x, verbose=0).history["contraction"]).all()
    np.testing.assert_allclose(squared_norms(model, x), by_tape(model, x), rtol=1e-4)


@pytest.mark.parametrize("last", [layers.BatchNormalization, lambda: layers.Dense(5)], ids=["normalised", "linear"])
def test_the_penalty_in_training_is_the_jacobian_of_each_code_by_its_own_input(last, rng):
    """Examples that share a batch's statistics must not cancel each other's gradients."""
    x = rng.normal(size=(40, VALUES)).astype("float32")
    model = with_encoder(layers.Dense(5, "tanh"), last())
    np.testing.assert_allclose(squared_norms(model, x, True).mean(), by_tape(model, x, True).mean(), rtol=0.2)


def test_dropout_in_the_encoder_is_drawn_once_a_step(rng):
    """Code and Jacobian have the same mask: with h = mask * x and x = 1, both squared norms are |mask|^2."""
    dropout = layers.Dropout(0.5, seed=0)
    model = with_encoder(dropout, latent_dim=VALUES)
    model.code_head.kernel.assign(np.eye(VALUES))
    codes = []
    reconstruction = model.reconstruction
    model.reconstruction = lambda batch, code, training: codes.append(code) or reconstruction(batch, code, training)
    ones = np.ones((20, VALUES), "float32")
    found = squared_norms(model, ones, training=True)
    np.testing.assert_allclose(found, np.square(codes[0]).sum(axis=1), rtol=1e-5)
    assert len(np.unique(found)) > 2
    twin = layers.Dropout(0.5, seed=0)
    twin(ones, training=True)
    np.testing.assert_array_equal(dropout.seed_generator.state, twin.seed_generator.state)
    np.testing.assert_allclose(squared_norms(model, ones), VALUES, rtol=1e-5)
    del model.reconstruction
    assert np.isfinite(model.fit(ones, verbose=0).history["contraction"]).all()


def test_bad_arguments():
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((2, 2)), layers.Flatten()])
    with pytest.raises(keras_ae.InputError, match="integer latent_dim"):
        ContractiveAE(encoder, decoder, (2, 2))
    with pytest.raises(keras_ae.InputError, match=r"'exakt'.*'exact'"):
        create(estimator="exakt")
    with pytest.raises(keras_ae.InputError, match="probes"):
        create(probes=0)
