"""Probes on codes of which it is known what they hold."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

import keras_ae
from keras_ae.evaluation.probes import _drawn, _r2, probe, probe_codes


def normals(n, seed, distance=2.0, classes=2, size=3):
    """Classes that are unit normals, `distance` apart along the first axis."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    x = rng.normal(size=(n, size))
    x[:, 0] += distance * y
    return x, y


def factors(n, seed, noise=0.5):
    """Two factors, of which one is linear in the codes up to noise and the other is independent of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, np.stack([x @ [1.0, 2.0, 2.0] + 3 * noise * rng.normal(size=n), rng.normal(size=n)], axis=1)


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_accuracy_is_that_of_bayes(kind):
    """Two unit normals at distance d: Phi(d / 2); neighbours come close."""
    (result,) = probe_codes(*normals(2000, 0), *normals(5000, 1), labels=[None], kind=kind)
    bayes = stats.norm.cdf(1)
    assert result.score == pytest.approx(bayes, abs=4 * result.standard_error + (kind == "knn") * 0.02)
    assert result.standard_error == pytest.approx(np.sqrt(bayes * (1 - bayes) / 5000), rel=0.1)
    assert result.labels == 2000


def test_codes_that_know_nothing_give_chance():
    (result,) = probe_codes(*normals(1000, 0, 0.0), *normals(2000, 1, 0.0), labels=[None])
    assert result.score == pytest.approx(0.5, abs=4 * result.standard_error)


def test_neighbours_see_what_a_line_does_not(rng):
    def ring(n):
        y = rng.integers(2, size=n)
        angle = rng.uniform(0, 2 * np.pi, size=n)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + y)[:, None], y

    train, test = ring(500), ring(500)
    scores = {kind: probe_codes(*train, *test, labels=[None], kind=kind)[0].score for kind in ("linear", "knn")}
    assert scores["knn"] > 0.99
    assert scores["linear"] < 0.7


def test_the_unit_of_a_code_does_not_matter():
    train, test, units = normals(300, 0), normals(300, 1), [1.0, 1e4, 1e-4]
    for kind in ("linear", "knn"):
        plain = probe_codes(*train, *test, labels=[100], kind=kind)
        assert plain == probe_codes(train[0] * units, train[1], test[0] * units, test[1], labels=[100], kind=kind)


def test_more_labels_are_better():
    train, test = normals(3000, 0, size=50), normals(3000, 1, size=50)
    few, many = probe_codes(*train, *test, labels=[20, 3000 // 4])
    assert few.score + 0.05 < many.score


def test_labels_are_drawn_in_equal_numbers_and_nested():
    y = np.repeat([0, 1, 2], [600, 300, 20])
    few, many = (_drawn(y, count, True, np.random.default_rng(3)) for count in (10, 60))
    assert np.bincount(y[few]).tolist() == [4, 3, 3]
    assert np.bincount(y[many]).tolist() == [20, 20, 20]
    assert set(few) < set(many) and len(set(many)) == 60
    assert set(_drawn(y, None, True, np.random.default_rng(3))) == set(range(920))


def test_the_seed_fixes_the_drawing():
    train, test = normals(500, 0, size=20), normals(500, 1, size=20)
    first, again, other = (probe_codes(*train, *test, labels=[10], seed=seed)[0].score for seed in (1, 1, 2))
    assert first == again != other


def test_regularisation_is_chosen_from_the_labels():
    """Much of it for codes that are noise, little for codes that are not."""
    noise = probe_codes(*normals(60, 0, 0.5, size=100), *normals(60, 1, 0.5, size=100), labels=[None])
    clean = probe_codes(*normals(2000, 0, 6.0), *normals(60, 1, 6.0), labels=[None])
    assert noise[0].chosen["C"] < clean[0].chosen["C"]


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_r2_of_factors(kind):
    """Var(signal) / Var(factor) = 9 / (9 + 9 noise^2); of the independent factor 0."""
    train, test = factors(3000, 0), factors(3000, 1)
    (result,) = probe_codes(*train, *test, labels=[None], kind=kind)
    assert result.score == pytest.approx([0.8, 0.0], abs=0.03 if kind == "linear" else 0.1)
    if kind == "linear":
        assert result.score == pytest.approx(
            [LinearRegression().fit(train[0], train[1][:, i]).score(test[0], test[1][:, i]) for i in (0, 1)], abs=0.002
        )
    (single,) = probe_codes(train[0], train[1][:, 0], test[0], test[1][:, 0], labels=[None], kind=kind)
    assert np.shape(single.score) == np.shape(single.standard_error) == ()
    assert float(single.score) == pytest.approx(0.8, abs=0.03 if kind == "linear" else 0.1)


def test_the_standard_error_of_r2_is_honest(rng):
    """Of fixed predictions, over many test sets."""
    predicted = rng.normal(size=(500, 200, 2)) * [1.0, 2.0]
    runs = [_r2(p + rng.normal(size=p.shape), p) for p in predicted]
    scores, reported = (np.array(values) for values in zip(*runs, strict=True))
    assert scores.mean(axis=0) == pytest.approx([1 / 2, 4 / 5], abs=0.02)
    assert reported.mean(axis=0) == pytest.approx(scores.std(axis=0), rel=0.15)


def test_few_labels_suffice_for_cross_validation():
    for kind in ("linear", "knn"):
        assert probe_codes(*normals(40, 0), *normals(40, 1), labels=[4, 5, 6], kind=kind)[0].labels == 4
        assert probe_codes(*factors(40, 0), *factors(40, 1), labels=[4, 5], kind=kind)[1].labels == 5


def test_a_model_is_probed_through_its_codes(rng):
    x, y = rng.uniform(size=(80, 2, 3)).astype("float32"), rng.integers(2, size=80)
    for name, options in (("ae", {}), ("conditional_vae", {"condition_dim": 2})):
        model = keras_ae.create(name, (2, 3), 2, seed=0, **options)
        conditions = (y[:40], y[40:]) if options else (None, None)
        found = probe(model, (x[:40], y[:40]), (x[40:], y[40:]), labels=[20], conditions=conditions)
        codes = [model.encode(part, condition=c) for part, c in zip((x[:40], x[40:]), conditions, strict=True)]
        assert found == probe_codes(codes[0], y[:40], codes[1], y[40:], labels=[20])


def test_codes_of_any_shape_are_flattened():
    train, test = normals(60, 0, size=6), normals(60, 1, size=6)
    grids = [x.reshape(60, 1, 2, 3) for x in (train[0], test[0])]
    assert probe_codes(grids[0], train[1], grids[1], test[1], [None]) == probe_codes(*train, *test, [None])


def with_value(array, value):
    array = array.astype(float)
    array[3] = value
    return array


X, Y = normals(30, 0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "liner"}, "kind of probe: 'liner'. Did you mean 'linear'"),
        ({"train_y": np.zeros(30, int), "test_y": np.zeros(30, int)}, "one class only: 0"),
        ({"labels": [1]}, "at least 2 labels of each of the 2 classes. Received: 0 of class 1"),
        ({"labels": [3]}, "at least 2 labels of each of the 2 classes. Received: 1 of class 1"),
        ({"labels": [0]}, "labels must be"),
        ({"labels": [31]}, "labels=31 is more than there are: train has 30"),
        (
            {"train_y": np.arange(30) // 25, "labels": [20]},
            "20 examples .count. are 10 of each class, but class 1 has 5",
        ),
        ({"train_y": np.arange(30) // 29}, "at least 2 labels of each of the 2 classes. Received: 1 of class 1"),
        ({"test_y": Y + 1}, "test holds classes that train lacks: 2"),
        ({"train_y": Y[:20]}, r"train_codes and train_y must be as many.*\(30, 3\) and \(20,\)"),
        ({"test_codes": X[:, :2]}, r"one shape.* Received: \(30, 3\) and \(30, 2\)"),
        ({"train_codes": with_value(X, np.nan)}, "train_codes must be an array .* of finite numbers"),
        ({"train_y": with_value(Y, np.nan)}, "train_y must be an array .* of finite numbers"),
        (
            {"test_y": Y.astype(float)},
            "whole numbers .classes., or floats .factors.. Received: int64 and float64",
        ),
        ({"train_y": Y[:, None]}, r"train_y must be an array \(n,\).*shape \(30, 1\) and dtype int64"),
        ({"train_y": Y.astype(str)}, "dtype <U"),
        ({"train_y": X[:, 0], "test_y": X[:, 0], "labels": [3]}, "at least 4 labels. Received: 3"),
        ({"train_y": X[:, 0], "test_y": np.ones(30)}, "the same value in all of test"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"train_codes": X, "train_y": Y, "test_codes": X, "test_y": Y, "labels": [None], **change}
    with pytest.raises(keras_ae.InputError, match=message):
        probe_codes(**arguments)


def test_only_a_model_has_codes():
    with pytest.raises(keras_ae.InputError, match=r"must be an Autoencoder of keras_ae\. Received: model=ndarray"):
        probe(X, (X, Y), (X, Y))
