"""Anomalies: what an autoencoder of normal examples does not explain."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from keras_ae import backend, checks, errors
from keras_ae.checks import Count, NotNegative, Positive
from keras_ae.layers import NormalNoise
from keras_ae.models import Autoencoder, DenoisingAE
from keras_ae.models.training import STEPS_PER_EXECUTION
from keras_ae.optimizers import Adam
from keras_ae.pipeline import Batches
from keras_ae.tasks import anomaly_scores, conformal
from keras_ae.tasks.columns import Columns, RandomState, validated

STEPS = 1500  # of training, where epochs is None
ROWS = 10_000  # of an epoch, at least, as far as there are passes
AUTO = 0.1  # contamination


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Detector of anomalies in tables or images, with scikit-learn's conventions: higher scores are more normal.

    The default are three denoising autoencoders, linear on tables. With little noise they show what breaks a tight
    relation between values, with much noise what is far from the others in many of them. Each is trained twice: on all
    rows, then without the `trim` that it scores worst, since training rows may hold anomalies, too. The score of an
    example is the mean over the models of

        -1/2 sum_j e_j^2 / s_j^2 - 1/2 (c - m)^T S^-1 (c - m)        e = x - E[x | code of x], c: code of x

    with the mean s_j^2 of e_j^2 (of images over all pixels), mean m and covariance S of the codes over the training
    rows. `criterion` names others.
    Rows that take no part in the training calibrate the threshold: see `p_values`.

    Columns of a table are scaled inside (`columns.Columns`); values may be missing (NaN), though not all of a row;
    constant columns are welcome. Images, (n, height, width, channels), are seen as they are: in [0, 1], or real
    numbers, some of them negative.

    Args:
        model: a name of the zoo; or a trained model, for which `fit` calibrates only, and which sees x as it is. Not a
            conditional model.
        criterion: `"reconstruction"`, the first term; `"code"`, the second, a Mahalanobis distance; `"combined"`, both;
            of variational models `"elbo"`, or `"likelihood"`, the importance-weighted bound on log p(x) with 100
            samples. In nats.
        contamination: share of normal examples that `predict` may call anomalies, in (0, 0.5]. m rows that calibrate
            allow 1 / (m + 1) at least: with a warning `predict` then takes that. `"auto"`: 0.1, or what m rows allow.
        latent_dim: dimensions of the code; None for half of the values of an example, 32 at most.
        hidden: units of the dense networks' hidden layers; None for (), linear, on tables, (256,) on images.
        noise: standard deviations of the Gaussian noise that corrupts scaled columns or pixels, for each a denoising
            autoencoder; of other models there is one.
        trim: share of the rows that the second half of the training leaves out, in [0, 0.5].
        calibration: share of the rows that calibrates, in (0, 1).
        epochs: passes over the rows; None for about 1,500 steps.
        batch_size: rows per step.
        learning_rate: of Adam.
        options: further arguments of the model's class, such as `{"beta": 4.0}`.
        random_state: integer that fixes weights, noise and order; None for a new one in each fit.

    Attributes:
        models_: the trained models.
        calibration_scores_: scores of the rows that calibrate, in ascending order.
        level_: the share that `predict` takes, `contamination` unless the rows that calibrate are too few.
        offset_: threshold: `decision_function(x) = score_samples(x) - offset_`; negative for anomalies.
        n_features_in_, feature_names_in_: number and names of the columns.

    Raises:
        InputError: an argument or x does not fit; in `fit`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> detector = AnomalyDetector(epochs=5, random_state=0).fit(x)
        >>> detector.predict([[0.0, 0.0, 0.0], [9.0, -9.0, 9.0]])
        array([ 1, -1])
    """

    def __init__(
        self,
        model: str | Autoencoder = "denoising_ae",
        criterion: str = "combined",
        contamination: Literal["auto"] | Annotated[float, "(0, 0.5]"] = 0.1,
        *,
        latent_dim: Count | None = None,
        hidden: Sequence[Count] | None = None,
        noise: Sequence[NotNegative] = (0.2, 2.0, 4.0),
        trim: Annotated[float, "[0, 0.5]"] = 0.1,
        calibration: Annotated[float, "(0, 1)"] = 0.2,
        epochs: Count | None = None,
        batch_size: Count = 32,
        learning_rate: Positive = 3e-3,
        options: dict[str, Any] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.model = model
        self.criterion = criterion
        self.contamination = contamination
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.noise = noise
        self.trim = trim
        self.calibration = calibration
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.options = options
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "AnomalyDetector":
        """Trains on X, (n, columns) or (n, *event), mostly normal examples, and calibrates; y is ignored."""
        self._check_arguments()
        x = self._validated(X, reset=True)
        random = check_random_state(self.random_state)
        self.seed_ = int(random.randint(2**31 - 1000))
        order = random.permutation(len(x))
        held_out = self._held_out(len(x))
        calibrating, training = x[order[:held_out]], x[order[held_out:]]
        trained = self.model if isinstance(self.model, Autoencoder) else None
        self.columns_ = None if trained is not None or x.ndim > 2 else Columns().fit(training)
        rows, observed = self._seen(training)
        if trained is not None:
            self.normality_ = [anomaly_scores.Normality(trained, self.criterion, rows, observed)]
        else:
            self.normality_ = [self._train(model, rows, observed) for model in self._models(rows)]
        self.models_ = [normality.model for normality in self.normality_]
        return self._calibrate(calibrating, "Fit", self._rows_for)

    def calibrate(self, X: Any) -> "AnomalyDetector":
        """Calibrates anew, on normal examples that took no part in the training; the models stay as they are."""
        check_is_fitted(self)
        return self._calibrate(self._validated(X), "Calibrate", int)

    def score_samples(self, X: Any) -> np.ndarray:
        """How normal each example is: (n,), higher for more normal."""
        check_is_fitted(self)
        return self._scores(self._validated(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples(X) - offset_`: (n,), negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for normal examples, -1 for anomalies, those with `p_values(X) <= level_`: (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> np.ndarray:
        """Conformal p-values, small for anomalies: (n,); see `conformal.p_values`.

        Of normal examples, at most a share of a has p <= a, on average over the rows that calibrate.
        """
        return conformal.p_values(self.calibration_scores_, self.score_samples(X))

    def score_map(self, X: Any) -> np.ndarray:
        """Where in each example the anomaly is: e_j^2 / (2 s_j^2) of every value, of the shape of X.

        The values of an example add up to minus its score of `"reconstruction"`.
        """
        check_is_fitted(self)
        if self.criterion not in ("reconstruction", "combined"):
            raise errors.InputError(f"criterion={self.criterion!r} has no parts. Use 'reconstruction' or 'combined'.")
        x, observed = self._seen(self._validated(X))
        return np.mean([normality.contributions(x, observed) for normality in self.normality_], axis=0)

    def _check_arguments(self) -> None:
        checks.attributes(self)
        if not len(self.noise):
            raise errors.wrong("noise", "standard deviations, at least one", self.noise)
        from keras_ae.zoo import registry

        kind = registry.model_class(self.model) if isinstance(self.model, str) else type(self.model)
        anomaly_scores.check(self.criterion, kind)
        if isinstance(self.model, str) and kind.autoregressive:
            raise errors.InputError(f"{self.model} is for sequences: train one yourself, and pass it as the model.")

    def _validated(self, X: Any, reset: bool = False) -> np.ndarray:
        """X as numbers, checked."""
        finite = {"ensure_all_finite": False, "allow_nd": True, "ensure_min_samples": 2 if reset else 1}
        x = validated(self, X, reset=reset, **finite)
        if np.isinf(x).any():
            first = tuple(map(int, np.argwhere(np.isinf(x))[0]))
            raise errors.InputError(
                f"X has infinite values, the first at index {first} ({x[first]}). Replace or drop them."
            )
        may_miss = self.model.accepts_missing if isinstance(self.model, Autoencoder) else x.ndim == 2
        if np.isnan(x).any() and not may_miss:
            raise errors.InputError(
                "X has missing values (NaN), which only tables may have, and models that accept them, such as a "
                "denoising autoencoder or those of sequences."
            )
        empty = np.isnan(x).reshape(len(x), -1).all(axis=1)
        if empty.any():
            raise errors.InputError(
                f"X[{int(empty.argmax())}] has no value, all are missing (NaN), and so {int(empty.sum())} of the "
                f"{len(x)} rows: nothing says whether they are normal. Drop them."
            )
        if reset:
            self.shape_ = self.model.event_shape if isinstance(self.model, Autoencoder) else tuple(x.shape[1:])
        if x.shape[1:] != self.shape_:
            wanted = ", ".join(map(str, self.shape_))
            raise errors.InputError(f"X must have the shape (n, {wanted}). Received: {x.shape}.")
        return x

    def _seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Examples as the models see them, and which of their values were observed."""
        return (x.astype("float32") if self.columns_ is None else self.columns_.transform(x)), ~np.isnan(x)

    def _train(self, model: Autoencoder, x: np.ndarray, observed: np.ndarray) -> anomaly_scores.Normality:
        """Trains a model on rows, then without the worst of them."""
        passes = math.ceil(STEPS * self.batch_size / len(x)) if self.epochs is None else self.epochs
        model.compile(Adam(self.learning_rate), steps_per_execution=STEPS_PER_EXECUTION)
        for share in (0.0, self.trim):
            if share:
                scores = anomaly_scores.Normality(model, self.criterion, x, observed)(x, observed, self.seed_)
                best = np.sort(np.argsort(-scores, kind="stable")[: max(math.ceil(len(x) * (1 - share)), 1)])
                x, observed = x[best], observed[best]
            with backend.silent_retracing():  # an epoch shows a small table several times: each has a cost of its own
                repeats = min(-(-passes // 2), max(ROWS // len(x), 1))
                batches = Batches((x,), self.batch_size, shuffle=True, seed=model.seed, repeats=repeats)
                model.fit(batches, epochs=-(-passes // (2 * repeats)), verbose=0)
        return anomaly_scores.Normality(model, self.criterion, x, observed)

    def _models(self, x: np.ndarray) -> list[Autoencoder]:
        """The models to train on such examples."""
        from keras_ae.zoo import registry

        name, table, values = str(self.model), x.ndim == 2, math.prod(x.shape[1:])
        latent_dim = min(-(-values // 2), 32) if self.latent_dim is None else self.latent_dim
        hidden = (() if table else (256,)) if self.hidden is None else tuple(self.hidden)
        low, high = np.min(x), np.max(x)
        of_name: dict[str, Any] = {
            "network_options": {"hidden": hidden},
            "likelihood": "normal" if table or low < 0 else "bernoulli",
        }
        options = ({} if name == "linear_ae" else of_name) | (self.options or {})
        if options.get("likelihood") == "bernoulli" and high > 1:
            raise errors.InputError(
                f"X has values from {low:g} to {high:g}. Scale images to [0, 1], such as X / 255, or to real numbers, "
                "some of them negative; or pass options={'likelihood': 'normal'}."
            )
        members: list[dict[str, Any]] = [{}]
        if registry.model_class(name) is DenoisingAE and "corruption" not in options:
            layers = [NormalNoise(float(noise), seed=self.seed_ + i) for i, noise in enumerate(self.noise)]
            members = [{"corruption": layer} for layer in layers]
        return [
            registry.create(name, x.shape[1:], latent_dim, seed=self.seed_ + i, **options, **member)
            for i, member in enumerate(members)
        ]

    def _held_out(self, n: int) -> int:
        """How many of n rows calibrate."""
        return min(max(math.ceil(self.calibration * n), 1), n - 1)

    def _rows_for(self, calibrating: int) -> int:
        """How many rows `fit` needs so that as many of them calibrate."""
        n = max(calibrating + 1, math.floor((calibrating - 1) / self.calibration))
        return n if self._held_out(n) >= calibrating else n + 1

    def _calibrate(self, x: np.ndarray, action: str, rows: Callable[[int], int]) -> "AnomalyDetector":
        """Finds the threshold; where there are too few rows, warns that `action` takes rows(how many calibrate)."""
        scores = np.sort(self._scores(x))
        if not np.isfinite(scores).all():
            raise errors.InputError("The score of a row that calibrates is infinite: its values are too large.")
        wanted, least = AUTO if self.contamination == "auto" else float(self.contamination), 1 / (len(scores) + 1)
        if wanted < least and self.contamination != "auto":
            warnings.warn(
                f"contamination={self.contamination} is too small for {len(scores)} rows that calibrate: what is less "
                f"normal than all of them is called an anomaly, up to {least:.0%} of normal examples. {action} on at "
                f"least {rows(math.ceil(1 / wanted - 1e-9) - 1)} rows, or raise contamination.",
                UserWarning,
                stacklevel=3,
            )
        self.calibration_scores_, self.level_ = scores, max(wanted, least)
        self.offset_ = conformal.threshold(scores, self.level_)
        return self

    def _scores(self, x: np.ndarray) -> np.ndarray:
        seen = self._seen(x)
        return np.mean([normality(*seen, self.seed_) for normality in self.normality_], axis=0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = self.random_state is None
        return tags
