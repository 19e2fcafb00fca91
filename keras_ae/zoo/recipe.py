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
from keras_ae.training import Best, Recorder, RunFolder
from keras_ae.zoo.registry import create, model_class

PACKAGES = ("keras-ae", "keras", "tensorflow", "jax", "numpy")
LIKELIHOODS = {
    "bernoulli": likelihoods.Bernoulli,
    "normal": likelihoods.Normal,
    "normal-learned": lambda: likelihoods.Normal("learned"),
    "normal-per-value": lambda: likelihoods.Normal("per_value"),
}
SCHEDULES = ("constant", "cosine")
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
        network_options: further arguments of the network.
        likelihood: `"auto"` (by the data), `"bernoulli"`, `"normal"`, `"normal-learned"`, `"normal-per-value"`, or with
            `levels` `"categorical"`, `"discretized_logistic"`, `"quantized_normal"` or `"beta_binomial"`.
        binarize: None, `"threshold"`, `"fixed"` or `"dynamic"`.
        levels: whether pixels stay whole numbers, for likelihoods of levels.
        image_size: (height, width) of a folder of images.
        batch_size: examples per step.
        learning_rate: of Adam, at its first step.
        schedule: `"constant"`, or `"cosine"`: the learning rate falls to zero over all epochs (Loshchilov and Hutter,
            2017, arXiv:1608.03983, eq. 5).
        validation: fraction of the training split that is held out and evaluated after each epoch, or the name of a
            split of the data for that.
        patience: the training ends after so many epochs without a lower validation loss, and the model is that of its
            best epoch; None for neither.
        monitor: terms whose sum on the validation data is what `patience` looks at; reconstruction and kl for a beta
            VAE whose beta changes, and with it the loss.
        seed: of weights, noise and order.
        optimizer_options: further arguments of Adam, such as `{"beta_1": 0.5}`.
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
    schedule: str = "constant"
    validation: float | str = 0.0
    patience: int | None = None
    monitor: Sequence[str] = ("loss",)
    seed: int = 0
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    network_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model_class(self.model)
        for name in ("latent_dim", "epochs", "batch_size"):
            errors.whole_number(name, getattr(self, name))
        if not self.learning_rate > 0:
            raise errors.InputError(f"learning_rate must be positive. Received: {self.learning_rate!r}.")
        if self.schedule not in SCHEDULES:
            raise errors.unknown("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.validation, str) and not 0 <= self.validation < 1:
            raise errors.InputError(
                f"validation must be a fraction in [0, 1) or the name of a split. Received: {self.validation!r}."
            )
        if self.patience is not None:
            errors.whole_number("patience", self.patience)
            if not self.validation:
                raise errors.InputError("patience needs a validation loss: set validation, such as 0.1.")

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
        network_options = dict(self.network_options)
        if self.hidden is not None:
            network_options["hidden"] = tuple(self.hidden)
        model = create(
            self.model,
            dataset.shape,
            self.latent_dim,
            network=self.network,
            network_options=network_options,
            seed=self.seed,
            **options,
        )
        steps = self.epochs * -(-(len(dataset) - self.held_out(dataset)) // self.batch_size)
        cosine = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        rate = cosine if self.schedule == "cosine" else self.learning_rate
        model.compile(Adam(rate, **self.optimizer_options))
        return model

    def held_out(self, dataset: Dataset) -> int:
        """How many examples of the training split are for validation."""
        return 0 if isinstance(self.validation, str) else int(len(dataset) * self.validation)

    def _likelihood(self, dataset: Dataset) -> likelihoods.Likelihood:
        name = self.likelihood
        if name == "auto":
            low, high = dataset.range
            name = "categorical" if self.levels else "bernoulli" if low >= 0 and high <= 1 else "normal"
        if name in likelihoods.OF_LEVELS:
            if dataset.levels is None:
                raise errors.InputError(f"likelihood {name!r} needs whole-number pixels: add --levels.")
            return likelihoods.OF_LEVELS[name](dataset.levels)
        if name not in LIKELIHOODS:
            raise errors.unknown("likelihood", name, [*LIKELIHOODS, *likelihoods.OF_LEVELS, "auto"])
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
        fixed = ("epochs",) if recipe.schedule == "cosine" else ()
        folder.check_resumable(_plain(recipe), fixed, _plain(Recipe(recipe.model)))
    dataset = recipe.load("train")
    # Before anything is written: mistakes leave nothing behind.
    validation = recipe.load(recipe.validation) if isinstance(recipe.validation, str) else None
    model, epochs_done = recipe.build(dataset), 0
    with folder.locked():
        if resume:
            if folder.config["data"]["sha256"] != fingerprint(dataset.x):
                raise errors.InputError(f"The data {recipe.data!r} has changed since {folder.path} was started.")
            checkpoint, epochs_done = folder.load_checkpoint()
            model = checkpoint or model
        else:
            folder.start(run_config(recipe, dataset))
        best = Best(folder, recipe.patience, recipe.monitor) if recipe.patience else None
        if epochs_done < recipe.epochs and not (best and best.is_over()):
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
        models.files.save_model(model, folder.model_file)
    return model


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
