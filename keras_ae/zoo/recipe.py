"""The settings of a training."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import keras
import numpy as np

from keras_ae import backend, checks, errors, models
from keras_ae.checks import Count, Dropout, ImageSize, Positive, Seed, checked, one_of, path
from keras_ae.data import Dataset, keep_labels, load
from keras_ae.data.pixels import BINARIZATIONS
from keras_ae.data.tokenizer import SPLIT
from keras_ae.distributions import likelihoods
from keras_ae.optimizers import Adam
from keras_ae.zoo.registry import NETWORKS, create, model_class, parameters

LIKELIHOODS = {
    "bernoulli": likelihoods.Bernoulli,
    "normal": likelihoods.Normal,
    "normal-learned": lambda: likelihoods.Normal("learned"),
    "normal-per-value": lambda: likelihoods.Normal("per_value"),
}
NAMES = ("auto", *LIKELIHOODS, *likelihoods.OF_LEVELS)
NORMAL = re.compile(r"normal-(\d+(\.\d+)?(e-?\d+)?)")  # of a variance
SET_BY_THE_RECIPE = {  # dictionary of further arguments -> those that it must not hold
    "options": {
        *("name", "input_shape", "latent_dim", "network", "network_options", "likelihood", "seed", "condition_dim"),
        *("encoder", "decoder", "tokenizer", "autocast"),
    },
    "network_options": {"input_shape", "latent_dim", "seed", "condition_dim", "tokens", "parameters"},
    "optimizer_options": {"learning_rate"},
}


def _likelihood_name(name: str, value: Any) -> str:
    """`value`, or an error where it names no likelihood."""
    if not isinstance(value, str) or not (value in NAMES or NORMAL.fullmatch(value)):
        raise errors.unknown(name, value, [*NAMES, "normal-0.05"])
    return value


@dataclass(frozen=True)
class Recipe:
    """All that is needed to repeat a training; data, so that it can be stored.

    Args:
        model: a name of the zoo.
        data: a name or a path that `keras_ae.data.load` takes.
        latent_dim: dimensions of the code.
        epochs: passes over the training split.
        network: `"dense"`, `"conv"`, `"resnet"` or `"dcgan"`, for sequences `"recurrent"` or `"transformer"`; None for
            the first that fits the model.
        hidden: units of the dense network's hidden layers; None for its default.
        network_options: further arguments of the network.
        likelihood: `"auto"` (by the data), `"bernoulli"`, `"normal"` of variance 1, `"normal-0.05"` of that variance,
            `"normal-learned"`, `"normal-per-value"`, or with `levels` `"categorical"`, `"discretized_logistic"`,
            `"discretized_logistic_mixture"` (of five), `"quantized_normal"` or `"beta_binomial"`.
        binarize: None, `"threshold"`, `"fixed"` or `"dynamic"`.
        levels: whether pixels stay whole numbers, for likelihoods of levels.
        image_size: (height, width) of a folder of images.
        tokens, vocabulary_size: of text, see `keras_ae.data.load`.
        labels: how many labels of the training split a semi-supervised model is given, as many of each class; None
            for all.
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
        precision: `"float32"`, or `"mixed_bfloat16"`: weights and losses stay float32, layers compute with 8 bits of
            precision, which is faster for convolutions on a GPU or a CPU with matrix units; None for Keras' own
            setting, `keras.config.dtype_policy()`.
        seed: of weights, noise and order.
        pretrained: the trained model whose weights the training starts from: a run folder, a `.keras` file or the name
            of a preset. Its networks have to be those of this recipe; it may be another variant.
        optimizer_options: further arguments of Adam, such as `{"beta_1": 0.5}`.
        options: further arguments of the model's class.

    Raises:
        InputError: a setting cannot be, or `options` hold one that has a name of its own.
    """

    model: str
    data: str = "digits"
    latent_dim: Count = 16
    epochs: Count = 20
    network: Annotated[str, one_of(*NETWORKS)] | None = None
    hidden: Sequence[Count] | None = None
    likelihood: Annotated[str, _likelihood_name] = "auto"
    binarize: Annotated[str, one_of(*BINARIZATIONS)] | None = None
    levels: bool = False
    image_size: ImageSize | None = None
    tokens: Annotated[str, one_of(*SPLIT)] = "character"
    vocabulary_size: Count | None = None
    labels: Count | None = None
    batch_size: Count = 128
    learning_rate: Positive = 1e-3
    schedule: Annotated[str, one_of("constant", "cosine")] = "constant"
    validation: Dropout | str = 0.0
    patience: Count | None = None
    monitor: Sequence[str] = ("loss",)
    precision: Annotated[str, one_of("float32", "mixed_bfloat16")] | None = None
    seed: Seed = 0
    pretrained: Annotated[str, path] | None = None
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    network_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in checks.attributes(self).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "network", self.network or model_class(self.model).network_kinds[0])
        if self.labels is not None and not model_class(self.model).infers_condition:
            raise errors.InputError(f"labels are for a model that does with few, which {self.model} is not. Remove it.")
        self._check_options()
        if self.patience is not None and not self.validation:
            raise errors.InputError("patience needs a validation loss: set validation, such as 0.1.")

    def _check_options(self) -> None:
        """Raises InputError where a dictionary of further arguments holds what would be ignored or given twice."""
        functions = {"options": model_class(self.model), "network_options": NETWORKS[str(self.network)]}
        arguments = {kind: parameters(f) for kind, f in functions.items()} | {"optimizer_options": parameters(Adam)}
        for kind, set_here in SET_BY_THE_RECIPE.items():
            set_here = set_here | ({"hidden"} if self.hidden is not None else set())
            known = arguments[kind]
            for name in getattr(self, kind):
                if name not in known | set_here:
                    raise errors.unknown(f"argument in {kind}", name, known - set_here)
                if name in set_here:
                    where = f"use {name}=... of Recipe, --{name.replace('_', '-')} of the command line"
                    why = where if hasattr(self, name) else "the recipe sets it"
                    raise errors.InputError(f"{kind} must not hold {name!r}: {why}.")
        if model_class(self.model) is models.LinearAE and self.likelihood != "auto":
            raise errors.InputError(
                f"{self.model} has a squared error of its own: it takes no likelihood. Received: {self.likelihood!r}."
            )

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON gives them back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @checked
    def load(self, split: str) -> Dataset:
        """A split of the data, as this recipe wants its pixels."""
        size = (self.image_size[0], self.image_size[1]) if self.image_size else None
        dataset = load(
            self.data,
            split,
            binarize=self.binarize,
            levels=self.levels,
            image_size=size,
            tokens=self.tokens,
            vocabulary_size=self.vocabulary_size,
        )
        if self.labels is None or split != "train" or dataset.y is None:
            return dataset
        return replace(dataset, y=keep_labels(dataset.y, self.labels, self.seed))

    @checked
    def evaluation_data(self, split: str) -> np.ndarray:
        """x of a split with dynamic binarisation drawn once."""
        return self.load(split).sample(self.seed)

    @checked
    def condition(self, split: str) -> np.ndarray | None:
        """The conditions of a split for a conditional model: its labels."""
        return self.load(split).y if model_class(self.model).conditional else None

    @checked
    def build(self, dataset: Dataset) -> models.Autoencoder:
        """The compiled model for a data set."""
        options = dict(self.options)
        if model_class(self.model) is not models.LinearAE:
            options["likelihood"] = self._likelihood(dataset)
        if model_class(self.model).conditional:
            if dataset.num_classes is None:
                raise errors.InputError(f"{self.model} is conditioned on labels, which {self.data!r} does not have.")
            options["condition_dim"] = dataset.num_classes
        if dataset.tokenizer is not None:
            if not model_class(self.model).autoregressive:
                raise errors.InputError(f"{self.model} takes no text. Use a model of sequences: sequence_vae.")
            options["tokenizer"] = dataset.tokenizer
        network_options = dict(self.network_options)
        if self.hidden is not None:
            network_options["hidden"] = tuple(self.hidden)
        with backend.dtype_policy(self.precision):
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

    @checked
    def held_out(self, dataset: Dataset) -> int:
        """How many examples of the training split are for validation."""
        if isinstance(self.validation, str) or not self.validation:
            return 0
        return errors.part("validation", self.validation, len(dataset))

    def _likelihood(self, dataset: Dataset) -> likelihoods.Likelihood:
        name = self.likelihood
        if name == "auto":
            low, high = dataset.range
            name = "categorical" if dataset.levels else "bernoulli" if low >= 0 and high <= 1 else "normal"
        if name in likelihoods.OF_LEVELS:
            if dataset.levels is None:
                raise errors.InputError(f"likelihood {name!r} needs whole-number pixels: add --levels.")
            return likelihoods.OF_LEVELS[name](dataset.levels)
        variance = NORMAL.fullmatch(name)
        return likelihoods.Normal(float(variance[1])) if variance else LIKELIHOODS[name]()
