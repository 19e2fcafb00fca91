"""An autoencoder as a scikit-learn transformer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from keras_ae import backend, checks, errors
from keras_ae.checks import Count, Positive, Shape
from keras_ae.models import Autoencoder, LinearAE
from keras_ae.models.training import STEPS_PER_EXECUTION
from keras_ae.optimizers import Adam
from keras_ae.tasks.columns import RandomState, validated

DRAWS = 32  # of q(z|x), for the bound of a variational model
ROWS = 1024


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Any model of the zoo as a scikit-learn estimator: rows of a table to codes, and back.

    With a Normal likelihood the columns are standardised inside, to mean 0 and variance 1 in the training data;
    `inverse_transform` and `score_samples` undo it, so that both are in the units of X.

    Args:
        model: a name of the zoo, trained by `fit`; or a trained model, which `fit` leaves as it is, like scikit-learn's
            `FrozenEstimator`. A trained model sees the rows as they are, in the shape that it was built for; of the
            other arguments only `random_state` matters then. Not a conditional model.
        latent_dim: dimensions of the code.
        network: `"dense"`, `"conv"`, `"resnet"` or `"dcgan"`.
        hidden: units of the dense network's hidden layers; None for its default.
        likelihood: p(x|z): `"normal"` (variance 1), `"normal-learned"` (one learned variance), `"normal-per-value"`,
            `"bernoulli"`, or `"auto"`: Bernoulli where every value is 0 or 1, else `"normal-learned"`. `linear_ae` has
            squared error of its own: `"auto"` or `"normal"`.
        epochs: passes over the rows.
        batch_size: rows per step.
        learning_rate: of Adam.
        options: further arguments of the model's class, such as `{"beta": 4.0}`.
        input_shape: shape of one example where rows are images, such as (28, 28, 1); None for the row itself.
        random_state: integer that fixes weights, noise and order; None for a new one in each fit.

    Attributes:
        model_: the trained model.
        scaler_: the `StandardScaler` of the columns; None where there is none.
        seed_: integer of the fit.
        n_features_in_, feature_names_in_: number and names of the columns of X.

    Raises:
        InputError: an argument does not fit; in `fit`.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x = load_iris().data
        >>> found = AutoencoderTransformer("ae", latent_dim=2, hidden=(16,), epochs=5, random_state=0).fit(x)
        >>> found.transform(x).shape, found.inverse_transform(found.transform(x)).shape, found.score_samples(x).shape
        ((150, 2), (150, 4), (150,))
    """

    def __init__(
        self,
        model: str | Autoencoder = "ae",
        latent_dim: Count = 8,
        *,
        network: str = "dense",
        hidden: Sequence[Count] | None = None,
        likelihood: str = "auto",
        epochs: Count = 50,
        batch_size: Count = 128,
        learning_rate: Positive = 1e-3,
        options: dict[str, Any] | None = None,
        input_shape: Shape | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.model = model
        self.latent_dim = latent_dim
        self.network = network
        self.hidden = hidden
        self.likelihood = likelihood
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.options = options
        self.input_shape = input_shape
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "AutoencoderTransformer":
        """Trains the model on the rows of X, (n, columns); y is ignored."""
        checks.attributes(self)
        X = self._numbers(X, reset=True)
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.scaler_ = None
        if isinstance(self.model, Autoencoder):
            _check(X, self.model.event_shape, type(self.model))
            self.model_ = self.model
        else:
            likelihood = self._likelihood(X)
            if likelihood != "bernoulli":
                self.scaler_ = StandardScaler().fit(X)
            self.model_ = self._create(X, likelihood)
            steps = -(-len(X) // self.batch_size)
            self.model_.compile(Adam(self.learning_rate), steps_per_execution=min(steps, STEPS_PER_EXECUTION))
            with backend.silent_retracing():
                self.model_.fit(self._seen(X), batch_size=self.batch_size, epochs=self.epochs, verbose=0)
        self._n_features_out = int(np.prod(self.model_.latent_shape))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows, (n, columns) -> (n, latent_dim) in float32; of a variational model the means of q(z|x)."""
        X = self._validated(X)
        return self.model_.encode(self._seen(X)).reshape(len(X), -1)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Means E[x | code] of codes, (n, latent_dim) -> (n, columns), in the units of the training data."""
        check_is_fitted(self)
        codes = checks.examples("X", X).astype("float32")
        if codes.shape[1:] != (self._n_features_out,):
            raise errors.InputError(
                f"X must hold codes of {self._n_features_out} values, as transform gives them. Received: shape "
                f"{codes.shape}."
            )
        rows = self.model_.decode(codes.reshape(-1, *self.model_.latent_shape)).reshape(len(codes), -1)
        return rows if self.scaler_ is None else self.scaler_.inverse_transform(rows)

    def score_samples(self, X: Any) -> np.ndarray:
        """How normal each row is: (n,) in nats, higher for what the model explains better.

            log p(x | code)        of a deterministic model (of `linear_ae` minus the squared error)
            ELBO <= log p(x)       of a variational model: mean of log p(x, z) / q(z | x) over 32 draws of q

        Standardisation is accounted for: log p(x) = log p(standardised x) - sum_j log scale_j, up to the same constant
        in the squared error. The draws of a variational model are a function of `random_state` and of a row's position.
        """
        X = self._validated(X)
        x, model = self._seen(X), self.model_
        model.likelihood.check(x, "X")

        def function(x: Any, key: Any) -> Any:
            return model.score(model.pack((x,)), backend.KeyedSeed(key), DRAWS)

        signature = keras.KerasTensor((None, *model.event_shape), "float32"), keras.KerasTensor((), "int32")
        score = model.compiled_once("score_samples", function, *signature)
        scores = np.concatenate(
            [
                ops.convert_to_numpy(score(ops.convert_to_tensor(x[i : i + ROWS]), ops.convert_to_tensor(key, "int32")))
                for i, key in ((i, (self.seed_ + i) % 2**31) for i in range(0, len(x), ROWS))
            ]
        )
        return -scores.astype("float64") - (0.0 if self.scaler_ is None else np.log(self.scaler_.scale_).sum())

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples(X)`: what `GridSearchCV` maximises."""
        return float(self.score_samples(X).mean())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are float32
        return tags

    def _likelihood(self, X: np.ndarray) -> str:
        if self.likelihood == "auto":
            return "bernoulli" if np.isin(X, (0, 1)).all() else "normal-learned"
        return self.likelihood

    def _create(self, X: np.ndarray, likelihood: str) -> Autoencoder:
        """The untrained model for rows like X."""
        from keras_ae.zoo import recipe, registry

        if not isinstance(self.model, str):
            raise errors.InputError(f"model must be a name of the zoo or a model. Received: {self.model!r}.")
        kind = registry.model_class(self.model)
        shape = X.shape[1:] if self.input_shape is None else tuple(self.input_shape)
        _check(X, shape, kind)
        options = dict(self.options or {})
        if kind is LinearAE:
            if self.likelihood not in ("auto", "normal"):
                raise errors.InputError(f"{self.model} has squared error of its own: leave likelihood at 'auto'.")
        elif likelihood not in recipe.LIKELIHOODS:
            raise errors.unknown("likelihood", likelihood, [*recipe.LIKELIHOODS, "auto"])
        else:
            options["likelihood"] = recipe.LIKELIHOODS[likelihood]()
        network_options = None if self.hidden is None else {"hidden": tuple(self.hidden)}
        return registry.create(
            self.model,
            shape,
            self.latent_dim,
            network=self.network,
            network_options=network_options,
            seed=self.seed_,
            **options,
        )

    def _validated(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._numbers(X, reset=False)

    def _numbers(self, X: Any, reset: bool) -> np.ndarray:
        return validated(self, X, reset=reset)

    def _seen(self, X: np.ndarray) -> np.ndarray:
        """Rows as the model sees them: standardised, in its shape, float32."""
        rows = X if self.scaler_ is None else self.scaler_.transform(X)
        return rows.reshape(-1, *self.model_.event_shape).astype("float32")


def _check(X: np.ndarray, shape: tuple[int, ...], kind: type[Autoencoder]) -> None:
    """Raises InputError where rows are no examples of the shape, or not all that the model needs."""
    if X.shape[1] != np.prod(shape):
        raise errors.InputError(
            f"X must have {np.prod(shape)} columns, for examples of shape {shape}. Received: {X.shape[1]} columns."
        )
    if kind.conditional:
        raise errors.InputError(
            f"{kind.__name__} needs a condition for each row, which transform has not. Use the model itself: "
            "model.encode(x, condition=...)."
        )
