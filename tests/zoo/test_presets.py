"""Presets are what was saved, and say so when they are not."""

import json
import shutil
import sys
import types

import numpy as np
import pytest

import keras_ae
from keras_ae.errors import InputError
from keras_ae.models import files
from keras_ae.zoo import presets
from keras_ae.zoo.presets import folder, training

TINY = {
    "purpose": "A tiny one.",
    "samples": 3,
    "recipe": {
        "model": "vae",
        "data": "digits",
        "latent_dim": 2,
        "epochs": 2,
        "hidden": [8],
        "binarize": "threshold",
        "validation": 0.1,
        "patience": 2,
    },
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the preset "tiny", and its settings."""
    path = tmp_path_factory.mktemp("home")
    settings = path / "settings"
    settings.mkdir()
    (settings / "tiny.json").write_text(json.dumps(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "SETTINGS", settings)
        training.train("tiny", path / "run", path)
        metrics = json.loads((path / "tiny" / "metrics.json").read_text())
        (settings / "tiny.json").write_text(json.dumps(TINY | {"expected": training.figures(metrics)}))
        yield path


@pytest.fixture
def copy(home, tmp_path):
    """A folder that a test may spoil."""
    return shutil.copytree(home / "tiny", tmp_path / "tiny")


def test_a_preset_is_its_training_saved(home):
    model, trained = keras_ae.from_preset("tiny", home), keras_ae.load_model(home / "run" / "model.keras")
    x = keras_ae.data.load("digits", "test", binarize="threshold").x
    np.testing.assert_array_equal(model.reconstruct(x), trained.reconstruct(x))
    assert int(trained.optimizer.iterations) > 0 == int(model.optimizer.iterations)
    assert (home / "tiny" / "model.keras").stat().st_size < 0.7 * (home / "run" / "model.keras").stat().st_size
    with np.load(home / "tiny" / "pairs.npz") as pairs:
        np.testing.assert_allclose(model.reconstruct(pairs["x"]), pairs["reconstruction"], atol=1e-6)
        assert len(np.unique(pairs["code"], axis=0)) == folder.PAIRS_STORED
    evaluated = json.loads((home / "tiny" / "metrics.json").read_text())
    card = (home / "tiny" / "README.md").read_text()
    shown = ("library_name: keras", "keras-ae zoo train tiny", "reconstructions.png", "samples.png", "-ELBO")
    for what in (*shown, f"{{type: log-probability, value: {evaluated['bound']:.4f}}}"):
        assert what in card


def test_a_check_finds_another_model(home, tmp_path):
    assert all(result.passed for result in training.check("tiny", home))
    model = keras_ae.from_preset("tiny", home)
    model.output_head.bias.assign_add(np.ones(model.output_head.bias.shape))
    model.save_to_preset(tmp_path / "tiny")
    passed = {result.figure: result.passed for result in training.check("tiny", tmp_path)}
    assert passed == {"squared_error": False, "log_prob": False, "rate": True}  # the encoder is the same


def test_a_training_goes_on_and_replaces_its_preset(home, tmp_path):
    again = training.train("tiny", home / "run", home)
    assert again == home / "tiny"
    assert not list(home.glob(".*"))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "mine.txt").touch()
    with pytest.raises(InputError, match="is no preset's folder"):
        training.train("tiny", tmp_path / "run", tmp_path)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="is no preset's folder"):
        keras_ae.from_preset("tiny", home).save_to_preset(tmp_path / "tiny")
    assert (tmp_path / "tiny" / "mine.txt").exists()


def test_a_name_is_found_in_all_places(home, copy, monkeypatch):
    monkeypatch.setenv("KERAS_AE_HOME", str(home))
    assert presets.find("tiny") == home / "tiny"
    assert presets.find("tiny", copy.parent) == copy
    assert presets.find(f"{copy.parent}/tiny") == copy
    monkeypatch.setattr(files, "REPOSITORY", copy.parent)
    monkeypatch.delenv("KERAS_AE_HOME")
    assert presets.find("tiny") == copy


def test_a_preset_that_is_nowhere(home, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"'tinny'.*'tiny'"):
        keras_ae.from_preset("tinny")
    monkeypatch.setattr(files, "REPOSITORY", tmp_path)
    with pytest.raises(InputError, match=r"Three ways .*clone.*hf://owner/tiny.*keras-ae zoo train tiny"):
        keras_ae.from_preset("tiny")
    with pytest.raises(InputError, match="no preset's folder: there is no such folder"):
        keras_ae.from_preset("./nowhere")
    with pytest.raises(InputError, match="name must be a path"):
        keras_ae.from_preset(None)


def test_a_saved_folder_is_found_as_a_path(copy, monkeypatch):
    monkeypatch.chdir(copy.parent.parent)
    mine = keras_ae.from_preset(copy).save_to_preset("mine")
    assert presets.find("./mine") == presets.find(mine) == mine
    with pytest.raises(InputError, match=r"write '\./mine'"):
        keras_ae.from_preset("mine")


def relist(folder, change):
    """Changes the list of files in a preset's index."""
    index = json.loads((folder / "index.json").read_text())
    change(index["files"])
    (folder / "index.json").write_text(json.dumps(index))


def list_outside(name):
    """Lists a file under a name that leads out of the folder, with the SHA-256 that it has."""

    def spoil(f):
        (f.parent / "secret").write_text("x")
        relist(f, lambda files: files.update({name.format(f.parent): folder.sha256(f.parent / "secret")}))

    return spoil


def link_outside(f):
    (f / "model.keras").rename(f.parent / "model.keras")
    (f / "model.keras").symlink_to(f.parent / "model.keras")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "model.keras").write_bytes(b"x"), r"model\.keras altered"),
        (lambda f: (f / "1" / "saved_model.pb").unlink(), r"1/saved_model\.pb missing"),
        (lambda f: (f / "index.json").write_text("{"), "index.json' cannot be read as JSON"),
        (lambda f: (f / "index.json").write_text('{"format": 2, "files": {}}'), "format 2.*newer keras_ae"),
        (lambda f: (f / "index.json").write_text('{"format": 1, "files": []}'), "index.json is damaged: it lists no"),
        (lambda f: relist(f, lambda files: files.pop("model.keras")), r"model\.keras not in index\.json"),
        (lambda f: relist(f, lambda files: files.pop("1/saved_model.pb")), r"1/saved_model\.pb not in index\.json"),
        (lambda f: (f / "1" / "more.pb").touch(), r"1/more\.pb not in index\.json"),
        (list_outside("../secret"), r"\.\./secret outside of the folder"),
        (list_outside("1/../../secret"), "secret outside of the folder"),
        (list_outside("{}/secret"), "secret outside of the folder"),
        (link_outside, r"model\.keras outside of the folder"),
    ],
    ids=[
        *("altered", "missing", "damaged index", "newer format", "no list", "unlisted", "unlisted graph"),
        *("added graph", "above", "above below", "absolute", "link"),
    ],
)
def test_a_spoilt_folder_is_named(copy, spoil, words):
    keras_ae.from_preset("tiny", copy.parent)
    spoil(copy)
    with pytest.raises(InputError, match=words):
        keras_ae.from_preset("tiny", copy.parent)


