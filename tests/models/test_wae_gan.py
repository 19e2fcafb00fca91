"""The Wasserstein autoencoder with a critic: two losses, two optimizers, neither moves what is the other's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from keras.optimizers import SGD

import keras_ae
from keras_ae import networks
from keras_ae.errors import InputError
from keras_ae.models import WAEGAN, Batch
from tests.conformance.table import same, weights

VALUES, LATENT, PENALTY = 6, 2, 3.0


def create(critic=None, seed=0, **compiling):
    critic = critic or networks.critic(LATENT, hidden=(7,), seed=3)
    options = {"network_options": {"hidden": (8,)}, "likelihood": "normal", "penalty": PENALTY}
    model = keras_ae.create("wae_gan", (VALUES,), LATENT, seed=seed, critic=critic, **options)
    model.compile(**{"optimizer": "adam", "run_eagerly": True, **compiling})
    return model


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(40, VALUES)).astype("float32")


def of_critic(model):
    return [weight.numpy() for weight in model.critic.trainable_weights]


def of_networks(model):
    critic = {id(weight) for weight in model.critic.trainable_weights}
    return [weight.numpy() for weight in model.trainable_weights if id(weight) not in critic]


@pytest.mark.parametrize("still", ["optimizer", "critic_optimizer"])
def test_each_optimizer_moves_its_own_variables_alone(still, x):
    rates = {"optimizer": SGD(0.05), "critic_optimizer": SGD(0.05), still: SGD(0.0)}
    model = create(**rates)
    before = of_networks(model), of_critic(model)
    model.fit(x, epochs=2, verbose=0)
    after = of_networks(model), of_critic(model)
    kept = [[np.array_equal(*pair) for pair in zip(*both, strict=True)] for both in zip(before, after, strict=True)]
    assert set(kept[0]) == {still == "optimizer"}
    assert set(kept[1]) == {still == "critic_optimizer"}


def test_gradients_are_those_of_two_tapes_by_hand(x, monkeypatch):
    """The critic has that of E' alone, encoder and decoder have that of E alone."""
    model = create()
    draws = tf.constant(np.random.default_rng(1).normal(size=(len(x), LATENT)).astype("float32"))
    monkeypatch.setattr(model.prior, "sample", lambda n, seed: draws)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        model(Batch(x, x), training=True)
        total = sum(model.losses)
    variables = [weight.value for weight in model.trainable_weights]
    found = {id(v): g for v, g in zip(model.trainable_weights, tape.gradient(total, variables), strict=True)}
    critic = model.critic.trainable_weights
    others = [weight for weight in model.trainable_weights if not any(weight is one for one in critic)]

    with tf.GradientTape() as tape:
        code = model.code(x)
        reconstruction = 0.5 * ops.sum(ops.square(x - model.decode_params(code)), axis=1)
        loss = ops.mean(reconstruction - PENALTY * ops.log(ops.sigmoid(model.critic(code)[:, 0])))
    of_networks = tape.gradient(loss, [weight.value for weight in others])
    with tf.GradientTape() as tape:
        real, fake = ops.sigmoid(model.critic(draws)), ops.sigmoid(model.critic(model.code(x)))
        loss = -ops.mean(ops.log(real) + ops.log(1 - fake))
    of_critic = tape.gradient(loss, [weight.value for weight in critic])
    assert len(others) == 8 and len(critic) == 4
    for weight, gradient in zip([*others, *critic], [*of_networks, *of_critic], strict=True):
        np.testing.assert_allclose(found[id(weight)], gradient, rtol=1e-3, atol=1e-5)
        assert np.abs(gradient).max() > 1e-4


