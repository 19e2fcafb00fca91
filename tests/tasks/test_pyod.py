"""The adapter does what PyOD expects of a detector."""

import numpy as np
import pytest
from sklearn.base import clone

pytest.importorskip("pyod")

from pyod.utils.data import evaluate_print, generate_data
from pyod.utils.utility import precision_n_scores
from sklearn.metrics import roc_auc_score

from keras_ae.tasks.pyod import PyODDetector


@pytest.fixture(scope="module")
def data():
    return generate_data(n_train=200, n_test=100, n_features=4, contamination=0.1, random_state=0)


@pytest.fixture(scope="module")
def fitted(data):
    return PyODDetector(options={"epochs": 60}, random_state=0).fit(data[0])


def test_its_attributes(fitted, data):
    assert fitted.decision_scores_.shape == fitted.labels_.shape == (200,)
    np.testing.assert_allclose(fitted.decision_scores_, fitted.decision_function(data[0]))
    np.testing.assert_allclose(fitted.threshold_, np.quantile(fitted.decision_scores_, 0.9))
    np.testing.assert_array_equal(fitted.labels_, fitted.decision_scores_ > fitted.threshold_)
    assert fitted.labels_.sum() == 20


def test_higher_scores_are_more_anomalous(fitted, data, capsys):
    _, x, _, y = data
    scores = fitted.decision_function(x)
    assert roc_auc_score(y, scores) > 0.95 and precision_n_scores(y, scores) > 0.7
    evaluate_print("keras_ae", y, scores)
    assert "ROC" in capsys.readouterr().out


def test_what_it_inherits(fitted, data):
    x = data[1]
    assert set(fitted.predict(x)) <= {0, 1}
    probability = fitted.predict_proba(x)
    assert probability.shape == (100, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert clone(fitted).get_params() == fitted.get_params()