def test_the_hubs_cache_holds_links(home, tmp_path):
    """As huggingface_hub keeps files: snapshots/REVISION/NAME is a link to blobs/HASH."""
    snapshot = shutil.copytree(home / "tiny", tmp_path / "models--owner--tiny" / "snapshots" / "abc")
    blobs = tmp_path / "models--owner--tiny" / "blobs"
    blobs.mkdir()
    for number, path in enumerate([path for path in snapshot.rglob("*") if path.is_file()]):
        path.symlink_to(path.rename(blobs / str(number)))
    folder.verify(snapshot)


def test_a_folder_is_searched_alone(home, copy, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_AE_HOME", str(home))
    with pytest.raises(InputError, match=r"'/nowhere' holds no preset 'tiny': it is none"):
        presets.find("tiny", "/nowhere")
    with pytest.raises(InputError, match=r"settings' holds no preset 'tiny', nor any other"):
        training.check("tiny", home / "settings")
    with pytest.raises(InputError, match=r"holds no preset 'vae_digits', but tiny"):
        keras_ae.from_preset("vae_digits", copy.parent)
    for path in ("./tiny", copy, "hf://owner/tiny"):
        with pytest.raises(InputError, match=r"name must be that of a preset in it.* Leave folder out"):
            presets.find(path, home)


def test_a_hub_gives_its_files(home, monkeypatch):
    asked = []
    hub = types.SimpleNamespace(snapshot_download=lambda name: asked.append(name) or str(home / "tiny"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert keras_ae.from_preset("hf://owner/tiny").latent_dim == 2
    assert asked == ["owner/tiny"]
    with pytest.raises(InputError, match="hf://owner/name"):
        keras_ae.from_preset("hf://tiny")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"keras-ae\[hub\]"):
        keras_ae.from_preset("hf://owner/tiny")


class Hub:
    """The part of huggingface_hub that an upload needs, with its repositories in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def create_repo(self, repo_id, exist_ok):
        (self.folder / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(self, repo_id, folder_path):
        if "closed" in repo_id:
            raise OSError("403 Forbidden")
        shutil.copytree(folder_path, self.folder / repo_id, dirs_exist_ok=True)
        return f"https://huggingface.co/{repo_id}"

    def snapshot_download(self, repo_id):
        return str(self.folder / repo_id)


def test_what_is_uploaded_can_be_loaded(home, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub(tmp_path / "hub"))
    for _ in range(2):
        assert keras_ae.upload_preset(home / "tiny", "hf://owner/tiny") == "https://huggingface.co/owner/tiny"
    assert keras_ae.from_preset("hf://owner/tiny").latent_dim == 2
    with pytest.raises(InputError, match="hf://owner/closed could not be uploaded: 403"):
        keras_ae.upload_preset(home / "tiny", "hf://owner/closed")
    with pytest.raises(InputError, match=r"hf://owner/name\. Received: 'owner/tiny'"):
        keras_ae.upload_preset(home / "tiny", "owner/tiny")
    altered = shutil.copytree(home / "tiny", tmp_path / "altered")
    (altered / "model.keras").write_bytes(b"other")
    with pytest.raises(InputError, match=r"model\.keras"):
        keras_ae.upload_preset(altered, "hf://owner/altered")
    assert not (tmp_path / "hub" / "owner" / "altered").exists()
