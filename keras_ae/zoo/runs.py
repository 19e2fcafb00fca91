"""A training from its recipe to the trained model."""

import hashlib
import importlib.metadata
import platform
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_ae import backend, errors, models, onednn
from keras_ae.checks import checked
from keras_ae.data import Dataset
from keras_ae.pipeline import Batches
from keras_ae.training import Best, Recorder, RunFolder
from keras_ae.zoo import presets
from keras_ae.zoo.recipe import Recipe

PACKAGES = ("keras-ae", "keras", "tensorflow", "jax", "numpy")
EXAMPLES_SHOWN = 10


@checked
def trained(name: str | Path) -> models.Autoencoder:
    """The model of a run folder, of a `.keras` file, or of a preset.

    Raises:
        InputError: there is no such model, or it is damaged.
    """
    path = Path(name)
    if path.suffix == ".keras":
        return models.files.load_model(path)
    return RunFolder(path).load_model() if RunFolder(path).exists() else presets.from_preset(name)


@checked
def run_config(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What `config.json` holds: settings, data and versions."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "recipe": recipe.as_json(),
        "backend": keras.backend.backend(),
        "onednn": backend.uses_onednn(),
        "versions": versions,
        "data": {"description": dataset.describe(), "sha256": fingerprint(dataset.x)},
    }


@checked
def fingerprint(x: np.ndarray) -> str:
    """SHA-256 of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()


@checked
def train(
    recipe: Recipe, folder: RunFolder, resume: bool = False, verbose: int = 0, callbacks: Sequence[Any] = ()
) -> models.Autoencoder:
    """Trains a recipe into a run folder, or continues there, to the same result bit for bit.

    The same call can be made again until it returns: what was interrupted goes on after its last epoch, and a folder
    that holds the whole training already is not trained again.

    Args:
        recipe: the settings.
        folder: where to; new, empty, or of this training.
        resume: whether a folder may hold a training of fewer epochs, which is to go on.
        verbose, callbacks: of `fit`.

    Raises:
        InputError: the folder is in use, belongs to other settings or other data, or holds something else; or a file
            of it is damaged.
        TrainingDivergedError: a term or a weight became infinite or not a number; the last checkpoint is still good.
    """
    going_on = folder.exists()
    if going_on:
        fixed = () if resume and recipe.schedule == "constant" else ("epochs",)
        folder.check_resumable(recipe.as_json(), fixed, Recipe(recipe.model).as_json())
        _check_rounding(folder)
    dataset = recipe.load("train")
    # Before anything is written: mistakes leave nothing behind.
    with errors.about("validation"):
        validation = recipe.load(recipe.validation) if isinstance(recipe.validation, str) else None
    model, epochs_done = recipe.build(dataset), 0
    if recipe.pretrained and not folder.checkpoints():
        _start_from(model, recipe.pretrained)
    with folder.locked():
        if going_on:
            if folder.data_sha256 != fingerprint(dataset.x):
                raise errors.InputError(f"The data {recipe.data!r} has changed since {folder.path} was started.")
            checkpoint, epochs_done = folder.load_checkpoint()
            model = _checked(checkpoint, model, folder, epochs_done) if checkpoint else model
            folder.check(epochs_done)
            folder.remove_checkpoints_before(epochs_done)
            if epochs_done > recipe.epochs:
                raise errors.InputError(f"{folder.path} has {epochs_done} epochs, more than epochs={recipe.epochs}.")
        else:
            folder.start(run_config(recipe, dataset))
        before = getattr(model, "pretraining", 0)
        best = Best(folder, recipe.patience, recipe.monitor, before) if recipe.patience else None
        if best and epochs_done:
            best.model_of_best_epoch()  # that it is there and whole is seen before an epoch is trained
        if epochs_done < recipe.epochs and not (best and best.is_over(epochs_done)):
            shown = recipe.evaluation_data("test")[:EXAMPLES_SHOWN]
            condition = recipe.condition("test")
            recorder = Recorder(folder, shown, recipe.epochs, None if condition is None else condition[: len(shown)])
            _fit(
                model,
                recipe,
                dataset,
                validation,
                epochs_done,
                verbose,
                [*([best] if best else []), recorder, *callbacks],
            )
        if best:
            model = best.model_of_best_epoch()
        model.save(folder.model_file)
    return model


def _check_rounding(folder: RunFolder) -> None:
    """Warns where TensorFlow computes with other operations than when the run was started."""
    then, now = folder.config.get("onednn"), backend.uses_onednn()
    if isinstance(then, bool) and isinstance(now, bool) and then != now:
        warnings.warn(
            f"{folder.path} was started with {onednn.VARIABLE}={then:d}, this process computes with {now:d}: the "
            f"training will not be bit for bit what it would have been. Set {onednn.VARIABLE}={then:d} before "
            "TensorFlow is imported.",
            stacklevel=3,
        )


def _checked(
    checkpoint: models.Autoencoder, built: models.Autoencoder, folder: RunFolder, epochs_done: int
) -> models.Autoencoder:
    """The model of a checkpoint, if it is like the one that was built and finite."""
    shapes, expected = ([weight.shape for weight in each.weights] for each in (checkpoint, built))
    if type(checkpoint) is not type(built) or shapes != expected:
        what = "another model than this training's"
    elif bad := models.monitoring.non_finite_weights(checkpoint):
        what = f"a model whose weights are not finite ({bad[0]})"
    else:
        return checkpoint
    raise errors.InputError(f"{folder.checkpoints()[epochs_done]} holds {what}. Remove it, or choose another folder.")


def _fit(
    model: models.Autoencoder,
    recipe: Recipe,
    dataset: Dataset,
    validation: Dataset | None,
    epochs_done: int,
    verbose: int,
    callbacks: list,
) -> None:
    held_out = recipe.held_out(dataset)
    training = [a[: len(a) - held_out] for a in _arrays(model, dataset)]
    judged = [a[len(a) - held_out :] for a in _arrays(model, dataset)] if held_out else None
    if validation is not None:
        judged = _arrays(model, validation)
    batches: dict[str, Any] = {"batch_size": recipe.batch_size, "seed": recipe.seed, "transform": dataset.transform}
    model.fit(
        Batches(tuple(training), shuffle=True, **batches),
        validation_data=Batches(tuple(judged), **batches) if judged else None,
        initial_epoch=epochs_done,
        epochs=recipe.epochs,
        callbacks=callbacks,
        verbose=verbose,
    )


def _arrays(model: models.Autoencoder, dataset: Dataset) -> list[np.ndarray]:
    """x, and y for a model that has a use for it."""
    return [dataset.x] if model.bare_y is None or dataset.y is None else [dataset.x, dataset.y]


def _start_from(model: models.Autoencoder, name: str) -> None:
    """Gives a new model the weights of a trained one; its count of steps stays zero."""
    with errors.about("pretrained"):
        source = trained(name)
    new, given = ([weight for weight in each.weights if weight is not each.step] for each in (model, source))
    if [weight.shape for weight in new] != [weight.shape for weight in given]:
        raise errors.InputError(
            f"pretrained={name!r} does not fit: its {type(source).__name__} has weights of other shapes than this "
            f"{type(model).__name__}. Use the same network, network options, latent_dim and likelihood as its training."
        )
    for weight, value in zip(new, given, strict=True):
        weight.assign(value)
