"""The semi-supervised variational autoencoder."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae import divergences, errors, networks
from keras_ae.checks import Count, Positive, Seed, checked
from keras_ae.models import inputs
from keras_ae.models.base import Variational
from keras_ae.models.batch import Batch
from keras_ae.pipeline import Batches
from keras_ae.schedules import Weight


@keras.saving.register_keras_serializable("keras_ae")
class SemiSupervisedVAE(Variational):
    """Semi-supervised variational autoencoder, M2 (Kingma et al., 2014, arXiv:1406.5298, eq. 6, 7 and 9).

        E = sum_y w(y) [-log p(x|z,y) + KL(q(z|x,y) || p(z)) - log p(y) + log w(y)] - alpha log q(y|x) where y is known

    z ~ q(z|x,y), and w(y) is 1 for the known class, or q(y|x), a classifier, for an example without a label. E without
    its last term is an upper bound on -log p(x,y), or on -log p(x) where y is not known. `fit(x, y)` takes the classes
    0 to K - 1, and -1 where there is no label. Wherever a condition is not given, the most probable class is taken.

    Args:
        alpha: weight of the classifier's loss on an example with a label; a number or a schedule. Kingma et al. take
            0.1 N / (number of labels), with N examples.
        class_prior: p(y), K numbers above 0 that are made to sum to one; None for equally frequent classes.
        classifier: a `keras.Model` from x to K logits; None for `keras_ae.networks.classifier`.
        encoder, decoder: networks of two inputs, see `ConditionalVAE`.
        posterior, latent_dim, likelihood, output_layer, seed: see `VAE`.

    Terms: reconstruction, kl, label (log w(y) - log p(y)), classification (alpha included; nats per example).

    Raises:
        InputError: a label is no class, or a class has no label.

    Example:
        >>> from keras_ae import networks
        >>> model = SemiSupervisedVAE(*networks.dense((4,), 2, hidden=(8,), condition_dim=3), latent_dim=2, seed=0)
        >>> model.compile("adam")
        >>> history = model.fit(np.ones((9, 4), "float32"), [0, 1, 2, -1, -1, -1, -1, -1, -1], verbose=0)
        >>> model.predict_proba(np.ones((5, 4))).shape, model.sample(5, condition=1).shape
        ((5, 3), (5, 4))
    """

    terms = ("reconstruction", "kl", "label", "classification")
    settings = ("alpha", "class_prior", "classifier")
    schedulable = ("alpha",)
    conditional = True
    bare_y = "condition"
    infers_condition = True

    @checked
    def __init__(
        self,
        *args: Any,
        alpha: Weight = 1.0,
        class_prior: Sequence[Positive] | None = None,
        classifier: keras.Model | None = None,
        **kwargs: Any,
    ) -> None:
        self.alpha = alpha
        self.class_prior = None if class_prior is None else [*map(float, class_prior)]
        self._given_classifier = [classifier]  # in a list that Keras does not look into: it becomes a layer below
        super().__init__(*args, **kwargs)

    def make_code_heads(self) -> None:
        super().make_code_heads()
        event, classes, seed = self.encoder.inputs[0].shape[1:], self.condition_dim, self.next_seed()
        self.classifier = self._given_classifier.pop() or networks.classifier(event, classes, seed=seed)
        shapes = [tuple(t.shape[1:]) for t in (*self.classifier.inputs, *self.classifier.outputs)]
        if shapes != [tuple(event), (classes,)]:
            raise errors.InputError(
                f"The classifier must map x of shape {tuple(event)} to {classes} logits. Received: {shapes}."
            )
        prior = np.ones(classes) if self.class_prior is None else np.asarray(self.class_prior)
        if prior.shape != (classes,) or not (np.isfinite(prior) & (prior > 0)).all():
            raise errors.InputError(
                f"class_prior must hold {classes} numbers above 0, one for each class. Received: {self.class_prior}."
            )
        self.log_class_prior = np.log(prior / prior.sum()).astype("float32")

    def log_probabilities(self, x: Any, training: bool = False) -> Any:
        """log q(y|x) of every class: (batch, K)."""
        return ops.log_softmax(self.classifier(self.likelihood.encoder_input(x), training=training))

    def features(self, x: Any, training: bool = False, condition: Any = None) -> Any:
        return super().features(x, training, self.most_probable(x) if condition is None else condition)

    def reconstruct_mean(self, x: Any, condition: Any = None) -> Any:
        return super().reconstruct_mean(x, self.most_probable(x) if condition is None else condition)

    def most_probable(self, x: Any) -> Any:
        """The most probable class of each example, as vectors."""
        return ops.one_hot(ops.argmax(self.log_probabilities(x), axis=-1), self.condition_dim, dtype="float32")

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        log_q = self.log_probabilities(batch.x, training)
        label = ops.zeros_like(log_q) if batch.condition is None else batch.condition
        known = ops.sum(label, axis=-1, keepdims=True)
        w = label + (1.0 - known) * ops.exp(log_q)
        each = self.with_every_class(batch)
        q = self.posterior(each.x, training, each.condition)
        z = self.sampling(q)
        of_class = {
            "reconstruction": self.reconstruction(each, z, training),
            "kl": divergences.kl(q, self.prior),
        }
        return {
            **{name: self.average(w, values) for name, values in of_class.items()},
            "label": ops.sum(w * ((1.0 - known) * log_q - self.log_class_prior), axis=-1),
            "classification": -self.now(self.alpha) * ops.sum(label * log_q, axis=-1),
        }

    def average(self, w: Any, values: Any) -> Any:
        """The sum over the classes of w times values, (batch * K,); an infinite value counts only where w > 0."""
        return ops.sum(ops.where(w > 0, w * ops.reshape(values, (-1, self.condition_dim)), 0.0), axis=-1)

    def with_every_class(self, batch: Batch) -> Batch:
        """Each example K times, once with each class."""
        x, target = (ops.repeat(values, self.condition_dim, axis=0) for values in (batch.x, batch.target))
        condition = ops.tile(ops.eye(self.condition_dim), (ops.shape(batch.x)[0], 1))
        return Batch(x, target, condition)

    def score(self, batch: Batch, seed: Any, samples: int) -> Any:
        """The negative ELBO of each example given its class, the most probable one where none is given."""
        known = batch.condition is not None
        return super().score(batch if known else batch._replace(condition=self.most_probable(batch.x)), seed, samples)

    @checked
    def predict_proba(self, x: Any, batch_size: Count | None = None) -> np.ndarray:
        """q(y|x), the probability of every class, as arrays: (n, *event) -> (n, K)."""
        x = inputs.check_x(self, x, explained=False)
        return np.exp(self.over_batches("log_probabilities", x, batch_size))

    @checked
    def classify(self, x: Any, batch_size: Count | None = None) -> np.ndarray:
        """The most probable class of each example: (n, *event) -> (n,)."""
        return self.predict_proba(x, batch_size).argmax(axis=1)

    def own_signatures(self) -> dict[str, Any]:
        return {"predict_proba": lambda x: {"probabilities": ops.exp(self.log_probabilities(x))}}

    @checked
    def sample(
        self,
        n: Count,
        seed: Seed | None = None,
        observation: str = "mean",
        batch_size: Count | None = None,
        condition: Any = None,
    ) -> np.ndarray:
        """`n` new examples, of the classes `condition` or of classes drawn from p(y); see `Autoencoder.sample`."""
        if condition is None:
            chance = np.exp(self.log_class_prior.astype("float64"))
            rng = np.random.default_rng(seed)
            condition = rng.choice(self.condition_dim, n, p=chance / chance.sum())
        return super().sample(n, seed, observation, batch_size, condition)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains the model; arguments and return value are those of `Autoencoder.fit`, with y -1 without a label."""
        if isinstance(x, Batches):
            self._check_labels(keras.utils.unpack_x_y_sample_weight(x.arrays)[1])
        elif inputs.is_arrays(x):
            self._check_labels(y)
        return super().fit(x, y, *args, **kwargs)

    def _check_labels(self, y: Any) -> None:
        labels = np.asarray(y.get("condition", -1) if isinstance(y, dict) else -1 if y is None else y)
        if labels.ndim == 2 and labels.shape[1] == self.condition_dim:
            labels = np.where(labels.any(axis=1), labels.argmax(axis=1), -1)
        found = {*labels.ravel().tolist()}
        missing = sorted({*range(self.condition_dim)} - found)
        if missing and -1 in found:
            raise errors.InputError(
                f"No example has the label {', '.join(map(str, missing))}, of the {self.condition_dim} classes. Give "
                "each class one label at least; -1 stands for examples without a label."
            )
