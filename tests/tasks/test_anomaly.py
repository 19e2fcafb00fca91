"""Anomalies are found, and normal examples called anomalies no more often than was asked for."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

import keras_ae
from keras_ae.errors import InputError
from keras_ae.tasks import conformal
from keras_ae.tasks.anomaly import AnomalyDetector
from keras_ae.tasks.anomaly_scores import Normality
from keras_ae.tasks.columns import Columns
from tests.tasks.estimators import passed_checks

SMALL = {"epochs": 60, "random_state": 0}


def line(rng, n):
    """Rows near a line in three dimensions, and a constant column."""
    position = rng.normal(size=(n, 1))
    return np.c_[position, 2 * position, -position, np.zeros(n)] + 0.1 * rng.normal(size=(n, 4)) * [1, 1, 1, 0]


@pytest.fixture(scope="module")
def fitted():
    return AnomalyDetector(**SMALL).fit(line(np.random.default_rng(0), 300))


@pytest.fixture(scope="module")
def vae():
    """An untrained model of four values."""
    return keras_ae.create("vae", (4,), 2, likelihood="normal", seed=0, network_options={"hidden": (8,)})


def test_it_finds_what_is_off_the_line(fitted, rng):
    normal, off = line(rng, 200), line(rng, 200)
    off[:, 1] *= -1
    scores = fitted.score_samples(np.r_[normal, off])
    assert roc_auc_score(np.repeat([1, 0], 200), scores) > 0.9
    assert fitted.predict([[0, 0, 0, 0], [2, -4, 2, 0]]).tolist() == [1, -1]


def test_anomalies_among_the_training_rows_are_left_out(rng):
    def off(n):
        return [2, -4, 2, 0] + 0.1 * rng.normal(size=(n, 4)) * [1, 1, 1, 0]

    rows, normal, others = np.r_[line(rng, 270), off(30)], line(rng, 200), off(200)
    detectors = [AnomalyDetector(trim=trim, **SMALL).fit(rows) for trim in (0.0, 0.1)]
    margins = [d.score_samples(normal).mean() - d.score_samples(others).mean() for d in detectors]
    assert margins[1] > 3 * margins[0] > 0


def test_the_conventions_of_scikit_learn(fitted, rng):
    x = line(rng, 50)
    np.testing.assert_allclose(fitted.decision_function(x), fitted.score_samples(x) - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(x), np.where(fitted.decision_function(x) < 0, -1, 1))
    np.testing.assert_array_equal(fitted.predict(x) == -1, fitted.p_values(x) <= fitted.contamination)
    assert clone(fitted).get_params() == fitted.get_params()


def test_it_is_a_scikit_learn_estimator():
    reason = "the threshold is that of held-out rows: the share of alarms among the others is near, not equal"
    detector = AnomalyDetector(noise=(1.0,), trim=0, epochs=1, random_state=0)
    assert passed_checks(detector, check_outliers_train=reason, check_outliers_fit_predict=reason) > 40


def test_p_values_are_ranks():
    calibration, scores = [3.0, 1.0, 2.0], [0.0, 1.0, 1.5, 9.0]
    counted = [(1 + sum(c <= s for c in calibration)) / 4 for s in scores]
    np.testing.assert_allclose(conformal.p_values(calibration, scores), counted)


@pytest.mark.parametrize("m", [1, 9, 10, 99])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.1, 0.3, 0.5])
def test_the_threshold_says_what_the_p_values_say(m, level, rng):
    calibration, scores = rng.normal(size=m), rng.normal(size=500)
    below = scores < conformal.threshold(calibration, level)
    np.testing.assert_array_equal(below, conformal.p_values(calibration, scores) <= level)


@pytest.mark.parametrize("level", [0.05, 0.1, 0.25, 0.5])
def test_false_alarms_over_redrawn_calibration_sets(fitted, level, rng):
    # One new example for each set, so that alarms are independent: a binomial number of them.
    sets, m = 2000, 39
    scores = fitted.score_samples(line(rng, sets * (m + 1))).reshape(sets, m + 1)
    alarms = sum(conformal.p_values(row[1:], row[:1])[0] <= level for row in scores)
    low, high = binom.interval(0.999, sets, np.floor(level * (m + 1)) / (m + 1))
    assert low <= alarms <= high


def test_calibrating_anew(fitted, rng):
    detector = clone(fitted)
    detector.__dict__.update(fitted.__dict__)
    detector.calibrate(line(rng, 400))
    assert len(detector.calibration_scores_) == 400 and detector.models_ is fitted.models_
    assert (detector.predict(line(rng, 2000)) == -1).mean() == pytest.approx(0.1, abs=0.05)


def test_columns_are_on_one_scale(rng):
    x = rng.normal(5, 3, size=(20_000, 1))
    u = Columns().fit(x).transform(x)
    np.testing.assert_allclose(np.sinh(u.astype("float64")).std(), 1, atol=0.05)
    assert Columns().fit(np.c_[np.arange(9.0), np.ones(9)]).transform(np.array([[1e300, 2.0]]))[0, 1] == pytest.approx(
        np.arcsinh(1)
    )
    np.testing.assert_array_equal(Columns().fit(np.full((3, 1), np.nan)).transform(np.full((1, 1), np.nan)), [[0]])


def test_missing_values_do_not_count(fitted):
    """They count as those of normal rows do on average; a row without any is refused."""
    row = np.array([[0.0, 0.0, 0.0, np.nan], [np.nan, 0.0, np.nan, 0.0]])
    normal = np.mean([each.mean_contribution for each in fitted.normality_], axis=0)
    np.testing.assert_allclose(normal[:3], 0.5, atol=0.01)
    np.testing.assert_allclose(fitted.score_map(row)[[0, 1, 1], [3, 0, 2]], normal[[3, 0, 2]])
    known = line(np.random.default_rng(0), 300)
    assert fitted.score_samples([[np.nan, np.nan, np.nan, 0.0]]) < fitted.score_samples(known).max()
    for method in (fitted.predict, fitted.p_values, fitted.score_map, fitted.calibrate, AnomalyDetector().fit):
        with pytest.raises(InputError, match=r"X\[1\] has no value, all are missing \(NaN\), and so 2 of the 4 rows"):
            method([[0.0] * 4, [np.nan] * 4, [np.nan] * 4, [0.0] * 4])


def test_the_map_adds_up_to_the_score_and_points_at_the_column(fitted, rng):
    x = line(rng, 20)
    u = fitted.columns_.transform(x)
    distance = np.mean([each.codes.mahalanobis(each.flat_codes(u)) for each in fitted.normality_], axis=0)
    np.testing.assert_allclose(fitted.score_map(x).sum(axis=1) + 0.5 * distance, -fitted.score_samples(x))
    x[:, 3] = 1.0  # a column that was constant
    assert (fitted.score_map(x).argmax(axis=1) == 3).all()


def test_scores_are_those_of_their_formulas(vae, rng):
    x, observed = rng.normal(size=(50, 4)).astype("float32"), np.ones((50, 4), bool)
    error, codes = np.square(x - vae.reconstruct(x)), vae.encode(x).astype("float64")
    scores = {
        name: Normality(vae, name, x, observed)(x, observed, 0) for name in ("reconstruction", "code", "combined")
    }
    np.testing.assert_allclose(scores["reconstruction"], -0.5 * (error / error.mean(axis=0)).sum(axis=1), rtol=1e-4)
    centred = codes - codes.mean(axis=0)
    shrunk = Normality(vae, "code", x, observed).codes.covariance_
    distance = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(shrunk), centred)
    np.testing.assert_allclose(scores["code"], -0.5 * distance, rtol=1e-4)
    np.testing.assert_allclose(scores["combined"], scores["reconstruction"] + scores["code"], rtol=1e-6)


def test_bounds_of_a_trained_model_that_fit_only_calibrates(vae, rng):
    x = rng.normal(size=(60, 4))
    before = vae.get_weights()
    bounds = [
        AnomalyDetector(vae, score, random_state=0).fit(x).score_samples(x[:20]) for score in ("elbo", "likelihood")
    ]
    assert all(np.array_equal(a, b) for a, b in zip(before, vae.get_weights(), strict=True))
    expected = keras_ae.evaluation.elbo(vae, x[:20].astype("float32"), seed=0)
    np.testing.assert_allclose(bounds[0].mean(), -(expected.distortion + expected.rate).mean(), rtol=0.05)
    assert bounds[0].mean() < bounds[1].mean()  # Burda et al., 2016, theorem 1


def test_images_have_maps_of_their_shape(rng):
    model = keras_ae.create("ae", (8, 8, 1), 3, seed=0, network_options={"hidden": (8,)})
    detector = AnomalyDetector(model, random_state=0).fit(rng.random((41, 8, 8, 1)))
    x = np.full((2, 8, 8, 1), 0.5)
    x[1, 2, 5] = 1.0
    assert detector.score_map(x).shape == x.shape
    assert np.unravel_index(detector.score_map(x)[1].argmax(), (8, 8, 1)) == (2, 5, 0)


def test_residuals_have_a_scale_for_each_column_and_one_for_all_pixels(rng):
    x = rng.random((40, 6, 6, 2)) * [0.1, 1.0]
    for shape, axes in (((72,), (0,)), ((6, 6, 2), (0, 1, 2))):
        rows = x.reshape(40, *shape)
        model = keras_ae.create("ae", shape, 3, seed=0, network_options={"hidden": (8,)})
        squares = np.square(rows - model.reconstruct(rows))
        expected = 0.5 * squares / np.broadcast_to(squares.mean(axis=axes), squares.shape)
        found = Normality(model, "reconstruction", rows, rows < 2).contributions(rows, rows < 2)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_images_have_an_autoencoder_for_each_noise(rng):
    detector = AnomalyDetector(epochs=1, random_state=0).fit(rng.random((41, 4, 4, 1)))
    assert [model.corruption.deviation for model in detector.models_] == [0.2, 2.0, 4.0]


def trained(rows, **options):
    """A detector whose models are not trained; where it does not matter how well they do."""
    model = keras_ae.create("ae", (3,), 2, likelihood="normal", seed=0, network_options={"hidden": ()})
    return AnomalyDetector(model, random_state=0, **options).fit(np.random.default_rng(0).normal(size=(rows, 3)))


def test_few_rows_calibrate_with_a_warning():
    far = [[1e6, -1e6, 1e6]]
    with pytest.warns(
        UserWarning, match=r"contamination=0\.1 .* 4 rows.* up to 20% .* Fit on at least 41 rows, or raise"
    ):
        detector = trained(20)
    assert detector.offset_ == detector.calibration_scores_[0] and detector.level_ == 0.2
    assert detector.predict(far) == -1 and detector.p_values(far) == 0.2
    with pytest.warns(UserWarning, match=r"contamination=0\.1 .* 8 rows.* Calibrate on at least 9 rows"):
        detector.calibrate(np.random.default_rng(0).normal(size=(8, 3)))
    detector.calibrate(np.random.default_rng(0).normal(size=(9, 3)))
    assert detector.level_ == trained(41).level_ == 0.1
    assert trained(41, contamination=np.float32(0.1)).level_ == pytest.approx(0.1)
    for rows, level in ((20, 0.2), (41, 0.1), (400, 0.1)):
        assert trained(rows, contamination="auto").level_ == pytest.approx(level)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.7, 0.99])
def test_the_number_of_rows_that_are_needed(share):
    detector = AnomalyDetector(calibration=share)
    for wanted in range(1, 60):
        n = detector._rows_for(wanted)
        assert detector._held_out(n) >= wanted and (n == wanted + 1 or detector._held_out(n - 1) < wanted)


def test_a_small_table_is_not_repeated_in_memory(monkeypatch):
    shown = []

    def fit(model, batches, epochs, verbose):
        shown.append((len(batches.arrays[0]), batches.order(0).max() + 1, epochs * len(batches)))

    monkeypatch.setattr(keras_ae.models.Autoencoder, "fit", fit)
    AnomalyDetector(noise=(0.2,), trim=0.0, random_state=0).fit(np.random.default_rng(0).normal(size=(150, 8)))
    assert [each[:2] for each in shown] == [(120, 120)] * 2
    assert 1500 <= sum(each[2] for each in shown) < 1900


@pytest.mark.parametrize("shift, likelihood", [(0.0, "Bernoulli"), (-1.0, "Normal")])
def test_images_of_real_numbers(shift, likelihood, rng):
    x = (1 - shift) * rng.random((41, 4, 4, 1)) + shift
    detector = AnomalyDetector(noise=(0.2,), trim=0, epochs=1, random_state=0).fit(x)
    assert type(detector.models_[0].likelihood).__name__ == likelihood
    with pytest.raises(InputError, match=r"X has values from 0 to .*X / 255"):
        AnomalyDetector().fit(np.arange(160.0).reshape(10, 4, 4, 1))


def test_values_that_overflow(vae, rng):
    detector = AnomalyDetector(vae, random_state=0).fit(rng.normal(size=(60, 4)))
    assert np.isneginf(detector.score_samples(np.full((1, 4), 3e38)))
    assert detector.predict(np.full((1, 4), 3e38)) == -1
    with pytest.raises(InputError, match="row that calibrates is infinite"):
        detector.calibrate(np.full((20, 4), 3e38))
    wide = Columns().fit(np.array([[0.0], [1e-300], [2e-300]]))
    assert np.isfinite(wide.transform(np.array([[1e300], [-1e300]]))).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        *(
            ({"contamination": v}, r"contamination must be 'auto' or a number in \(0, 0\.5\]")
            for v in (0, 0.51, np.nan)
        ),
        ({"contamination": "most"}, "contamination must be .*'most'"),
        ({"trim": -0.1}, "trim must be a number"),
        ({"trim": "0.1"}, "trim must be a number"),
        ({"calibration": 1}, "calibration must be a number"),
        ({"noise": ()}, "noise must be standard deviations, at least one"),
        ({"noise": 0.2}, r"noise must be a list \(each item a number of at least 0\)"),
        ({"noise": (0.1, -1.0)}, r"noise\[1\] must be a number of at least 0\..*-1\.0"),
        ({"epochs": 0}, "epochs must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"latent_dim": 0}, "latent_dim must be"),
        ({"learning_rate": -1}, "learning_rate must be"),
        ({"hidden": 64}, r"hidden must be a list \(each item a whole number of at least 1\).*64"),
        ({"hidden": (0,)}, r"hidden\[0\] must be"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InputError, match=message):
        AnomalyDetector(**arguments).fit(np.zeros((9, 2)))


def test_scores_without_a_rank():
    for calibration, scores, name in (([np.nan, 1.0], [0.0], "calibration"), ([0.0, 1.0], [np.nan], "scores")):
        with pytest.raises(InputError, match=f"{name} must not hold NaN"):
            conformal.p_values(calibration, scores)


def test_columns_of_text_are_named():
    with pytest.raises(InputError, match=r"no numbers: 1 .Ulm."):
        AnomalyDetector().fit([[1, "Ulm"], [2, "Bonn"]])
    with pytest.raises(InputError, match=r"no numbers: 'town' "):
        AnomalyDetector().fit(pd.DataFrame({"age": [1, 2], "town": ["Ulm", "Bonn"]}))


def test_errors_say_what_to_do(fitted):
    with pytest.raises(NotFittedError):
        AnomalyDetector().score_samples(np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"infinite values, the first at index \(1, 0\)"):
        AnomalyDetector().fit([[1.0], [np.inf]])
    with pytest.raises(InputError, match="AE has no likelihood of x"):
        AnomalyDetector("ae", "elbo").fit(np.zeros((9, 2)))
    with pytest.raises(InputError, match="Did you mean 'combined'"):
        AnomalyDetector(criterion="combine").fit(np.zeros((9, 2)))
    with pytest.raises(InputError, match="needs a condition"):
        AnomalyDetector("conditional_vae").fit(np.zeros((9, 2)))
    with pytest.raises(ValueError, match="expecting 4 features"):
        fitted.predict(np.zeros((2, 3)))


def test_the_guide_runs():
    page = (Path(__file__).parents[2] / "docs" / "anomalies.md").read_text()
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code.replace("epochs=20", "epochs=1").replace("0.1, random", "0.1, epochs=20, random"), names)
    alarms = (names["p"] <= 0.1).reshape(-1)
    n = len(names["test"])
    assert alarms[:n].mean() < 0.25 and alarms[n:].mean() > 0.6
    assert names["where"].shape == names["malignant"].shape and names["pixels"].shape == (4, 8, 8, 1)
