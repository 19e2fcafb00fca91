"""Mistakes are answered before anything is trained, with words that say what to do."""

import re

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

import keras_ae
from keras_ae import networks
from keras_ae.distributions.likelihoods import Categorical
from keras_ae.errors import InputError, TrainingDivergedError
from keras_ae.models import AE, VAE, inputs
from tests.conformance.table import same, weights

N = 12
SHAPE = (8, 8, 1)


def create(name="vae", **kwargs):
    return keras_ae.create(name, SHAPE, 2, seed=0, network_options={"hidden": (8,)}, **kwargs)


@pytest.fixture(scope="module")
def model():
    found = create()
    found.compile("adam")
    return found


def with_value(value, index):
    x = np.zeros((N, *SHAPE), "float32")
    x[index] = value
    return x


ZEROS = np.zeros((N, *SHAPE), "float32")
BAD_X = {
    "no channels": (np.zeros((N, 8, 8)), r"shape \(n, 8, 8, 1\).*, 8, 8\).*channel axis: .*\[\.\.\., None\]"),
    "one example": (np.zeros(SHAPE), r"batch axis: .*\[None\]"),
    "channels first": (
        np.zeros((N, 1, 8, 8)),
        r"\(12, 1, 8, 8\).*channels are the last axis: .*moveaxis\(\w+, 1, -1\)",
    ),
    "too large": (np.zeros((N, 9, 8, 1)), r"shape \(n, 8, 8, 1\).*\(12, 9, 8, 1\)"),
    "a number": (np.float32(3), "shape"),
    "empty": (np.zeros((0, *SHAPE)), r"empty.*\(0, 8, 8, 1\)"),
    "nan": (with_value(np.nan, (3, 1, 2, 0)), r"1 values.*not a number.*index \(3, 1, 2, 0\) \(nan\)"),
    "infinity": (with_value(-np.inf, (4, 0, 7, 0)), r"infinite.*index \(4, 0, 7, 0\) \(-inf\)"),
    "strings": (np.full((N, *SHAPE), "a"), "numbers.*<U1"),
    "objects": (np.full((N, *SHAPE), None), "numbers.*object"),
    "ragged": ([[1.0], [1.0, 2.0], [1.0]], "rows differ in shape.*padded"),
    "complex": (np.zeros((N, *SHAPE), complex), "numbers.*complex128"),
    "sparse": (scipy.sparse.csr_matrix(np.eye(N)), r"dense.*csr_matrix.*toarray\(\)"),
    "sparse tensor": (tf.sparse.from_dense(np.eye(N)), "dense.*SparseTensor.*to_dense"),
    "ragged tensor": (tf.ragged.constant([[1.0], [1.0, 2.0]]), r"RaggedTensor.*to_tensor\(\)"),
    "masked": (np.ma.masked_greater(with_value(7, (0, 0, 0, 0)), 5), "1 masked values.*VAE.*DenoisingAE"),
    "table": (pd.DataFrame({"a": [0.0, 1.0], "kind": ["x", "y"]}), "hold no numbers: 'kind'.*get_dummies"),
    "dictionary": ({"image": ZEROS, "label": np.zeros(N)}, "keys 'image', 'label'"),
    "0 to 255": (with_value(200, (0, 0, 0, 0)).astype("uint8"), r"0 to 200.*\[0, 1\].*Scale it.* / 255"),
    "negative": (with_value(-0.5, (0, 0, 0, 0)), r"-0\.5 to 0.*\[0, 1\].*likelihood='normal'"),
    "above one": (with_value(1.5, (0, 0, 0, 0)), r"0 to 1\.5.*\[0, 1\]"),
}


@pytest.mark.parametrize("x, message", BAD_X.values(), ids=BAD_X)
def test_x(model, x, message):
    before = weights(model)
    for use in (
        lambda: model.fit(x, verbose=0),
        lambda: model.evaluate(x, verbose=0),
        lambda: model.fit(ZEROS, validation_data=(x,), verbose=0),
        lambda: model.encode(x),
        lambda: model.reconstruct(x),
        lambda: model.predict(x, verbose=0),
        lambda: model.predict_on_batch(x),
        lambda: model.train_on_batch(x),
        lambda: model.test_on_batch(x),
        lambda: model(x),
        lambda: keras_ae.evaluation.log_likelihood(model, x),
    ):
        with pytest.raises(InputError, match=message):
            use()
    assert same(before, weights(model))


