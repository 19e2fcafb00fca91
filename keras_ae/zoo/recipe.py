"""A training from its settings to the trained model."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np

from keras_ae import errors, models
from keras_ae.data import Dataset, load
from keras_ae.distributions import likelihoods
from keras_ae.optimizers import Adam
from keras_ae.pipeline import Batches
from keras_ae.training import Recorder, RunFolder
from keras_ae.zoo.registry import create, model_class

PACKAGES = ("keras-ae", "keras", "tensorflow", "jax", "numpy")
LIKELIHOODS = {
    "bernoulli": likelihoods.Bernoulli,
    "normal": likelihoods.Normal,
    "normal-learned": lambda: likelihoods.Normal("learned"),
    "normal-per-value": lambda: likelihoods.Normal("per_value"),
}
EXAMPLES_SHOWN = 10


@dataclass(frozen=True)
class Recipe:
    """All that is needed to repeat a training; data, so that it can be stored.

    Args:
        model: a name of the zoo.
        data: a name or a path that `keras_ae.data.load` takes.
        latent_dim: dimensions of the code.
        epochs: passes over the training split.
        network: `"dense"`, `"conv"` or `"dcgan"`.
        hidden: units of the dense network's hidden layers; None for its default.
        likelihood: `"auto"` (by the data), `"bernoulli"`, `"normal"`, `"normal-learned"`, `"normal-per-value"` or
            `"categorical"`.
        binarize: None, `"threshold"`, `"fixed"` or `"dynamic"`.
        levels: whether pixels stay whole numbers, for a categorical likelihood.
        image_size: (height, width) of a folder of images.
        batch_size: examples per step.
        learning_rate: of Adam.
        validation: fraction of the training split that is held out and evaluated after each epoch.
        seed: of weights, noise and order.
        options: further arguments of the model's class.
    """

    model: str
    data: str = "digits"
    latent_dim: int = 16
    epochs: int = 20
    network: str = "dense"
    hidden: Sequence[int] | None = None
    likelihood: str = "auto"
    binarize: str | None = None
    levels: bool = False
    image_size: Sequence[int] | None = None
    batch_size: int = 128
    learning_rate: float = 1e-3
    validation: float = 0.0
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model_class(self.model)
        for name in ("latent_dim", "epochs", "batch_size"):
            errors.whole_number(name, getattr(self, name))
        if not self.learning_rate > 0:
            raise errors.InputError(f"learning_rate must be positive. Received: {self.learning_rate!r}.")
        if not 0 <= self.validation < 1:
            raise errors.InputError(f"validation must be a fraction in [0, 1). Received: {self.validation!r}.")

    def load(self, split: str) -> Dataset:
        """A split of the data, as this recipe wants its pixels."""
        size = (self.image_size[0], self.image_size[1]) if self.image_size else None
        return load(self.data, split, binarize=self.binarize, levels=self.levels, image_size=size)

    def evaluation_data(self, split: str) -> np.ndarray:
        """x of a split with dynamic binarisation drawn once."""
        return self.load(split).sample(self.seed)

    def condition(self, split: str) -> np.ndarray | None:
        """The conditions of a split for a conditional model: its labels."""
        return self.load(split).y if model_class(self.model).conditional else None

    def build(self, dataset: Dataset) -> models.Autoencoder:
        """The compiled model for a data set."""
        options = dict(self.options)
        if model_class(self.model) is not models.LinearAE:
            options["likelihood"] = self._likelihood(dataset)
        if model_class(self.model).conditional:
            if dataset.num_classes is None:
                raise errors.InputError(f"{self.model} is conditioned on labels, which {self.data!r} does not have.")
            options["condition_dim"] = dataset.num_classes
        network_options = {"hidden": tuple(self.hidden)} if self.hidden is not None else None
        model = create(
            self.model,
            dataset.shape,
            self.latent_dim,
            network=self.network,
            network_options=network_options,
            seed=self.seed,
            **options,
        )
        model.compile(Adam(self.learning_rate))
        return model

    def _likelihood(self, dataset: Dataset) -> likelihoods.Likelihood:
        name = self.likelihood
        if name == "auto":
            low, high = dataset.range
            name = "categorical" if self.levels else "bernoulli" if low >= 0 and high <= 1 else "normal"
        if name == "categorical":
            if dataset.levels is None:
                raise errors.InputError("likelihood 'categorical' needs whole-number pixels: add --levels.")
            return likelihoods.Categorical(dataset.levels)
        if name not in LIKELIHOODS:
            raise errors.unknown("likelihood", name, [*LIKELIHOODS, "categorical", "auto"])
        return LIKELIHOODS[name]()


def run_config(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """What `config.json` holds: settings, data and versions."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "recipe": _plain(recipe),
        "backend": keras.backend.backend(),
        "versions": versions,
        "data": {"description": dataset.describe(), "sha256": fingerprint(dataset.x)},
    }


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON gives it back."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(recipe).items()}


def fingerprint(x: np.ndarray) -> str:
    """SHA-256 of an array's values."""
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()


def train(
    recipe: Recipe, folder: RunFolder, resume: bool = False, verbose: int = 0, callbacks: Sequence[Any] = ()
) -> models.Autoencoder:
    """Trains a recipe into a run folder; with `resume` it continues there, to the same result bit for bit.

    Raises:
        InputError: the folder is in use, holds something already, or belongs to other settings or other data.
        TrainingDivergedError: a term became infinite or not a number; the last checkpoint is still good.
    """
    if resume:
        folder.check_resumable(_plain(recipe))
    dataset = recipe.load("train")
    model, epochs_done = recipe.build(dataset), 0  # before anything is written: its mistakes leave nothing behind
    with folder.locked():
        if resume:
            if folder.config["data"]["sha256"] != fingerprint(dataset.x):
                raise errors.InputError(f"The data {recipe.data!r} has changed since {folder.path} was started.")
            checkpoint, epochs_done = folder.load_checkpoint()
            model = checkpoint or model
        else:
            folder.start(run_config(recipe, dataset))
        if epochs_done < recipe.epochs:
            shown = recipe.evaluation_data("test")[:EXAMPLES_SHOWN]
            condition = recipe.condition("test")
            recorder = Recorder(folder, shown, recipe.epochs, None if condition is None else condition[: len(shown)])
            _fit(model, recipe, dataset, epochs_done, verbose, [recorder, *callbacks])
        models.files.save_model(model, folder.model_file)
    return model


def _fit(
    model: models.Autoencoder, recipe: Recipe, dataset: Dataset, epochs_done: int, verbose: int, callbacks: list
) -> None:
    held_out = int(len(dataset) * recipe.validation)
    arrays = (dataset.x,) if model.bare_y is None or dataset.y is None else (dataset.x, dataset.y)
    training, validation = ([a[: len(a) - held_out] for a in arrays], [a[len(a) - held_out :] for a in arrays])
    batches: dict[str, Any] = {"batch_size": recipe.batch_size, "seed": recipe.seed, "transform": dataset.transform}
    model.fit(
        Batches(tuple(training), shuffle=True, **batches),
        validation_data=Batches(tuple(validation), **batches) if held_out else None,
        initial_epoch=epochs_done,
        epochs=recipe.epochs,
        callbacks=callbacks,
        verbose=verbose,
    )
