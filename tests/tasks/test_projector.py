"""Files for the embedding projector."""

import numpy as np
import pytest
from PIL import Image

from keras_ae.errors import InputError
from keras_ae.tasks import projector, write_projector


def test_codes_alone(tmp_path, rng):
    codes = rng.normal(size=(5, 2, 3))
    write_projector(tmp_path, codes)
    assert {path.name for path in tmp_path.iterdir()} == {"tensors.tsv", "projector_config.pbtxt"}
    np.testing.assert_allclose(np.loadtxt(tmp_path / "tensors.tsv"), codes.reshape(5, 6), rtol=1e-6)
    assert "sprite" not in (tmp_path / "projector_config.pbtxt").read_text()


def test_labels_stay_on_their_lines(tmp_path):
    write_projector(tmp_path, np.zeros((2, 1)), labels=["a\tb", "c\nd"])
    assert (tmp_path / "metadata.tsv").read_text() == "a b\nc d\n"


def test_a_large_sprite_is_made_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "LARGEST", 640)
    images = np.zeros((9, 300, 150, 3), "float32")
    images[4] = 1
    write_projector(tmp_path, np.zeros((9, 1)), images=images)
    width, height = 106, 213  # 640 / 900 of it
    sprite = np.asarray(Image.open(tmp_path / "sprite.png"))
    assert sprite.shape == (3 * height, 3 * width, 3)
    assert (sprite[height + 3 : 2 * height - 3, width + 3 : 2 * width - 3] == 255).all() and sprite[0, 0, 0] == 0
    assert "single_image_dim: 106\n    single_image_dim: 213" in (tmp_path / "projector_config.pbtxt").read_text()


@pytest.mark.parametrize("name, values", [("labels", np.zeros(3)), ("images", np.zeros((3, 2, 2, 1)))])
def test_there_are_as_many_of_each(tmp_path, name, values):
    with pytest.raises(InputError, match=rf"{name} must be (an array of shape \(2,\)|as many as codes, 2)"):
        write_projector(tmp_path, np.zeros((2, 1)), **{name: values})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codes", [[], np.zeros((0, 2)), [1.0, 2.0], [["a", "b"]]])
def test_codes_are_rows_of_numbers(tmp_path, codes):
    with pytest.raises(InputError, match="codes must be an array"):
        write_projector(tmp_path / "made", codes)
    with pytest.raises(InputError, match=r"codes must be an array .* of finite numbers"):
        write_projector(tmp_path / "made", [[0.0, 1.0], [np.nan, 1.0]])
    assert not (tmp_path / "made").exists()
