"""The commands that look around in code space."""

import numpy as np
import pytest
from PIL import Image

from keras_ae.data import load
from keras_ae.training import RunFolder
from keras_ae.zoo.recipe import Recipe
from keras_ae.zoo.runs import train


def trained(folder, model):
    recipe = Recipe(model, latent_dim=3, epochs=1, hidden=(16,), binarize="threshold", batch_size=512)
    train(recipe, RunFolder(folder))
    return folder


@pytest.fixture(scope="module")
def vae_run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "vae", "vae")


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "conditional", "conditional_vae")


@pytest.fixture
def arrays(command, tmp_path):
    """Runs a command and returns what it wrote."""

    def run(name, run_folder, *options):
        out = tmp_path / "out.npz"
        assert command(name, run_folder, out, *options).strip() == str(out)
        return np.load(out)

    return run


def digits(split):
    return load("digits", split, binarize="threshold")


def test_interpolate(arrays, vae_run):
    found = arrays("interpolate", vae_run, "-n", 3, "--steps", 4, "--method", "geodesic")
    model, x = RunFolder(vae_run).load_model(), digits("test").x
    assert found["images"].shape == (3, 4, 8, 8, 1) and found["length"].shape == (3,)
    np.testing.assert_allclose(found["images"][:, 0], model.reconstruct(x[found["start"]]), atol=1e-6)
    np.testing.assert_allclose(found["code"][:, -1], model.encode(x[found["end"]]), atol=1e-6)
    sampled = arrays("interpolate", vae_run, "--prior", "--method", "spherical")
    assert sampled["images"].shape == (8, 10, 8, 8, 1) and "start" not in sampled


def test_interpolate_stays_in_the_class_of_a_conditional_model(arrays, conditional_run):
    found, y = arrays("interpolate", conditional_run, "-n", 12, "--steps", 2), digits("test").y
    assert y[found["start"]].tolist() == [*range(10), 0, 1]
    np.testing.assert_array_equal(y[found["start"]], y[found["end"]])
    assert len({*found["start"], *found["end"]}) == 24
    assert arrays("interpolate", conditional_run, "-n", 2, "--prior")["images"].shape == (2, 10, 8, 8, 1)


@pytest.mark.parametrize("run_name", ["vae_run", "conditional_run"])
def test_pictures_of_every_kind(command, run_name, request, tmp_path):
    for name, *options in (
        ("interpolate", "-n", 2, "--steps", 3),
        ("traverse", "--dimensions", 2),
        ("neighbours", "-n", 2, "-k", 3),
        ("prototypes",),
        ("attribute", "--label", 8, "--versus", 3, "-n", 2),
    ):
        command(name, request.getfixturevalue(run_name), tmp_path / f"{name}.png", *options)
        assert np.asarray(Image.open(tmp_path / f"{name}.png")).shape[1] > 200


def test_traverse_and_neighbours_and_prototypes(arrays, vae_run):
    found = arrays("traverse", vae_run, "--dimensions", 2, "--steps", 5)
    assert found["images"].shape == (2, 5, 8, 8, 1) and (np.diff(found["KL"]) <= 0).all()
    found = arrays("neighbours", vae_run, "-n", 3, "-k", 4)
    codes = [RunFolder(vae_run).load_model().encode(digits(split).x) for split in ("test", "train")]
    nearest = np.linalg.norm(codes[0][:3, None] - codes[1], axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(found["index"][:, 0], nearest)
    found = arrays("prototypes", vae_run)
    assert found["label"].tolist() == list(range(10))
    assert (digits("train").y[found["medoid"]] == found["label"]).all()


def test_attribute(arrays, vae_run):
    found = arrays("attribute", vae_run, "--label", 8, "--versus", 3, "-n", 4, "--steps", 3, "--strength", 2)
    train_split, test = digits("train"), digits("test")
    model = RunFolder(vae_run).load_model()
    means = [model.encode(train_split.x[train_split.y == label]).mean(axis=0) for label in (8, 3)]
    np.testing.assert_allclose(found["vector"], means[0] - means[1], atol=1e-5)
    assert (test.y[found["index"]] == 3).all() and found["images"].shape == (4, 4, 8, 8, 1)
    codes = model.encode(test.x[found["index"]])
    np.testing.assert_allclose(found["images"][:, 3], model.decode(codes + 2 * found["vector"]), atol=1e-5)


def test_tensorboard_reads_what_project_writes(command, vae_run, tmp_path):
    projector = pytest.importorskip("tensorboard.plugins.projector")
    from google.protobuf import text_format

    command("project", vae_run, tmp_path, "-n", 30)
    text = (tmp_path / "projector_config.pbtxt").read_text()
    (embedding,) = text_format.Parse(text, projector.ProjectorConfig()).embeddings
    x, y = digits("test").x[:30], digits("test").y[:30]
    codes = np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(codes, RunFolder(vae_run).load_model().encode(x), rtol=1e-5)
    assert (tmp_path / embedding.metadata_path).read_text().splitlines() == [str(label) for label in y]
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    sprite = np.asarray(Image.open(tmp_path / embedding.sprite.image_path)) / 255
    assert sprite.shape == (40, 48)  # 6 images a row
    np.testing.assert_array_equal(sprite[8:16, 16:24], x[6 + 2, ..., 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["interpolate", "x.png", "--steps", "1"], "steps must be a whole number of at least 2"),
        (["interpolate", "x.png", "--method", "straight"], "Unknown method"),
        (["interpolate", "x.png", "-n", "999"], "not enough examples for 999 pairs"),
        (["interpolate", "x.gif"], ".npz"),
        (["traverse", "x.png", "--example", "5000"], "at most 359"),
        (["neighbours", "x.png", "-k", "5000"], "k must be at most"),
        (["attribute", "x.png", "--label", "12"], "has the label 12. Labels: 0, 1"),
        (["attribute", "x.png", "--label", "1", "--versus", "11"], "has the label 11"),
        (["prototypes", "x.png", "--split", "tset"], "'test'"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(command, vae_run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    name, out, *options = arguments
    message = command(name, vae_run, out, *options, code=2)
    assert words in message and message.count("\n") == 1
    assert not list(tmp_path.iterdir())