@pytest.mark.parametrize("name", ["nan", "no channels", "above one"])
def test_x_in_a_data_set(model, name):
    x, message = BAD_X[name]
    before = weights(model)
    with pytest.raises(InputError, match=r"first batch.*" + message):
        model.fit(tf.data.Dataset.from_tensor_slices(x).batch(4), verbose=0)
    with pytest.raises(InputError, match="empty data set"):
        model.fit(tf.data.Dataset.from_tensor_slices(ZEROS[:0]).batch(4), verbose=0)
    assert same(before, weights(model))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"y": np.zeros(N)}, "y fits nothing.*target.*labels"),
        ({"y": ZEROS[:5]}, "y has 5 examples, x has 12"),
        ({"y": np.zeros(5, "int32")}, "y has 5 examples, x has 12"),
        ({"y": {"target": ZEROS[:5]}}, r"y\['target'\] has 5 examples"),
        ({"y": {"targets": ZEROS}}, "'targets'.*'target'"),
        ({"y": with_value(np.nan, (1, 1, 1, 0))}, r"y has 1 values.*\(1, 1, 1, 0\)"),
        ({"y": {"target": ZEROS + 2}}, r"y has values.*\[0, 1\]"),
        ({"sample_weight": np.ones(5)}, "sample_weight has 5 examples, x has 12"),
        ({"sample_weight": np.ones((N, 2))}, r"one number of at least 0 per example.*\(12, 2\)"),
        ({"sample_weight": -np.ones(N)}, "at least 0"),
        ({"sample_weight": np.full(N, np.nan)}, "at least 0.*NaN"),
        ({"batch_size": 0}, "batch_size must be.*batch_size=0"),
        ({"epochs": 0}, "epochs must be"),
        ({"validation_split": 1.5}, "validation_split must be a number.*1.5"),
        ({"validation_split": 0.05}, "validation_split=0.05 selects 0 of 12 examples"),
    ],
)
def test_other_arguments_of_fit(model, arguments, message):
    before = weights(model)
    with pytest.raises(InputError, match=message):
        model.fit(ZEROS, **arguments, verbose=0)
    assert same(before, weights(model))


def test_codes(model):
    with pytest.raises(InputError, match=r"codes must have the shape \(n, 2\).*\(3, 4\)"):
        model.decode(np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"codes.*index \(1, 0\)"):
        model.decode([[0.0, 0.0], [np.nan, 0.0]])
    for n in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="n must be a whole number of at least 1"):
            model.sample(n)
    with pytest.raises(InputError, match=r"'means'.*'mean'"):
        model.sample(3, observation="means")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "vea"}, "Unknown model: 'vea'.*'vae'"),
        ({"latent_dim": 0}, "latent_dim must be.*latent_dim=0"),
        ({"latent_dim": 2.5}, "latent_dim must be.*latent_dim=2.5"),
        ({"latent_dim": True}, "latent_dim must be.*latent_dim=True"),
        ({"latent_dim": "two"}, "latent_dim must be.*'two'"),
        ({"seed": -1}, "seed must be.*seed=-1"),
        ({"seed": 1.5}, "seed must be.*seed=1.5"),
        ({"likelihood": "bernouli"}, "Unknown likelihood: 'bernouli'.*'bernoulli'"),
        ({"likelihood": 3}, "likelihood must be text or a Likelihood.*likelihood=3"),
        ({"network": "convv"}, "Unknown network: 'convv'.*'conv'"),
        ({"network": "dcgan"}, "16x16.*'conv' or 'dense'"),
        ({"network_options": {"hiden": (3,)}}, "'hiden'.*'hidden'"),
        ({"network_options": {"hidden": (0,)}}, r"hidden\[0\] must be"),
        ({"network": "conv", "input_shape": (64,)}, r"input_shape must have 3 axes.*\(64,\)"),
        ({"network": "resnet", "network_options": {"filters": ()}}, r"filters must name .*Received: \(\)"),
        ({"network": "resnet", "network_options": {"blocks": -1}}, "blocks must be"),
        ({"input_shape": (8, 0, 1)}, r"input_shape\[1\] must be"),
        ({"posterior": "ful"}, "Unknown posterior: 'ful'.*'full'"),
        ({"kl": "analytical"}, "Unknown kl: 'analytical'.*'analytic'"),
        ({"posteriour": "full"}, "'posteriour'.*'posterior'"),
        ({"name": "ae", "kl": "sample"}, "Unknown argument of model 'ae': 'kl'"),
        ({"output_layer": "dens"}, "output_layer must be 'dense', 'given' or a Keras layer.*'dens'"),
        ({"output_layer": keras.layers.Dense(3)}, r"output_layer must yield.*\(8, 8, 1\).*\(3,\)"),
        ({"name": "linear_ae", "likelihood": "normal"}, "linear_ae.*give no network or likelihood"),
        ({"name": "linear_ae", "code": 1}, "'code'"),
        ({"network": "dense", "network_options": {"seed": 3}}, "must not hold 'seed'"),
    ],
)
def test_arguments_of_create(arguments, message):
    with pytest.raises(InputError, match=message):
        keras_ae.create(**{"name": "vae", "input_shape": SHAPE, "latent_dim": 2, **arguments})


