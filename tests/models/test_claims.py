"""A model file that claims more than it holds is refused before it is built."""

import io
import threading
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import InputError
from keras_ae.evaluation import quality
from keras_ae.models import claims, files


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Name -> content of what is in a model file."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    keras_ae.create("vae", (4,), 2, network_options={"hidden": (3,)}, seed=0).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def model_file(members, tmp_path):
    """A function that writes a model file with some of its contents changed."""

    def write(compression=zipfile.ZIP_STORED, **changes):
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, changes.get(name.split(".")[0], content))
        return path

    return write


INFLATED = {"units": ('"units": 3', '"units": 1000000000'), "inputs": ("[null, 4]", "[null, 1000000000]")}


@pytest.mark.parametrize("claim", INFLATED)
def test_layers_that_claim_gigabytes(claim, members, model_file, monkeypatch):
    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", lambda *_: pytest.fail("it was built"))
    path = model_file(config=members["config.json"].decode().replace(*INFLATED[claim]))
    message = r"model.keras is not built: its layers claim [\d,]+ weights, .* raise .* KERAS_AE_MAX_GB"
    with pytest.raises(InputError, match=message):
        keras_ae.load_model(path)


def test_what_unpacks_to_gigabytes(model_file, monkeypatch):
    path = model_file(zipfile.ZIP_DEFLATED, model=bytes(2**20))
    monkeypatch.setenv("KERAS_AE_MAX_GB", "1e-5")
    with pytest.raises(InputError, match=r"model.keras' would take"):
        keras_ae.load_model(path)
    path = model_file(config=b"[" * 2**19)
    monkeypatch.setenv("KERAS_AE_MAX_GB", "0.02")
    with pytest.raises(
        InputError, match=r"model.keras' cannot be read as a model file: its config.json has 524,288 bytes"
    ):
        keras_ae.load_model(path)


def test_weights_that_claim_gigabytes(model_file):
    content = io.BytesIO()
    with h5py.File(content, "w") as weights:
        weights.create_dataset("a", (10**9,), "float32", chunks=(10**6,), compression="gzip")
    with pytest.raises(InputError, match=r"model.weights.h5 claims 1,000,000,000 weights"):
        keras_ae.load_model(model_file(model=content.getvalue()))


def test_a_model_may_have_as_many_weights_as_its_file_has_bytes(tmp_path, monkeypatch):
    """No small model needs the 2^24 that every file may have, not even one of weights of 8 bits."""
    monkeypatch.setattr(claims, "WEIGHTS_SHARE", 2**60)
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(512, "relu")])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(512, "relu")])
    for network in (encoder, decoder):
        network.layers[-1].quantize("int8")
    model = keras_ae.AE(encoder, decoder, 4, likelihood="normal")
    model.save(tmp_path / "model.keras")
    for loaded, saved in zip(keras_ae.load_model(tmp_path / "model.keras").weights, model.weights, strict=True):
        np.testing.assert_array_equal(loaded, saved)


def test_models_made_in_other_threads_do_not_count(model_file, monkeypatch):
    load, layers = keras.saving.load_model, []

    def slowly(*arguments, **options):
        def build():
            layers.append(keras.layers.Dense(3000))
            layers[0].build((None, 6000))

        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
        return load(*arguments, **options)

    monkeypatch.setattr(keras.saving, "load_model", slowly)
    add_weight = keras.Layer.add_weight
    assert files.load_model(model_file()).latent_dim == 2
    assert layers[0].kernel.shape == (6000, 3000) and keras.Layer.add_weight is add_weight


def test_a_feature_space_is_a_model_file(members, model_file, monkeypatch):
    path = model_file(config=members["config.json"].decode().replace(*INFLATED["units"]))
    (path.parent / "mnist_features").mkdir()
    path.rename(path.parent / "mnist_features" / "model.keras")
    monkeypatch.setenv("KERAS_AE_HOME", str(path.parent))
    with pytest.raises(InputError, match="is not built: its layers claim"):
        quality.digit_features()