def test_terms_are_those_of_the_paper(x, monkeypatch):
    model = create()
    draws = np.random.default_rng(1).normal(size=(len(x), LATENT)).astype("float32")
    monkeypatch.setattr(model.prior, "sample", lambda n, seed: draws[:n])
    terms = model.evaluate(x, batch_size=40, verbose=0, return_dict=True)
    real, fake = (1 / (1 + np.exp(-np.asarray(model.critic(z), "float64"))) for z in (draws, model.code(x)))
    adversarial, critic = -PENALTY * np.log(fake).mean(), -(np.log(real) + np.log(1 - fake)).mean()
    assert terms["adversarial"] == pytest.approx(adversarial, rel=1e-4)
    assert terms["critic"] == pytest.approx(critic, rel=1e-4)
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + adversarial, rel=1e-4)


def test_the_loss_of_the_critic_is_tracked_and_no_part_of_the_loss(x):
    history = create().fit(x, epochs=2, validation_data=x, verbose=0).history
    for prefix in ("", "val_"):
        total = np.add(history[prefix + "reconstruction"], history[prefix + "adversarial"])
        np.testing.assert_allclose(history[prefix + "loss"], total, rtol=1e-5)
        assert np.min(history[prefix + "critic"]) > 0.1


def test_a_critic_that_cannot_tell_has_the_loss_log_4(x):
    model = create()
    model.critic.set_weights([0 * weight for weight in model.critic.get_weights()])
    terms = model.evaluate(x, verbose=0, return_dict=True)
    assert terms["critic"] == pytest.approx(np.log(4), rel=1e-5)
    assert terms["adversarial"] == pytest.approx(PENALTY * np.log(2), rel=1e-5)


def test_the_critic_learns_to_tell_and_the_codes_follow(x):
    """A critic trained alone falls below log 4; a frozen one that prefers large codes makes the encoder give them."""
    alone = create(optimizer=SGD(0.0), critic_optimizer=keras.optimizers.Adam(0.1))
    history = alone.fit(5 * x, epochs=6, batch_size=40, verbose=0).history["critic"]
    assert history[-1] < min(history[0], np.log(4))
    linear = keras.Sequential([keras.Input((LATENT,)), layers.Dense(1, kernel_initializer="ones")])
    model = create(linear, optimizer=SGD(0.01), critic_optimizer=SGD(0.0))
    before = model.code(x).numpy().sum(axis=1).mean()
    model.fit(x, epochs=2, verbose=0)
    assert model.code(x).numpy().sum(axis=1).mean() > before + 0.05


OPTIMIZERS = {
    "the same": {},
    "two rates": {"optimizer": keras_ae.optimizers.Adam(0.01), "critic_optimizer": keras_ae.optimizers.Adam(0.002)},
    "two kinds": {"optimizer": "rmsprop", "critic_optimizer": SGD(0.01, momentum=0.9)},
    "schedules": {
        "optimizer": SGD(keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5), momentum=0.5),
        "critic_optimizer": keras.optimizers.Adam(0.01),
    },
}


def fresh(options):
    """Copies of optimizers, which belong to one model each."""
    kind = keras.optimizers.Optimizer
    return {k: type(v).from_config(v.get_config()) if isinstance(v, kind) else v for k, v in options.items()}


@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_it_resumes_bit_identically(options, x, tmp_path):
    straight, stopped = (create(**fresh(options)) for _ in range(2))
    straight.fit(x, epochs=2, verbose=0)
    stopped.fit(x, epochs=1, verbose=0)
    stopped.save(tmp_path / "model.keras")
    resumed = keras_ae.load_model(tmp_path / "model.keras")
    resumed.run_eagerly = True
    assert same(weights(stopped), weights(resumed))
    resumed.fit(x, epochs=2, initial_epoch=1, verbose=0)
    assert not same(weights(stopped), weights(resumed))
    assert same(weights(straight), weights(resumed))
    states = [[variable.numpy() for variable in model.optimizer.variables] for model in (straight, resumed)]
    assert len(states[0]) > 2 and same(*states)


