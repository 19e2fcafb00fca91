"""Every batch of every form of data is checked, and data sets may be given wherever arrays may."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_ae
from keras_ae.distributions.likelihoods import Categorical
from keras_ae.errors import InputError
from tests.conformance.table import same, weights

X = (np.random.default_rng(0).random((64, 8, 8, 1)) > 0.5).astype("float32")
Y = np.arange(64) % 3
SMALL = {"network_options": {"hidden": (4,)}, "seed": 0}


class Sequence(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return tuple(array[8 * i : 8 * i + 8] for array in self.arrays)


FORMS = {
    "tf.data": lambda *arrays: tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(8),
    "PyDataset": Sequence,
    "generator": lambda *arrays: (tuple(a[i : i + 8] for a in arrays) for i in range(0, len(arrays[0]), 8)),
}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def create(name="vae", **options):
    model = keras_ae.create(name, (8, 8, 1), 2, **SMALL, **options)
    model.compile("adam", run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def model():
    return create()


@pytest.fixture(scope="module")
def conditional():
    return create("conditional_vae", condition_dim=3)


def late(value):
    """Data whose sixth batch has one value that is none."""
    x = X.copy()
    x[41, 3, 1, 0] = value
    return x


@forms
@pytest.mark.parametrize("value, message", [(200.0, "0 to 200"), (np.nan, r"not a number.*\(1, 3, 1, 0\)")])
def test_a_later_batch_is_to_blame(model, form, value, message):
    """Not the learning rate; nor does TensorFlow's error hide ours."""
    for use in (
        lambda data: model.fit(data, verbose=0),
        lambda data: model.fit(X, validation_data=data, validation_steps=8, verbose=0),
        lambda data: model.evaluate(data, verbose=0),
        lambda data: model.predict(data, verbose=0),
    ):
        with pytest.raises(InputError, match=r"\(batch 5\) has .*" + message):
            use(form(late(value)))


def test_a_later_batch_is_to_blame_in_a_compiled_step():
    compiled = create("ae")
    compiled.compile("adam")
    with pytest.raises(InputError, match=r"x \(batch 5\) has .*0 to 200"):
        compiled.fit(FORMS["tf.data"](late(200.0)), verbose=0)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@forms
def test_data_sets_are_encoded(model, conditional, form):
    np.testing.assert_allclose(model.encode(form(X)), model.encode(X), atol=1e-6)
    np.testing.assert_allclose(model.predict(form(X), verbose=0), model.reconstruct(X), atol=1e-6)
    expected = conditional.reconstruct(X, condition=Y)
    np.testing.assert_allclose(conditional.reconstruct(form(X, Y)), expected, atol=1e-6)
    np.testing.assert_allclose(conditional.predict(form(X, Y), verbose=0), expected, atol=1e-6)


def test_what_cannot_be_encoded(model):
    with pytest.raises(InputError, match="endless"):
        model.encode(FORMS["tf.data"](X).repeat())
    with pytest.raises(InputError, match="empty"):
        model.encode(FORMS["tf.data"](X).take(0))


def test_x_and_condition_in_one(conditional):
    """A dictionary, or a list as Keras takes several inputs."""
    expected = conditional.reconstruct(X, condition=Y)
    vectors = np.eye(3, dtype="float32")[Y]
    for both in ({"x": X, "condition": Y}, [X, vectors], (X, Y), FORMS["tf.data"]({"x": X, "condition": Y})):
        np.testing.assert_allclose(conditional.predict(both, verbose=0), expected, atol=1e-6)
        losses = conditional.evaluate(both, verbose=0, return_dict=True)
        assert losses["kl"] == pytest.approx(conditional.evaluate(X, Y, verbose=0, return_dict=True)["kl"], rel=1e-5)
    np.testing.assert_allclose(conditional({"x": X, "condition": Y}), expected, atol=1e-6)
    assert conditional.fit([X, Y], X, verbose=0).history["loss"][0] > 0


SPECS = {
    "not batched": (lambda: tf.data.Dataset.from_tensor_slices(X), r"data\.batch\(32\)"),
    "dictionary": (lambda: FORMS["tf.data"]({"image": X, "label": Y}), "'image', 'label'.*map.*'image'"),
    "ragged": (
        lambda: tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1.0], [1.0, 2.0]])).batch(2),
        "ragged.*Pad",
    ),
    "sparse": (
        lambda: tf.data.Dataset.from_tensor_slices(tf.sparse.from_dense(np.eye(4))).batch(2),
        "sparse.*to_dense",
    ),
    "advice": (lambda: FORMS["tf.data"](255 * X), r"Scale it first: x / 255\."),
    "text": (lambda: FORMS["tf.data"](np.full((8, 8, 8, 1), "a")), "numbers"),
}


@pytest.mark.parametrize("data, message", SPECS.values(), ids=SPECS)
def test_data_sets_that_give_no_batches(model, data, message):
    for use in (model.fit, model.evaluate):
        with pytest.raises(InputError, match=message):
            use(data(), verbose=0)


