"""`AnomalyDetector` with the conventions of PyOD; importing this file imports PyOD."""

import inspect
from typing import Annotated, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from keras_ae import checks, errors
from keras_ae.tasks.anomaly import AnomalyDetector
from keras_ae.tasks.columns import RandomState

try:
    from pyod.models.base import BaseDetector
except ImportError as error:
    raise errors.InputError("PyODDetector needs PyOD, an optional package: pip install 'keras-ae[pyod]'.") from error


class PyODDetector(BaseDetector):
    """`AnomalyDetector` as a detector of PyOD (Zhao et al., 2019, JMLR 20(96)): higher scores are more anomalous.

    Args:
        contamination: share of anomalies in the training rows, in (0, 0.5].
        options: arguments of `AnomalyDetector`, such as `{"model": "vae", "criterion": "elbo"}`.
        random_state: integer that fixes weights, noise and order; None for a new one in each fit.

    Attributes:
        decision_scores_: scores of the training rows.
        threshold_: the score above which a share of `contamination` of the training rows lies.
        labels_: 1 for training rows above it, else 0.
        detector_: the `AnomalyDetector`, with its `p_values` and `score_map`, and a threshold of its own.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> found = PyODDetector(options={"epochs": 5}, random_state=0).fit(x)
        >>> int(found.labels_.sum()), found.predict([[9.0, -9.0, 9.0]])
        (10, array([1]))
    """

    def __init__(
        self,
        contamination: Annotated[float, "(0, 0.5]"] = 0.1,
        options: dict[str, Any] | None = None,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(contamination=contamination)
        self.options = options
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "PyODDetector":
        """Trains on X, (n, columns); y is ignored."""
        checks.attributes(self)
        for name in set(self.options or {}) - set(inspect.signature(AnomalyDetector).parameters):
            raise errors.unknown("key of options", name, inspect.signature(AnomalyDetector).parameters)
        self._set_n_classes(None)
        options = {"contamination": "auto", "random_state": self.random_state, **(self.options or {})}
        self.detector_ = AnomalyDetector(**options).fit(X)
        self.decision_scores_ = -self.detector_.score_samples(X)
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """How anomalous each row is: (n,), higher for more anomalous."""
        check_is_fitted(self, "detector_")
        return -self.detector_.score_samples(X)