def test_adam_has_the_settings_of_the_paper():
    """Tolstikhin et al. (2018): rates of 1e-3 and 5e-4, beta_1 = 0.5."""
    networks, critic = (create().optimizer.optimizers[i] for i in (1, 0))
    assert [float(o.learning_rate) for o in (networks, critic)] == pytest.approx([1e-3, 5e-4])
    assert networks.beta_1 == critic.beta_1 == 0.5


def test_compiled_training_is_eager_training(x):
    models = [create(optimizer=SGD(0.01), critic_optimizer=SGD(0.02), run_eagerly=eager) for eager in (True, False)]
    histories = [model.fit(x, epochs=2, verbose=0).history for model in models]
    assert same(*map(weights, models), atol=1e-5)
    for name in histories[0]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-4)


def test_a_critic_of_ones_own_is_saved(x, tmp_path):
    hidden = [layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(1)]
    model = create(keras.Sequential([keras.Input((LATENT,)), *hidden]))
    model.fit(x, verbose=0)
    assert not np.allclose(hidden[1].moving_mean, 0)
    model.save(tmp_path / "model.keras")
    again = keras_ae.load_model(tmp_path / "model.keras")
    z = np.random.default_rng(0).normal(size=(5, LATENT)).astype("float32")
    np.testing.assert_array_equal(again.critic(z), model.critic(z))


def test_batch_normalisation_in_the_critic_is_updated_by_its_own_loss_alone(x, monkeypatch):
    """Once by the draws and once by the codes, not a third time by the encoder's loss."""
    normalise = layers.BatchNormalization(momentum=0.5)
    model = create(keras.Sequential([keras.Input((LATENT,)), normalise, layers.Dense(1)]))
    draws = np.random.default_rng(1).normal(size=(len(x), LATENT)).astype("float32")
    monkeypatch.setattr(model.prior, "sample", lambda n, seed: draws)
    model.objective(Batch(x, x), training=True)
    expected = 0.25 * draws.mean(axis=0) + 0.5 * np.asarray(model.code(x)).mean(axis=0)
    np.testing.assert_allclose(normalise.moving_mean, expected, rtol=1e-3, atol=1e-5)


def network(inputs, *hidden):
    return keras.Sequential([keras.Input(inputs), *hidden])


BAD_CRITICS = {
    "two logits": (lambda: network((LATENT,), layers.Dense(2)), r"one logit.*\(2,\) to \(2,\)"),
    "other codes": (lambda: network((LATENT + 1,), layers.Dense(1)), r"codes of shape \(2,\).*from \(3,\)"),
    "a grid": (lambda: network((2, LATENT), layers.Dense(1)), r"from \(2, 2\) to \(2, 1\)"),
}


@pytest.mark.parametrize("make, message", BAD_CRITICS.values(), ids=BAD_CRITICS)
def test_a_critic_of_wrong_shapes(make, message):
    with pytest.raises(InputError, match=message):
        create(make())


@pytest.mark.parametrize("make", [lambda: layers.Dense(1), lambda: keras.Sequential([layers.Dense(1)]), lambda: "mlp"])
def test_a_critic_that_is_no_built_model(make):
    with pytest.raises(InputError, match="critic"):
        create(make())


def test_a_critic_of_two_inputs():
    inputs = [keras.Input((LATENT,)), keras.Input((LATENT,))]
    critic = keras.Model(inputs, layers.Dense(1)(layers.Add()(inputs)))
    with pytest.raises(InputError, match="critic"):
        create(critic)


def test_the_default_critic_fits_a_grid_of_codes():
    encoder = network((4,), layers.Dense(3))
    decoder = network((2, 2), layers.Flatten())
    model = WAEGAN(encoder, decoder, (2, 2), likelihood="normal", seed=0)
    assert model.critic.input_shape == (None, 2, 2) and model.critic.output_shape == (None, 1)
    model.compile("adam", run_eagerly=True)
    assert np.isfinite(model.fit(np.ones((4, 4)), verbose=0).history["critic"]).all()