def network(inputs, *layers):
    return keras.Sequential([keras.Input(inputs), *layers])


def two_outputs():
    x = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(x)
    return keras.Model(x, [keras.layers.Dense(2)(flat), keras.layers.Dense(2)(flat)])


def two_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,))]
    return keras.Model(inputs, keras.layers.Add()(inputs))


def encoder():
    return network(SHAPE, keras.layers.Flatten(), keras.layers.Dense(4, "relu"))


def decoder(activation=None):
    return network((2,), keras.layers.Dense(64, activation), keras.layers.Reshape(SHAPE))


def image_decoder(activation):
    return network((2,), keras.layers.Reshape((1, 1, 2)), keras.layers.Conv2DTranspose(1, 8, activation=activation))


BAD_PAIRS = {
    "two outputs": (lambda: (two_outputs(), decoder()), {}, "encoder has several outputs.*itself"),
    "two inputs": (lambda: (encoder(), two_inputs()), {}, "decoder must have one input"),
    "sigmoid": (lambda: (encoder(), image_decoder("sigmoid")), {}, "'sigmoid'.*Remove.*output_layer='given'"),
    "given sigmoid": (lambda: (encoder(), image_decoder("sigmoid")), {"output_layer": "given"}, "'sigmoid'.*Remove"),
    "given shape": (
        lambda: (encoder(), network((2,), keras.layers.Dense(5))),
        {"output_layer": "given"},
        r"'given'.*\(8, 8, 1\).*\(5,\)",
    ),
    "code": (lambda: (encoder(), network((3,), keras.layers.Dense(5))), {}, r"codes of shape \(3,\).*\(2,\)"),
    "unbuilt": (
        lambda: (keras.Sequential([keras.layers.Dense(4)]), decoder()),
        {},
        "encoder has no input and output.*Input",
    ),
    "no model": (lambda: (encoder(), keras.layers.Dense(4)), {}, "decoder must be a Model of keras.*Dense"),
    "free axis": (
        lambda: (network((None, 3), keras.layers.GlobalAveragePooling1D()), decoder()),
        {},
        "encoder's input must have a fixed shape",
    ),
}


@pytest.mark.parametrize("kind", [AE, VAE])
@pytest.mark.parametrize("pair, arguments, message", BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_networks(kind, pair, arguments, message):
    with pytest.raises(InputError, match=message):
        kind(*pair(), 2, **arguments)


@pytest.mark.parametrize(
    "likelihood, x, message",
    [
        (lambda: Categorical(4), ZEROS + 4, r"0 to 3 for Categorical\(levels=4\).*4 to 4"),
        (lambda: Categorical(4), ZEROS + 0.5, "whole numbers"),
        (lambda: Categorical(1, one_hot=True), ZEROS, "one-hot vectors of 1 classes"),
    ],
)
def test_levels(likelihood, x, message):
    model = create(likelihood=likelihood())
    model.compile("adam")
    with pytest.raises(InputError, match=message):
        model.fit(x, verbose=0)


def test_full_posterior_of_a_grid_of_codes():
    pair = encoder(), network((2, 2), keras.layers.Flatten(), keras.layers.Dense(4))
    assert AE(*pair, (2, 2)).latent_shape == (2, 2)
    with pytest.raises(InputError, match="posterior='full' needs an integer latent_dim"):
        VAE(*pair, (2, 2), posterior="full")


def test_a_loss_in_compile():
    model = create()
    with pytest.raises(InputError, match="compile takes no loss: VAE has its own"):
        model.compile("adam", loss="mse")


@pytest.mark.parametrize("name", ["ae", "linear_ae"])
def test_samples_of_a_deterministic_model(name):
    model = keras_ae.create(name, SHAPE, 2)
    with pytest.raises(InputError, match=r"no distribution of codes.*VAE.*model\.decode\(codes\)"):
        model.sample(3)


@pytest.mark.parametrize("steps", [1, 32])
@pytest.mark.parametrize("name, terms", [("ae", ["reconstruction"]), ("vae", ["kl", "reconstruction"])])
def test_training_that_diverges(name, terms, steps, rng):
    """On data that is far too large for the rate."""
    model = create(name, likelihood="normal")
    model.compile(keras.optimizers.SGD(1e6), steps_per_execution=steps)
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch + 1))
    with pytest.raises(TrainingDivergedError) as error:
        model.fit(rng.normal(size=(64, *SHAPE)), epochs=50, callbacks=[callback], verbose=0)
    assert re.search(rf"in epoch {epochs[-1]}: .*no longer finite.*learning rate", str(error.value))
    assert any(term in str(error.value) for term in terms)
    assert epochs[-1] < 50


