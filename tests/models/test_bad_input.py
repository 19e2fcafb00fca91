"""What bad input gets: an error that says what, where, expected, received and what to do, before any training."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import networks
from keras_ae.distributions.likelihoods import Bernoulli, Categorical, Normal
from keras_ae.errors import InputError, TrainingDivergedError

SHAPE = (4, 4, 1)
GOOD = np.full((6, *SHAPE), 0.5, "float32")


def make(name="vae", likelihood="bernoulli"):
    model = keras_ae.create(name, SHAPE, 2, likelihood=likelihood, network_options={"hidden": (8,)}, seed=0)
    model.compile("adam")
    return model


def with_value(value):
    x = GOOD.copy()
    x[4, 1, 2, 0] = value
    return x


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (GOOD[..., 0], r"shape \(n, 4, 4, 1\).*Add the channel axis"),
        (GOOD[0], "add the batch axis"),
        (np.zeros((6, 5, 5, 1)), r"Received: \(6, 5, 5, 1\)"),
        (np.zeros((0, *SHAPE)), "is empty"),
        (with_value(np.nan), r"index \(4, 1, 2, 0\)"),
        (with_value(np.inf), r"index \(4, 1, 2, 0\) \(inf\)"),
        (np.full((6, *SHAPE), "a"), "must hold numbers"),
        (np.full((6, *SHAPE), 200, "uint8"), r"x = x / 255"),
        (GOOD - 1, r"-0\.5 to -0\.5.*likelihood='normal'"),
        ([[1.0], [1.0, 2.0]], "rows differ"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "encode", "reconstruct"])
def test_arrays_that_do_not_fit(x, words, method):
    model = make()
    before = [np.array(weight) for weight in model.get_weights()]
    with pytest.raises(InputError, match=words):
        getattr(model, method)(x)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"y": np.zeros((6, 3))}, "y fits nothing"),
        ({"y": np.zeros((6,), "float32")}, "integer class labels"),
        ({"y": np.zeros((5,), int)}, "y has 5 examples, x has 6"),
        ({"y": {"traget": GOOD}}, "Did you mean 'target'"),
        ({"y": {"target": GOOD[:5]}}, r"y\['target'\] has 5 examples"),
        ({"y": GOOD + 1}, "y has values from 1.5"),
        ({"sample_weight": -np.ones(6)}, "at least 0"),
        ({"sample_weight": np.ones(5)}, "sample_weight has 5 examples"),
        ({"sample_weight": np.ones((6, 2))}, "one number"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"steps_per_epoch": 9}, "at most the number of batches, 1"),
        ({"validation_split": 1.5}, "fraction between 0 and 1"),
        ({"validation_data": GOOD[..., 0]}, "validation_data must have the shape"),
    ],
)
def test_arguments_of_fit(arguments, words):
    model = make()
    with pytest.raises(InputError, match=words):
        model.fit(GOOD, **arguments)
    assert int(model.step) == 0


def test_the_first_batch_of_a_data_set_is_checked():
    import tensorflow as tf

    with pytest.raises(InputError, match=r"first batch.*Scale it first"):
        make().fit(tf.data.Dataset.from_tensor_slices(GOOD * 255).batch(2))


@pytest.mark.parametrize(
    ("likelihood", "x", "words"),
    [
        (Categorical(3), np.full((2, *SHAPE), 3), "whole numbers from 0 to 2"),
        (Categorical(3), np.full((2, *SHAPE), 0.5), "whole numbers"),
        (Normal(), np.full((2, *SHAPE), np.inf), "infinite"),
    ],
)
def test_likelihoods_check_their_data(likelihood, x, words):
    with pytest.raises(InputError, match=words):
        make(likelihood=likelihood).fit(x)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: keras_ae.create("vea", SHAPE, 2), "Did you mean 'vae'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, network="cnov"), "Did you mean 'conv'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, likelihood="bernuli"), "Did you mean 'bernoulli'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, posteriour="full"), "Did you mean 'posterior'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, posterior="fll"), "Did you mean 'full'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, kl="analytical"), "Did you mean 'analytic'"),
        (lambda: keras_ae.create("vae", SHAPE, 2, network_options={"hiden": (8,)}), "Did you mean 'hidden'"),
        (lambda: keras_ae.create("vae", SHAPE, 0), "latent_dim must be a whole number of at least 1"),
        (lambda: keras_ae.create("vae", SHAPE, 2.5), "Received: latent_dim=2.5"),
        (lambda: keras_ae.create("vae", SHAPE, True), "latent_dim"),
        (lambda: keras_ae.create("vae", (4, 0, 1), 2), r"input_shape\[1\]"),
        (lambda: keras_ae.create("vae", (4, 4), 2, network="conv"), "3 axes"),
        (lambda: keras_ae.create("vae", SHAPE, 2, seed=-1), "seed must be a whole number"),
        (lambda: keras_ae.describe("lienar_ae"), "linear_ae"),
        (lambda: Normal(variance=0), "positive number"),
        (lambda: Normal(variance="lerned"), "'learned'"),
        (lambda: Categorical(levels=0), "levels"),
        (lambda: networks.dcgan((8, 8, 1), 2), "at least 16x16"),
        (lambda: keras_ae.create("linear_ae", SHAPE, 2, likelihood="normal"), "squared error of its own"),
        (lambda: make().compile(loss="mse"), "takes no loss"),
        (lambda: make("ae").sample(3), "no distribution of codes"),
        (lambda: make().sample(0), "n must be a whole number"),
        (lambda: make().sample(2, observation="men"), "Did you mean 'mean'"),
        (lambda: make().decode(np.zeros((3, 5))), r"codes must have the shape \(n, 2\)"),
        (lambda: make().decode(np.full((3, 2), np.nan)), r"codes has 6 values"),
    ],
)
def test_arguments_that_cannot_work(function, words):
    with pytest.raises(InputError, match=words):
        function()


def dense(inputs, units, activation=None, outputs=1):
    x = keras.Input(inputs)
    y = keras.layers.Flatten()(x) if len(inputs) > 1 else x
    results = [keras.layers.Dense(units, activation)(y) for _ in range(outputs)]
    return keras.Model(x, results[0] if outputs == 1 else results)


def image_decoder(activation):
    z = keras.Input((2,))
    return (
        keras.Model(z, keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(z)))
        if activation is None
        else keras.Model(
            z, keras.layers.Conv2D(1, 1, activation=activation)(keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(z)))
        )
    )


@pytest.mark.parametrize(
    ("networks_", "options", "words"),
    [
        (lambda: (dense(SHAPE, 8, outputs=2), dense((2,), 8)), {}, "encoder has several outputs"),
        (lambda: (dense(SHAPE, 8), dense((3,), 8)), {}, r"codes of shape \(3,\), but latent_dim gives \(2,\)"),
        (lambda: (keras.Sequential([keras.layers.Dense(3)]), dense((2,), 8)), {}, "Begin it with keras.Input"),
        (lambda: ("resnet", dense((2,), 8)), {}, "encoder must be a keras.Model"),
        (lambda: (dense(SHAPE, 8), image_decoder("sigmoid")), {}, "activation 'sigmoid'.*Remove the decoder's last"),
        (lambda: (dense(SHAPE, 8), image_decoder("sigmoid")), {"output_layer": "given"}, "activation 'sigmoid'"),
        (lambda: (dense(SHAPE, 8), dense((2,), 9)), {"output_layer": "given"}, r"of shape \(4, 4, 1\)"),
        (lambda: (dense(SHAPE, 8), dense((2,), 8)), {"output_layer": "dnese"}, "output_layer must be"),
        (
            lambda: (dense(SHAPE, 8), dense((2,), 8)),
            {"output_layer": keras.layers.Dense(7)},
            r"parameters of shape \(4, 4, 1\)",
        ),
    ],
)
def test_networks_that_do_not_fit(networks_, options, words):
    with pytest.raises(InputError, match=words):
        keras_ae.VAE(*networks_(), latent_dim=2, **options)


def test_a_decoder_that_yields_the_parameters_is_welcome():
    model = keras_ae.VAE(dense(SHAPE, 8), image_decoder(None), latent_dim=2, output_layer="given")
    model.compile("adam")
    assert np.isfinite(model.fit(GOOD, verbose=0).history["loss"][0])


@pytest.mark.parametrize("target", ["file", "foreign"])
def test_an_export_harms_nothing_that_is_there(tmp_path, target):
    if target == "file":
        (tmp_path / "out").write_text("precious")
    else:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="exists"):
        keras_ae.export(make(), tmp_path / "out")
    kept = tmp_path / "out" / ("" if target == "file" else "thesis.tex")
    assert kept.read_text() == "precious"
    assert len(list(tmp_path.rglob("*"))) == (1 if target == "file" else 2)


def test_divergence_stops_with_the_epoch_and_the_term():
    model = make(likelihood="normal")
    model.compile(keras.optimizers.SGD(1e30))
    with pytest.raises(TrainingDivergedError, match=r"epoch 1: .*reconstruction.*learning rate"):
        model.fit(GOOD, epochs=3, batch_size=1, verbose=0)


def test_a_model_that_accepts_missing_values_sees_only_what_is_there():
    @keras.saving.register_keras_serializable("tests")
    class Missing(keras_ae.AE):
        accepts_missing = True

    model = Missing(*networks.dense(SHAPE, 2, (8,), seed=0), latent_dim=2, likelihood=Bernoulli(), seed=0)
    model.compile("adam")
    missing = with_value(np.nan)
    loss = model.evaluate(missing, verbose=0, return_dict=True)["loss"]
    params = np.asarray(model.decode_params(model.code(np.nan_to_num(missing))))
    terms = GOOD * params - np.logaddexp(0, params)
    assert loss == pytest.approx(-(terms.sum() - terms[4, 1, 2, 0]) / 6, rel=1e-4)
    assert np.isfinite(model.fit(missing, verbose=0).history["loss"][0])
    with pytest.raises(InputError, match="infinite"):
        model.fit(with_value(-np.inf))
