"""What a request may ask a SavedModel for: more is an error of the client's, and the server goes on."""

import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from keras_ae.serving.signatures import SCORE_DRAWS, endpoints

SMALL = {"input_shape": (4,), "latent_dim": 2, "network_options": {"hidden": (3,)}, "seed": 0}
LIMIT = 2 * SCORE_DRAWS


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    model = keras_ae.create("conditional_vae", condition_dim=3, **SMALL)
    return tf.saved_model.load(str(model.export(tmp_path_factory.mktemp("limits"), limit=LIMIT)))


def request(signature, rows, **changed):
    """Inputs with so many rows."""
    inputs = {"x": np.zeros((rows, 4)), "code": np.zeros((rows, 2)), "n": rows, "seed": 1}
    inputs["condition"] = np.eye(3)[np.zeros(rows, int)]
    specs = signature.structured_input_signature[1]
    return {name: tf.constant({**inputs, **changed}[name], spec.dtype) for name, spec in specs.items()}


@pytest.mark.parametrize("name", ["decode", "encode", "reconstruct", "sample", "score", "serving_default"])
def test_so_many_rows_and_no_more(name, served):
    signature, most = served.signatures[name], LIMIT // SCORE_DRAWS if name == "score" else LIMIT
    (answer,) = signature(**request(signature, most)).values()
    assert answer.shape[0] == most
    for rows in (most + 1, 10**6):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: at most {most} rows in one request"):
            signature(**request(signature, rows))


@pytest.mark.parametrize("n", [-1, LIMIT + 1, 2**31 - 1])
def test_a_number_without_the_rows(n, served):
    with pytest.raises(tf.errors.InvalidArgumentError):
        served.signatures["sample"](**request(served.signatures["sample"], 1, n=n))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("decode", {"code": [[0, np.nan]]}),
        ("decode", {"code": [[0, np.inf]]}),
        ("encode", {"condition": [[0, np.nan, 1]]}),
        ("sample", {"condition": [[0, np.inf, 1]]}),
        ("score", {"x": [[0, 1, 1, 1.5]]}),
        ("score", {"x": [[0, 1, 1, np.nan]]}),
        ("score", {"x": [[-255, 1, 1, 0]]}),
    ],
)
def test_values_that_mean_nothing(name, changed, served):
    signature, (what,) = served.signatures[name], changed
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: {what} has values that"):
        signature(**request(signature, 1, **changed))


@pytest.mark.parametrize(
    ("name", "likelihood", "good", "bad"),
    [
        ("vae", "normal", [-1e6, 1e6], [np.nan, np.inf]),
        ("vae", keras_ae.distributions.likelihoods.Categorical(5), [0, 4], [5, -1, np.nan]),
        ("denoising_ae", "bernoulli", [0, 1, np.nan], [2, np.inf]),
    ],
)
def test_what_a_score_explains(name, likelihood, good, bad):
    model = keras_ae.create(name, likelihood=likelihood, **SMALL)
    score, _ = endpoints(model, limit=LIMIT)["score"]
    for value in good:
        assert np.isfinite(score(tf.constant([[value, 0, 0, 0]], "float32"), tf.constant(1))["score"]).all()
    for value in bad:
        with pytest.raises(tf.errors.InvalidArgumentError, match="x has values that the model cannot explain"):
            score(tf.constant([[value, 0, 0, 0]], "float32"), tf.constant(1))


def test_limits_that_are_none(tmp_path):
    model = keras_ae.create("ae", **SMALL)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(keras_ae.InputError, match="limit must be a whole number of at least 1"):
            model.export(tmp_path, limit=wrong)
    with pytest.raises(keras_ae.InputError, match=r"limit must be .* at most 2147483647"):
        model.export(tmp_path, limit=2**31)
    with pytest.raises(keras_ae.InputError, match=r"limit is for format='saved_model'.*'onnx', limit=3"):
        model.export(tmp_path, format="onnx", limit=3)
    assert not list(tmp_path.iterdir())
