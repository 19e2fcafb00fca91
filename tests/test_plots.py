"""Pictures: what is drawn is what was given."""

import numpy as np
import pytest
from PIL import Image

import keras_ae
from keras_ae import plots
from keras_ae.errors import InputError


@pytest.fixture(scope="module")
def flat_model():
    return keras_ae.create("vae", (4, 6, 1), 2, seed=0, network_options={"hidden": (8,)})


def test_a_saved_grid_holds_the_images(tmp_path):
    images = np.zeros((4, 8, 8, 1), "float32")
    images[3] = 1
    plots.save(plots.image_grid(images), tmp_path / "deep" / "grid.png")
    pixels = np.asarray(Image.open(tmp_path / "deep" / "grid.png").convert("L")) / 255
    height, width = pixels.shape
    assert pixels[: height // 3, : width // 3].mean() < 0.3  # the first three are black, the last is white
    assert pixels[-height // 3 :, -width // 3 :].mean() == pytest.approx(1, abs=0.01)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["grid.png"]


def test_whole_number_pixels_are_scaled_and_the_rest_is_clipped():
    drawn = plots.image_grid(np.full((1, 2, 2, 1), 255.0)).axes[0].get_images()[0].get_array()
    assert drawn.max() == 1
    drawn = plots.image_grid(np.full((1, 2, 2, 3), 1.4)).axes[0].get_images()[0].get_array()
    assert drawn.max() == 1


def test_reconstructions_label_their_rows():
    images = np.zeros((5, 4, 4, 1))
    figure = plots.reconstructions(images, {20: images, 1: images, 9: images})
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["original", "epoch 1", "epoch 9", "epoch 20"]


def test_side_by_side_wraps():
    figure = plots.side_by_side(np.zeros((7, 4, 4, 1)), np.ones((7, 4, 4, 1)), columns=5)
    assert [axes.texts[0].get_text().strip() for axes in figure.axes] == ["original", "reconstruction"] * 2


def drawn(figure):
    return [axes.get_images()[0].get_array() for axes in figure.axes]


def test_all_rows_have_one_scale():
    """That of the first; a row of its own maximum would look as bright."""
    bright, dark = np.full((3, 4, 4, 1), 200.0), np.full((3, 4, 4, 1), 50.0)
    original, model = drawn(plots.labelled_rows({"original": bright, "model": dark}))
    assert original.max() == 1 and model.min() == 0.25
    bright[0] = 100.0  # blocks of images, too; and what is missing of the last block is white
    first, _, last, filled = drawn(plots.side_by_side(bright, dark, columns=2))
    assert first.min() == 0.5 and last.max() == 1 and filled[:, :4].max() == 0.25 and filled[:, 5:].min() == 1


def test_samples_and_manifold_show_the_decoder(flat_model):
    drawn = plots.samples(flat_model, 4, seed=3).axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(drawn[:4, :6], flat_model.sample(4, seed=3)[0, ..., 0], atol=1e-6)
    axes = plots.manifold(flat_model, size=3).axes[0]
    centre = axes.get_images()[0].get_array()[4:8, 6:12]
    np.testing.assert_allclose(centre, flat_model.decode(np.zeros((1, 2)))[0, ..., 0], atol=1e-6)
    # z2 grows upwards
    top = axes.get_images()[0].get_array()[:4, 6:12]
    np.testing.assert_allclose(top, flat_model.decode(np.array([[0, 1.6448536]]))[0, ..., 0], atol=1e-5)
    assert axes.get_yticklabels()[0].get_text() == "1.6"


@pytest.mark.parametrize(("dimensions", "label"), [(1, "$z_1$"), (2, "$z_1$"), (5, "component 1")])
def test_codes_are_coloured_by_label(rng, dimensions, label):
    figure = plots.codes(rng.normal(size=(30, dimensions)), np.arange(30) % 3)
    axes = figure.axes[0]
    assert axes.get_xlabel().startswith(label)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1", "2"]
    assert plots.codes(rng.normal(size=(30, dimensions))).axes[0].get_legend() is None


def test_learning_curves_have_a_panel_per_term():
    figure = plots.learning_curves({"kl": [1.0, 2.0], "loss": [5.0, 4.0], "val_loss": [6.0, 5.0]})
    assert [axes.get_title() for axes in figure.axes] == ["loss", "kl"]
    training, validation = figure.axes[0].lines
    assert list(training.get_ydata()) == [5, 4] and list(validation.get_ydata()) == [6, 5]
    assert list(training.get_xdata()) == [1, 2]


def test_components_show_the_share_that_each_explains(rng):
    x = rng.normal(size=(50, 3, 3, 1)) * np.arange(1, 10).reshape(3, 3, 1)
    model = keras_ae.LinearAE((3, 3, 1), 9, seed=0)
    figure = plots.components(model, x)
    shares = [float(axes.get_title().rstrip("%")) for axes in figure.axes]
    assert sum(shares) == pytest.approx(100, abs=1)  # nine components explain all of nine values
    assert shares == sorted(shares, reverse=True)


def test_mistakes(flat_model, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="shape"):
        plots.image_grid(np.zeros((3, 10)))
    with pytest.raises(InputError, match="2 dimensions"):
        plots.manifold(keras_ae.create("vae", (4,), 3, seed=0))
    images = np.zeros((2, 4, 4, 1))
    for draw, name in (
        (lambda: plots.image_grid(images, columns=0), "columns"),
        (lambda: plots.tiled(images, gap=-1), "gap"),
        (lambda: plots.side_by_side(images, images, columns=-1), "columns"),
        (lambda: plots.samples(flat_model, 0), "n"),
        (lambda: plots.samples(flat_model, 3, seed=-1), "seed"),
        (lambda: plots.manifold(flat_model, size=0), "size"),
        (lambda: plots.components(keras_ae.LinearAE((3, 3, 1), 2), columns=0), "columns"),
        (lambda: plots.labelled_rows({}), "rows"),
        (lambda: plots.codes(np.zeros((1, 3))), "values"),
        (lambda: plots.codes(np.zeros((3, 3)), [1]), "labels"),
        (lambda: plots.learning_curves({}), "history"),
    ):
        with pytest.raises(InputError, match=rf"^{name} must|and {name} one for each"):
            draw()

    def missing(*_, **__):
        raise ImportError

    monkeypatch.setattr("keras.utils.plot_model", missing)
    with pytest.raises(InputError, match="graphviz"):
        plots.network(flat_model, tmp_path / "network")
