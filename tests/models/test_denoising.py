"""The denoising autoencoder: corruption in training, pairs, missing values, files."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import layers
from keras_ae.errors import InputError
from keras_ae.models.denoising_ae import CORRUPTIONS
from tests.conformance.table import same, weights

VALUES = 6


@keras.saving.register_keras_serializable("tests")
class Reversed(keras.layers.Layer):
    """Turns x round in training."""

    def call(self, x, training=False):
        return keras.ops.flip(x, axis=1) if training else x


def create(corruption="masking", seed=0, **compiling):
    model = keras_ae.create(
        "denoising_ae", (VALUES,), 3, seed=seed, network_options={"hidden": (8,)}, corruption=corruption
    )
    model.compile(**{"optimizer": keras_ae.optimizers.Adam(0.01), **compiling})
    return model


@pytest.fixture(scope="module")
def x():
    return (np.random.default_rng(0).random((32, VALUES)) > 0.5).astype("float32")


@pytest.fixture(scope="module")
def model(x):
    model = create()
    model.fit(x, epochs=2, verbose=0)
    return model


def by_hand(model, x, target):
    """-log p(target | code of x) of each value."""
    logits = np.asarray(model.decode_params(model.code(np.asarray(x, "float32"))), "float64")
    return np.logaddexp(0, logits) - target * logits


def terms(model, x, training):
    batch = model.pack((keras.ops.convert_to_tensor(x),))
    return np.asarray(model.objective(batch, training)["reconstruction"])


def test_training_explains_the_clean_from_the_corrupted(x):
    model = create(Reversed())
    found = terms(model, x, training=True)
    np.testing.assert_allclose(found, by_hand(model, x[:, ::-1], x).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(terms(model, x, training=False), by_hand(model, x, x).sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_evaluation_and_inference_see_x_as_it_is(name, x):
    model = create(name, run_eagerly=True)
    expected = by_hand(model, x, x).sum(axis=1)
    assert model.evaluate(x, verbose=0)[0] == pytest.approx(expected.mean(), rel=1e-4)
    np.testing.assert_allclose(terms(model, x, training=False), expected, rtol=1e-4)
    first, second = (terms(model, x, training=True) for _ in range(2))
    assert not np.isclose(first, expected).all() and not np.isclose(first, second).all()


@pytest.mark.parametrize("name, changed, values", [("masking", 0.3, {0}), ("salt_and_pepper", 0.3, {0, 1})])
def test_the_default_corruptions(name, changed, values):
    noisy = np.asarray(create(name).corruption(np.full((5000, 4), 0.5, "float32"), training=True))
    assert abs((noisy != 0.5).mean() - changed) < 5 * np.sqrt(changed * (1 - changed) / noisy.size)
    assert set(np.unique(noisy)) == {0.5, *values}


def test_the_default_gaussian_noise():
    noise = np.asarray(create("gaussian").corruption(np.zeros((5000, 4), "float32"), training=True))
    assert abs(noise.mean()) < 5 * 0.3 / np.sqrt(20000)
    assert noise.std() == pytest.approx(0.3, rel=0.03)


def test_corruption_is_a_function_of_the_seed(x):
    draws = [np.asarray(create(seed=seed).corruption(x, training=True)) for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[2])


def test_it_fits_pairs_of_noisy_and_clean(x):
    """With no noise of its own the pair is all that counts; evaluation is by hand."""
    noisy = np.where(np.random.default_rng(1).random(x.shape) < 0.3, 0, x)
    paired, plain = (create(layers.MaskingNoise(0.0)) for _ in range(2))
    before = paired.evaluate(noisy, x, verbose=0)[0]
    assert before == pytest.approx(by_hand(paired, noisy, x).sum(axis=1).mean(), rel=1e-4)
    paired.fit(noisy, x, epochs=8, verbose=0)
    plain.fit(noisy, epochs=8, verbose=0)
    after = paired.evaluate(noisy, x, verbose=0)[0]
    assert after == pytest.approx(by_hand(paired, noisy, x).sum(axis=1).mean(), rel=1e-4)
    assert after < before and after < plain.evaluate(noisy, x, verbose=0)[0]


@pytest.fixture
def incomplete(x):
    """x, of which about a third is missing; one example wholly."""
    missing = np.random.default_rng(2).random(x.shape) < 0.3
    missing[3] = True
    return np.where(missing, np.nan, x)


def test_missing_values_are_reconstructed_as_if_they_were_zero(model, incomplete):
    zeros = np.nan_to_num(incomplete)
    assert np.isnan(incomplete).any()
    for infer in (model.reconstruct, model.encode, lambda x: model.predict(x, verbose=0)):
        assert np.isfinite(infer(incomplete)).all()
        np.testing.assert_array_equal(infer(incomplete), infer(zeros))


def test_a_missing_target_does_not_count(model, x, incomplete):
    missing = np.isnan(incomplete)
    expected = np.where(missing, 0, by_hand(model, x, x)).sum(axis=1).mean()
    assert model.evaluate(x, incomplete, verbose=0)[0] == pytest.approx(expected, rel=1e-4)
    alone = np.where(missing, 0, by_hand(model, np.nan_to_num(incomplete), x)).sum(axis=1).mean()
    assert model.evaluate(incomplete, verbose=0)[0] == pytest.approx(alone, rel=1e-4)
    whole = by_hand(model, np.nan_to_num(incomplete), x).sum(axis=1).mean()
    assert model.evaluate(incomplete, x, verbose=0)[0] == pytest.approx(whole, rel=1e-4)


def test_training_on_missing_values_does_not_see_what_is_missing(x, incomplete):
    models = [create("gaussian"), create("gaussian")]
    other = np.where(np.isnan(incomplete), np.nan, x)
    for found, data in zip(models, (incomplete, other), strict=True):
        assert np.isfinite(found.fit(data, epochs=2, verbose=0).history["loss"]).all()
    assert same(*map(weights, models))


OF_KERAS = {
    "GaussianNoise": lambda: keras.layers.GaussianNoise(0.5, seed=0),
    "Dropout": lambda: keras.layers.Dropout(0.5, seed=0),
    "MaskingNoise": lambda: layers.MaskingNoise(0.5, seed=0),
    "SaltAndPepperNoise": lambda: layers.SaltAndPepperNoise(0.5, -1.0, 2.0, seed=0),
    "network": lambda: keras.Sequential([keras.Input((VALUES,)), layers.MaskingNoise(0.5), Reversed()]),
    "own": Reversed,
}


@pytest.mark.parametrize("make", OF_KERAS.values(), ids=OF_KERAS)
def test_any_layer_is_a_corruption_and_comes_back_from_a_file(make, x, tmp_path):
    model = create(make(), run_eagerly=True)
    assert not np.isclose(terms(model, x, training=True), terms(model, x, training=False)).all()
    model.fit(x, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras_ae.load_model(tmp_path / "model.keras")
    assert type(again.corruption) is type(model.corruption)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)
    np.testing.assert_allclose(terms(again, x, training=True), terms(model, x, training=True), rtol=1e-5)


@pytest.mark.parametrize(
    "corruption, message", [("maskin", "'maskin'.*'masking'"), (0.3, "name or a Keras layer.*0.3"), (None, "None")]
)
def test_a_corruption_that_is_none(corruption, message):
    with pytest.raises(InputError, match=message):
        create(corruption)


def test_infinite_values_are_refused(model, x):
    bad = x.copy()
    bad[0, 0] = np.inf
    with pytest.raises(InputError, match="infinite"):
        model.reconstruct(bad)


def test_noise_may_leave_the_range_that_the_likelihood_explains(digits):
    model = keras_ae.create("denoising_ae", (8, 8, 1), 3, corruption="gaussian", seed=0)
    model.compile("adam")
    clean = digits[0][:16]
    noisy = clean + np.float32(1.5)
    assert np.isfinite(model.fit(noisy, clean, verbose=0).history["loss"]).all()
    assert np.isfinite(model.reconstruct(noisy)).all()
    for data in ({"x": noisy}, {"x": clean, "y": noisy}):
        with pytest.raises(keras_ae.InputError, match=r"values from 1.5 to 2.5"):
            model.fit(**data, verbose=0)
    with pytest.raises(keras_ae.InputError, match=r"values from 1.5 to 2.5"):
        keras_ae.create("ae", (8, 8, 1), 3).reconstruct(noisy)
