"""What is written can be loaded, and what cannot be is refused when it is made or written."""

import copy

import keras
import numpy as np
import pytest
from keras import layers

import keras_ae
from keras_ae import networks
from keras_ae.errors import InputError, TrainingDivergedError

X = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")


class Scale(layers.Layer):
    """A layer that is not registered."""

    def call(self, x):
        return 2 * x


def small(**arguments):
    return keras_ae.create("ae", (6,), 2, likelihood="normal", network_options={"hidden": (3,)}, seed=0, **arguments)


def with_layer(layer):
    encoder = keras.Sequential([keras.Input((6,)), layer, layers.Dense(4)])
    return keras_ae.AE(encoder, networks.dense((6,), 2, (3,))[1], 2, likelihood="normal", seed=0)


def shared_by_networks():
    shared = layers.Dense(4, "relu")
    z = keras.Input((4,))
    return keras.Sequential([keras.Input((6,)), layers.Dense(4), shared]), keras.Model(z, shared(z))


def shared_deep_inside():
    shared, x, z = layers.Dense(6), keras.Input((6,)), keras.Input((4,))
    inner = [keras.Sequential([keras.Input((6,)), shared, layers.Dense(size)]) for size in (6, 4)]
    outer = layers.Dense(6)(z)
    return keras.Model(x, inner[1](x)), keras.Model(z, inner[0](outer))


def shared_in_one_network():
    shared, x = layers.Dense(6), keras.Input((6,))
    first, second = (keras.Sequential([keras.Input((6,)), shared, layers.Dense(6)], name=name) for name in ("a", "b"))
    return keras.Model(x, second(first(x))), networks.dense((6,), 4, (3,))[1]


@pytest.mark.parametrize(
    ("kind", "make", "names"),
    [
        ("AE", shared_by_networks, "encoder and decoder"),
        ("DropoutAE", shared_by_networks, "encoder and decoder"),
        ("SparseAE", shared_by_networks, "encoder and decoder"),
        ("AE", shared_deep_inside, "encoder and decoder"),
        ("AE", shared_in_one_network, "a and b"),
        ("VAE", lambda: 2 * [keras.Sequential([keras.Input((4,)), layers.Dense(4)])], "encoder and decoder"),
    ],
)
def test_networks_that_share_a_layer_are_refused(kind, make, names):
    with pytest.raises(InputError, match=rf"{names} share layers \(.*kernel.*LinearAE\(tied=True\)"):
        getattr(keras_ae, kind)(*make(), 4, likelihood="normal")


def test_other_parts_that_share_a_layer_are_refused():
    encoder, decoder = networks.dense((6,), 2, (3,))
    output = layers.Dense(6)
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(6), output])
    with pytest.raises(InputError, match="decoder and output_layer share layers"):
        keras_ae.AE(encoder, decoder, 2, likelihood="normal", output_layer=output)
    encoder, decoder = networks.dense((6,), 2, (3,))
    critic = keras.Sequential([decoder, layers.Dense(1)])
    with pytest.raises(InputError, match="decoder and critic share layers"):
        keras_ae.WAEGAN(encoder, decoder, 2, likelihood="normal", critic=critic)


def test_what_is_shared_without_weights_or_within_a_network_is_saved(tmp_path):
    relu, dense, x = layers.ReLU(), layers.Dense(6), keras.Input((6,))
    encoder = keras.Model(x, layers.Dense(4)(relu(dense(dense(x)))))
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4), relu])
    model = keras_ae.AE(encoder, decoder, 2, likelihood="normal", seed=0)
    model.save(tmp_path / "model.keras")
    for again in (keras_ae.load_model(tmp_path / "model.keras"), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model", "model.tf", "model.keras.zip"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"saved as a \.keras file.*save_weights.*export"):
        small().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_keras_with_another_ending_is_refused(tmp_path):
    model = small()
    model.compile("adam", run_eagerly=True)
    with pytest.raises(InputError, match=r"saved as a \.keras file"):
        model.fit(X, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(str(tmp_path / "model.h5"))])


def test_other_ways_to_save(tmp_path, monkeypatch):
    model = small()
    model.save(str(tmp_path / "folder"), zipped=False)
    assert type(keras.saving.load_model(tmp_path / "folder")) is keras_ae.AE
    model.save_weights(tmp_path / "model.weights.h5")
    model.save(tmp_path / "new" / "model.keras")
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    before = (tmp_path / "new" / "model.keras").read_bytes()
    model.save(tmp_path / "new" / "model.keras", overwrite=False)
    assert asked and (tmp_path / "new" / "model.keras").read_bytes() == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_weights_that_are_not_finite_are_not_written(tmp_path, bad):
    model = small()
    model.decoder.trainable_variables[0].assign(np.full(model.decoder.trainable_variables[0].shape, bad))
    for write in (
        lambda: model.save(tmp_path / "model.keras"),
        lambda: model.export(tmp_path / "served"),
        lambda: model.save_to_preset(tmp_path / "preset"),
    ):
        with pytest.raises(InputError, match=r"weights of this AE are no longer finite \(.*kernel\)"):
            write()
    assert not list(tmp_path.rglob("*"))


def test_a_training_that_diverges_in_its_last_step(tmp_path):
    """The loss of that step was computed before the weights became too large."""
    model = small()
    model.compile(keras.optimizers.Adam(1e20), run_eagerly=True)
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "model.keras"))
    with pytest.raises(TrainingDivergedError, match=r"epoch 1: the weight .* no longer finite"):
        model.fit(X, batch_size=8, verbose=0, callbacks=[checkpoint])
    assert not list(tmp_path.iterdir())


def test_keras_reason_is_given_and_its_arguments_are_there(tmp_path):
    file = tmp_path / "model.keras"
    model = with_layer(Scale())
    model.save(file)
    with pytest.raises(
        InputError, match=r"no readable model file: Could not locate class 'Scale'\. Make sure"
    ) as caught:
        keras_ae.load_model(file)
    assert len(str(caught.value)) < 600
    expected = model.reconstruct(X)
    np.testing.assert_array_equal(keras_ae.load_model(file, custom_objects={"Scale": Scale}).reconstruct(X), expected)

    with_layer(layers.Lambda(lambda v: 2 * v, output_shape=(6,))).save(file)
    with pytest.raises(InputError, match=r"`Lambda` layer.*safe_mode=False"):
        keras_ae.load_model(file)
    assert type(keras_ae.load_model(file, safe_mode=False)) is keras_ae.AE


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_the_reason_of_a_file_whose_weights_do_not_fit(tmp_path, monkeypatch):
    wide, narrow = (keras_ae.create("ae", (6,), 2, network_options={"hidden": (n,)}) for n in (4, 3))
    monkeypatch.setattr(wide, "get_config", narrow.get_config)
    wide.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=r"model\.keras is no readable model file: .*Dense name=dense"):
        keras_ae.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.keras", b"PK", "cut off, or is none at all"),
        ("model.h5", b"", r"ends in \.keras"),
        ("other.keras", None, "There is no model file"),
    ],
)
def test_files_that_are_none(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        keras_ae.load_model(tmp_path / name)


def test_a_preset_with_a_layer_of_ones_own(tmp_path):
    model = with_layer(Scale())
    with keras.saving.custom_object_scope({"Scale": Scale}):
        model.save_to_preset(tmp_path / "mine")
    with pytest.raises(InputError, match="class 'Scale'"):
        keras_ae.from_preset(tmp_path / "mine")
    again = keras_ae.from_preset(tmp_path / "mine", custom_objects={"Scale": Scale})
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