def test_files(tmp_path):
    (tmp_path / "damaged.keras").write_bytes(b"PK\x03\x04 and nothing else")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    create("ae").save(tmp_path / "cut.keras")  # never compiled
    assert isinstance(keras_ae.load_model(tmp_path / "cut.keras"), AE)
    whole = (tmp_path / "cut.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    for name, message in (
        ("missing", "There is no model file"),
        ("damaged", "no readable model file"),
        ("cut", "no readable model file"),
        ("other", "holds a Sequential, not a model of keras_ae"),
    ):
        with pytest.raises(InputError, match=rf"(?s)({name}.*{message}|{message}.*{name})"):
            keras_ae.load_model(tmp_path / f"{name}.keras")


def test_networks_of_known_models_take_one_dimension_or_more():
    pair = networks.dense((5,), 1, hidden=(3,))
    assert VAE(*pair, 1, posterior="full").lower_head is None


class Subclassed(keras.Model):
    """A network whose shapes Keras does not know, even when it is built."""

    def call(self, x):
        return x[:, :4]


def test_a_network_of_unknown_shapes():
    network, pair = Subclassed(), networks.dense((6,), 2, hidden=(3,))
    network(np.zeros((1, 6)))
    with pytest.raises(InputError, match=r"encoder has no input and output.*pass keras\.Model\(x, encoder\(x\)\)"):
        AE(network, pair[1], 2)
    x = keras.Input((6,))
    assert AE(keras.Model(x, network(x)), pair[1], 2).event_shape == (6,)


def test_arguments_that_have_another_place():
    with pytest.raises(InputError, match=r"argument of the network 'dense': network_options=\{'hidden': \.\.\.\}"):
        keras_ae.create("ae", SHAPE, 2, hidden=(4,))
    with pytest.raises(InputError, match=r"Unknown likelihood: 'mse'.*is the likelihood 'normal'"):
        create(likelihood="mse")
    assert keras_ae.create("ae", np.prod(SHAPE), 2).event_shape == (64,)


def test_what_keras_asks_of_a_model():
    model = create()
    model.compile("adam", metrics=["mse"], run_eagerly=True)
    assert model.compute_output_shape((None, *SHAPE)) == (None, *SHAPE)
    values, named = model.evaluate(ZEROS, verbose=0), create()
    assert model.metrics_names == ["loss", "mse", "kl", "reconstruction"]
    named.compile("adam", metrics=["mse"], run_eagerly=True)
    assert dict(zip(model.metrics_names, values, strict=True)) == named.evaluate(ZEROS, verbose=0, return_dict=True)


def test_seeds_do_not_end():
    model = create()
    model._seeds_drawn = 0
    drawn = [model.next_seed() for _ in range(70)]
    assert drawn[:64] == (np.random.SeedSequence(0).generate_state(64) >> 1).tolist()
    assert len(set(drawn)) == 70


def test_large_values_are_finite():
    """Also where their squares are not."""
    inputs.check_finite(np.full((2, 3), 1e30, "float32"), "x")
    with pytest.raises(InputError, match=r"x has 1 values that are infinite.*\(1, 2\)"):
        inputs.check_finite(np.array([[1e30, 0, 0], [0, 0, -np.inf]], "float32"), "x")
