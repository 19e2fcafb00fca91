"""Compressing and decompressing from the command line."""

import numpy as np
import pytest
from PIL import Image

import keras_ae
from keras_ae.distributions.likelihoods import Categorical


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "vae.keras"
    keras_ae.create("vae", (8, 8, 1), latent_dim=2, likelihood="bernoulli", seed=0).save(path)
    return path


@pytest.fixture
def images(tmp_path):
    x = keras_ae.data.load("digits", "test", binarize="threshold").x[:20].astype("uint8")
    np.save(tmp_path / "images.npy", x)
    return tmp_path / "images.npy"


def test_there_and_back(command, model, images, tmp_path):
    shown = command("compress", images, model, tmp_path / "images.bb")
    size = (tmp_path / "images.bb").stat().st_size
    assert f"20 images in {size:,} bytes, {8 * size / (20 * 64):.4f} bits a value" in shown
    command("decompress", tmp_path / "images.bb", model, tmp_path / "back.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), np.load(images))


def test_a_folder_of_images(command, model, images, tmp_path):
    command("compress", images, model, tmp_path / "images.bb")
    command("decompress", tmp_path / "images.bb", model, tmp_path / "folder")
    files = sorted((tmp_path / "folder").iterdir())
    assert [file.name for file in files[:2]] == ["000000.png", "000001.png"]
    np.testing.assert_array_equal(np.stack([Image.open(f) for f in files]), 255 * np.load(images)[..., 0])
    command("compress", tmp_path / "folder", model, tmp_path / "again.bb")
    assert (tmp_path / "again.bb").read_bytes() == (tmp_path / "images.bb").read_bytes()


def test_a_known_data_set(command, model, tmp_path):
    shown = command("compress", "digits", model, tmp_path / "x.bb", "--binarize", "threshold")
    assert "360 images" in shown


def test_with_loss(command, model, images, tmp_path):
    assert "20 images in" in command("compress", images, model, tmp_path / "codes", "--step", 0.1)
    assert "20 reconstructions" in command("decompress", tmp_path / "codes", model, tmp_path / "back.npy")
    expected = keras_ae.load_model(model).reconstruct(np.load(images))
    np.testing.assert_allclose(np.load(tmp_path / "back.npy"), expected, atol=0.05)
    command("decompress", tmp_path / "codes", model, tmp_path / "folder")
    pixels = np.stack([Image.open(path) for path in sorted((tmp_path / "folder").iterdir())])
    np.testing.assert_allclose(pixels / 255, np.load(tmp_path / "back.npy")[..., 0], atol=0.003)
    assert "step must be a number" in command("compress", images, model, tmp_path / "x", "--step", 0, code=2)


def test_pictures_of_levels_with_loss(command, tmp_path):
    model = keras_ae.create("vae", (8, 8, 1), 2, likelihood=Categorical(17), seed=0)
    model.save(tmp_path / "levels.keras")
    command("compress", "digits", tmp_path / "levels.keras", tmp_path / "codes", "--step", 0.1)
    command("decompress", tmp_path / "codes", tmp_path / "levels.keras", tmp_path / "folder")
    command("decompress", tmp_path / "codes", tmp_path / "levels.keras", tmp_path / "back.npy")
    pixels = np.stack([Image.open(path) for path in sorted((tmp_path / "folder").iterdir())])
    np.testing.assert_allclose(pixels / 255 * 16, np.load(tmp_path / "back.npy")[..., 0], atol=0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compress", "digits", "{model}", "x.bb"), "must hold 0 and 1 for a Bernoulli likelihood"),
        (("compress", "digits", "nothing", "x.bb"), "Unknown preset: 'nothing'"),
        (("decompress", "{images}", "{model}", "x.npy"), "is no file of keras-ae compress"),
        (("decompress", "{images}", "{model}", "x.txt"), "must end in .npy"),
        (("decompress", "missing", "{model}", "x.npy"), "There is no file missing"),
    ],
)
def test_mistakes(command, model, images, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(model=model, images=images) for argument in arguments]
    assert message in command(*filled, code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npy"]
