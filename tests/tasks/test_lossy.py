"""Compression with loss: the codes as a file."""

import json
import re

import numpy as np
import pytest

import keras_ae
from keras_ae import InputError
from keras_ae.tasks import compress_codes, container, decompress_codes, lossy


@pytest.fixture(scope="module")
def digits():
    return keras_ae.data.load("digits", "test").x[:100]


@pytest.fixture(scope="module")
def model(digits):
    model = keras_ae.create("linear_ae", digits.shape[1:], latent_dim=6, seed=0)
    model.compile(keras_ae.optimizers.Adam(1e-2))
    model.fit(digits, epochs=60, verbose=0)
    return model


def test_finer_steps_give_better_images_and_larger_files(digits, model, tmp_path):
    sizes, distortions = [], []
    for step in (2.0, 1.0, 0.5, 0.01):
        found = compress_codes(digits, model, tmp_path / "x", step)
        assert found.images == 100 and found.size == (tmp_path / "x").stat().st_size
        sizes.append(found.size - found.overhead)
        distortions.append(np.abs(decompress_codes(tmp_path / "x", model) - model.reconstruct(digits)).max())
    assert sizes == sorted(sizes) and distortions == sorted(distortions, reverse=True)
    assert distortions[-1] < 0.01 < distortions[0]


def test_the_rate_is_the_entropy_of_rounded_normal_codes(model, tmp_path):
    """h(N(0, s^2)) - log2(step s) bits a dimension, for small steps."""
    codes = np.random.default_rng(0).normal(size=(3000, 6)).astype("float32") * [1, 2, 3, 4, 5, 6]
    model = _identity(6)
    found = compress_codes(codes, model, tmp_path / "x", step=0.1)
    expected = 0.5 * np.log2(2 * np.pi * np.e) - np.log2(0.1)
    assert 8 * (found.size - found.overhead) / codes.size == pytest.approx(expected, rel=0.01)
    back = decompress_codes(tmp_path / "x", model)
    assert np.abs(back - codes).max() <= 0.5 * 0.1 * codes.std(axis=0).max() + 1e-5


def _identity(size):
    """A linear model whose code is x."""
    model = keras_ae.create("linear_ae", (size,), latent_dim=size, seed=0)
    for weight in model.trainable_weights:
        weight.assign(np.eye(size) if len(weight.shape) == 2 else np.zeros(weight.shape))
    return model


def test_codes_of_one_value_and_one_example(digits, tmp_path, model):
    for x in (digits[:1], np.repeat(digits[:1], 5, axis=0)):
        compress_codes(x, model, tmp_path / "x")
        np.testing.assert_allclose(decompress_codes(tmp_path / "x", model), model.reconstruct(x), atol=1e-4)


def test_damaged_and_foreign_files_are_refused(digits, model, tmp_path):
    path = tmp_path / "x"
    compress_codes(digits, model, path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(40):
        altered = bytearray(whole)
        altered[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        cut = whole[: random.integers(len(whole))]
        for content in (bytes(altered), cut):
            path.write_bytes(content)
            with pytest.raises(InputError, match=r"damaged|no file of compress_codes"):
                decompress_codes(path, model)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="another model"):
        decompress_codes(path, keras_ae.create("linear_ae", digits.shape[1:], latent_dim=6, seed=1))
    with pytest.raises(InputError, match="There is no file"):
        decompress_codes(tmp_path / "y", model)


@pytest.mark.parametrize(
    "change",
    [
        {"count": 101},
        {"count": 99},
        {"count": 10**10},
        {"count": 0},
        {"mean": [0.0]},
        {"mean": 6 * [float("nan")]},
        {"width": 6 * [-1.0]},
        {"width": 6 * [2.0]},
        {"range": [0, 10**9]},
        {"range": [3, 1]},
        {"step": 0},
        {"step": 1e-30},
        {"version": 1},
        {"model": None},
    ],
    ids=str,
)
def test_numbers_of_a_header(change, digits, model, tmp_path):
    path = tmp_path / "x"
    compress_codes(digits, model, path)
    good, start = path.read_bytes(), len(lossy.MAGIC) + 4
    end = start + int.from_bytes(good[start - 4 : start], "little")
    path.write_bytes(container.begin(lossy.MAGIC, {**json.loads(good[start:end]), **change}) + good[end + 4 :])
    with pytest.raises(InputError, match=re.escape(str(path))):
        decompress_codes(path, model)


def test_what_cannot_be_compressed(digits, model, tmp_path):
    for step in (0, -1.0, np.nan, "a", True, 1e10):
        with pytest.raises(InputError, match="step must be a number"):
            compress_codes(digits, model, tmp_path / "x", step)
    with pytest.raises(InputError, match="intervals, at most"):
        compress_codes(digits, model, tmp_path / "x", 1e-9)
    with pytest.raises(InputError, match="it is conditional"):
        compress_codes(digits, keras_ae.create("conditional_vae", (8, 8, 1), 2, condition_dim=3), tmp_path / "x")
    with pytest.raises(InputError, match="model must be an Autoencoder of keras_ae"):
        compress_codes(digits, None, tmp_path / "x")
    assert not (tmp_path / "x").exists()