def test_a_model_that_was_trained_on_pairs_takes_its_x(tmp_path):
    noisy = X + 0.3 * np.random.default_rng(1).normal(size=X.shape).astype("float32")
    for name in ("ae", "vae"):
        model = create(name)
        with pytest.raises(InputError, match=r"\[0, 1\]"):
            model.encode(noisy)
        model.fit(noisy, X, verbose=0)
        model.save(tmp_path / "pairs.keras")
        for trained in (model, keras_ae.load_model(tmp_path / "pairs.keras")):
            assert np.isfinite(trained.encode(noisy)).all()
            assert keras_ae.tasks.features(trained, noisy).shape == (64, 2)
            np.testing.assert_allclose(trained.predict(noisy, verbose=0), trained.reconstruct(noisy), atol=1e-6)
        with pytest.raises(InputError, match=r"\[0, 1\]"):  # as a target it explains nothing
            model.fit(noisy, verbose=0)


def test_masks_are_missing_values():
    x = np.random.default_rng(0).random((8, 6)).astype("float32")
    x[3, 2] = -999
    masked = np.ma.masked_less(x, -100)
    missing = masked.filled(np.nan)
    model = keras_ae.create("denoising_ae", (6,), 2, likelihood="normal", **SMALL)
    model.compile("adam", run_eagerly=True)
    np.testing.assert_array_equal(model.encode(masked), model.encode(missing))
    losses = [model.evaluate(values, verbose=0) for values in (masked, missing)]
    assert losses[0] == losses[1]
    vae = keras_ae.create("vae", (6,), 2, likelihood="normal", **SMALL)
    with pytest.raises(InputError, match="1 masked values"):
        vae.encode(masked)
    np.testing.assert_array_equal(vae.encode(np.ma.masked_less(x, -1000)), vae.encode(x))  # nothing is masked


def test_short_sequences_are_padded_everywhere():
    model = keras_ae.create("sequence_ae", (6,), 2, likelihood=Categorical(5), network_options={"units": 4}, seed=0)
    x = np.array([[1, 2, 3], [4, 1, 0]])
    expected = model.reconstruct(x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(model.predict(tf.data.Dataset.from_tensor_slices(x).batch(2), verbose=0), expected)
    np.testing.assert_array_equal(model(x), expected)


def test_tables_with_columns_of_other_numbers():
    model = keras_ae.create("ae", (3,), 2, likelihood="normal", **SMALL)
    table = pd.DataFrame({"a": [0.5, 1.5], "b": [True, False], "c": pd.array([1, 2], dtype="Int64")})
    expected = model.encode(np.array([[0.5, 1, 1], [1.5, 0, 2]]))
    np.testing.assert_allclose(model.encode(table), expected)


def test_labels_that_are_words(model):
    with pytest.raises(InputError, match=r"y must hold numbers.*np\.unique"):
        model.fit(X, np.where(Y == 1, "cat", "dog"), verbose=0)


def test_metrics_of_any_kind_do_not_end_the_training():
    class Strange(keras.metrics.Metric):
        def update_state(self, *args, **kwargs):
            pass

        def result(self):
            return keras.ops.convert_to_tensor(np.inf)

    model = create("ae")
    model.compile("adam", metrics=[Strange(name="strange")], run_eagerly=True)
    assert np.isinf(model.fit(X, verbose=0).history["strange"]).all()


def test_gradients_pass_through_a_call(model):
    x = tf.constant(X[:2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
    assert tape.gradient(y, x) is not None


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [keras.layers.Dense(64, "sigmoid"), keras.layers.Reshape((8, 8, 1))],
        lambda: [
            keras.layers.Dense(100, "sigmoid"),
            keras.layers.Reshape((10, 10, 1)),
            keras.layers.Cropping2D(1),
        ],
        lambda: [keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1)), keras.layers.Activation("hard_sigmoid")],
        lambda: [keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1)), keras.layers.ReLU()],
        lambda: [keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1)), keras.layers.Activation("tanh")],
        lambda: [keras.layers.Dense(64, "softplus"), keras.layers.Reshape((8, 8, 1))],
    ],
)
def test_outputs_that_are_squashed_twice(layers):
    def build(likelihood):
        encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
        decoder = keras.Sequential([keras.Input((2,)), *layers()])
        return keras_ae.AE(encoder, decoder, 2, likelihood=likelihood, output_layer="given")

    with pytest.raises(InputError, match=r"(never negative|lie in|'tanh').*Remove"):
        build("bernoulli")


def test_outputs_that_are_linear_pass():
    z = keras.Input((2,))
    values = keras.layers.Dense(64)(keras.layers.Dense(8, "relu")(z))
    for output in (
        keras.layers.Reshape((8, 8, 1))(values),
        keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, kernel_initializer="zeros")(z)),
        keras.layers.Reshape((8, 8, 1))(values) + 1.0,
    ):
        encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
        assert keras_ae.AE(encoder, keras.Model(z, output), 2, output_layer="given").output_head is None


def test_nothing_is_trained_on_data_that_is_refused(model):
    before = weights(model)
    for data in (FORMS["tf.data"](255 * X), Sequence(255 * X), FORMS["generator"](255 * X)):
        with pytest.raises(InputError):
            model.fit(data, verbose=0)
    assert same(before, weights(model))
