"""Numbers in the place of models: what is written and in which order is tested without training anything."""

from types import SimpleNamespace

import numpy as np

from keras_ae import models, serving, writing
from keras_ae.errors import InputError
from keras_ae.models import files
from keras_ae.zoo import runs
from keras_ae.zoo.presets import folder as presets
from keras_ae.zoo.recipe import Recipe

X = np.zeros((10, 2, 2, 1), "float32")


class Number:
    """A model whose only weight is a number, which each epoch changes."""

    bare_y = None
    weights = (np.zeros(()),)

    __class__ = models.Autoencoder  # for isinstance

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


def export(model, folder, *_):
    """A version of an export, of three files, one of which has a folder that other models' exports lack."""
    (folder / f"assets-{model.value}").mkdir(parents=True)
    (folder / f"assets-{model.value}" / "names").write_text("graph")
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables").write_text(str(model.value))
    return folder


def stand_in(monkeypatch):
    """Puts numbers in the place of models, in run folders, presets and exports."""
    monkeypatch.setattr(files, "load_model", load)
    monkeypatch.setattr(models.monitoring, "non_finite_weights", lambda model: [])
    monkeypatch.setattr(Recipe, "load", lambda self, split: SimpleNamespace(x=X, y=None, transform=None))
    monkeypatch.setattr(Recipe, "evaluation_data", lambda self, split: X)
    monkeypatch.setattr(Recipe, "build", lambda self, dataset: Number())
    monkeypatch.setattr(Recipe, "held_out", lambda self, dataset: 0)
    config = {"data": {"sha256": runs.fingerprint(X)}}
    monkeypatch.setattr(runs, "run_config", lambda recipe, dataset: {"recipe": recipe.as_json(), **config})

    monkeypatch.setattr(presets, "without_optimizer", lambda model: model)
    monkeypatch.setattr(presets, "pairs", lambda model: {"x": np.array(model.value)})
    monkeypatch.setattr(presets.serving, "export", lambda model, folder: export(model, folder / "1"))

    monkeypatch.setattr(serving.versions.keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(serving.formats, "write", export)
