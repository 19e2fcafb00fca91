"""Work that is killed at every change of its folder, one after the other: the same call goes on, to the same files.

What is trained, saved and exported is a number here; benchmarks/interruptions kills processes that train.
"""

import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest

from keras_ae import models, serving, writing
from keras_ae.data import images
from keras_ae.errors import InputError
from keras_ae.models import files
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.presets import folder as presets
from keras_ae.zoo.recipe import Recipe
from tests import changes

X = np.zeros((10, 2, 2, 1), "float32")


class Number:
    """A model whose only weight is a number, which each epoch changes."""

    bare_y = None
    weights = (np.zeros(()),)

    def __init__(self, value=1):
        self.value = value

    def fit(self, x, initial_epoch, epochs, callbacks, **_):
        self.stop_training = False
        for callback in callbacks:
            callback.set_model(self)
            callback.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            if self.stop_training:
                break
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            self.value = self.value * 7 % 31
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"loss": 1.0 * self.value, "val_loss": abs(self.value - 18.0)})

    def reconstruct(self, x, condition=None):
        return np.full_like(x, self.value)

    def save(self, path):
        writing.write_text(path, str(self.value))

    def compile(self, _):
        pass


def load(path, **_):
    if not path.is_file():
        raise InputError(f"There is no model file {path}.")
    return Number(int(path.read_text()))


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    """Numbers in the place of models."""
    monkeypatch.setattr(files, "load_model", load)
    monkeypatch.setattr(models.monitoring, "non_finite_weights", lambda model: [])
    monkeypatch.setattr(Recipe, "load", lambda self, split: SimpleNamespace(x=X, y=None, transform=None))
    monkeypatch.setattr(Recipe, "evaluation_data", lambda self, split: X)
    monkeypatch.setattr(Recipe, "build", lambda self, dataset: Number())
    monkeypatch.setattr(Recipe, "held_out", lambda self, dataset: 0)
    monkeypatch.setattr(runs, "run_config", lambda recipe, dataset: config(recipe))


def config(recipe):
    return {"recipe": recipe.as_json(), "data": {"sha256": runs.fingerprint(X)}}


def kills(folder, work):
    """Starts the work in a new folder again and again, and kills it one change later each time; gives the number of
    changes before it was killed."""
    for number in itertools.count(1):
        place = folder / str(number)
        place.mkdir()
        if changes.killed_at(number, place, lambda place=place: work(place)):
            return
        yield number, place


@pytest.mark.parametrize(("epochs", "patience", "resume"), [(3, None, False), (4, 1, True)])
def test_the_command_of_a_training_goes_on_after_any_kill(tmp_path, epochs, patience, resume):
    recipe = Recipe("ae", epochs=epochs, patience=patience, validation=0.1, hidden=(4,), latent_dim=2)

    def train(place, resume=resume):
        runs.train(recipe, RunFolder(place / "run"), resume)

    (tmp_path / "straight").mkdir()
    train(tmp_path / "straight")
    expected = changes.files(tmp_path / "straight", "seconds.txt", "run.lock")
    assert {"config.json", "history.csv", "model.keras"} <= {name.removeprefix("run/") for name in expected}
    generator = random.Random(0)
    for number, place in kills(tmp_path, train):
        changes.killed_at(generator.randrange(1, 40), place, lambda place=place: train(place))  # and once more
        train(place)
        found = changes.files(place, "seconds.txt", "run.lock")
        assert found == expected, number
    assert number > 30


def fake_preset(monkeypatch):
    def write(model, folder, *_):
        folder.mkdir()
        (folder / "graph").write_text(str(model.value))

    def export(model, folder):
        (folder / "1").mkdir(parents=True)
        write(model, folder / "1" / "inner")
        return folder / "1"

    monkeypatch.setattr(presets, "without_optimizer", lambda model: model)
    monkeypatch.setattr(presets, "pairs", lambda model: {"x": np.array(model.value)})
    monkeypatch.setattr(presets.serving, "export", export)


@pytest.mark.parametrize("before", [False, True], ids=["new", "replaced"])
def test_a_preset_is_the_old_or_the_new_one_at_any_kill(tmp_path, monkeypatch, before):
    fake_preset(monkeypatch)
    own = {"index.lock": b"mine", ".git/HEAD": b"ref", "1/notes.txt": b"mine, too"}

    def save(place, value=2, metrics=None):
        presets.save(Number(value), place / "preset", metrics=metrics)

    def prepare(place):
        if before:
            save(place, 1, {"of the old one": 1})
            for name, content in own.items():
                (place / "preset" / name).parent.mkdir(exist_ok=True)
                (place / "preset" / name).write_bytes(content)

    (tmp_path / "straight").mkdir()
    prepare(tmp_path / "straight")
    save(tmp_path / "straight")
    expected = changes.files(tmp_path / "straight")
    assert "preset/metrics.json" not in expected and "preset/1/inner/graph" in expected
    seen = set()
    for number in itertools.count(1):
        place = tmp_path / str(number)
        place.mkdir()
        prepare(place)
        ended = changes.killed_at(number, place, lambda place=place: save(place))
        if before or (place / "preset").exists():
            seen.add(presets.load(place / "preset").value)
        if before:
            assert own.items() <= changes.files(place / "preset").items(), number
        save(place)
        assert changes.files(place) == expected, number
        assert presets.load(place / "preset").value == 2
        if ended:
            break
    assert seen == ({1, 2} if before else {2}) and number > 15


def test_exports_are_whole_at_any_kill(tmp_path, monkeypatch):
    def write(model, folder, *_):
        folder.mkdir()
        (folder / "saved_model.pb").write_text("graph")
        (folder / "variables").write_text(str(model.value))

    monkeypatch.setattr(serving.versions, "Autoencoder", Number)
    monkeypatch.setattr(serving.versions.monitoring, "check_weights", lambda model: None)
    monkeypatch.setattr(serving.formats, "write", write)
    monkeypatch.setattr(serving.versions.keras.backend, "backend", lambda: "tensorflow")

    def export(place):
        return serving.export(Number(3), place / "served")

    for number, place in kills(tmp_path, export):
        versions = 1 + sum(1 for name in changes.files(place) if name.endswith("variables") and "/." not in name)
        assert export(place).name == str(versions), number
        assert set(changes.files(place).values()) == {b"graph", b"3"}
        assert len(changes.files(place)) == 2 * versions
    assert number > 4


def test_files_and_folders_are_whole_at_any_kill(tmp_path):
    x = np.zeros((2, 2, 2, 1), "uint8")

    def write(place):
        writing.write_text(place / "a.txt", "new")
        images.write(place / "pictures", x, 2)

    (tmp_path / "straight").mkdir()
    write(tmp_path / "straight")
    expected = changes.files(tmp_path / "straight")

    def replace(place):
        (place / "a.txt").write_text("old")
        writing.write_text(place / "a.txt", "new")
        images.write(place / "pictures", x, 2)

    for number, place in kills(tmp_path, replace):
        assert not (place / "pictures").exists() or len(list((place / "pictures").iterdir())) == 2
        if number > 1:
            assert (place / "a.txt").read_text() in ("old", "new")
        if not (place / "pictures").exists():
            write(place)
        assert changes.files(place) == expected or (place / "pictures").exists(), number
