"""Sample quality against closed forms, brute force and what equal distributions must give."""

import keras
import numpy as np
import pytest
from scipy import linalg, stats

import keras_ae
from keras_ae.evaluation import quality
from keras_ae.evaluation.quality import digit_features, frechet_distance, sample_quality
from keras_ae.models import files


def identity(x):
    return x


def by_hand(real, generated, k):
    """The definitions, one pair of examples at a time."""

    def radius(i, x):
        return sorted(np.linalg.norm(x[i] - x[j]) for j in range(len(x)) if j != i)[k - 1]

    def inside(a, i, x):
        return np.linalg.norm(a - x[i]) <= radius(i, x)

    balls = [sum(inside(g, i, real) for i in range(len(real))) for g in generated]
    return {
        "precision": np.mean([count > 0 for count in balls]),
        "recall": np.mean([any(inside(r, j, generated) for j in range(len(generated))) for r in real]),
        "density": np.sum(balls) / k / len(generated),
        "coverage": np.mean([any(inside(g, i, real) for g in generated) for i in range(len(real))]),
    }


@pytest.mark.parametrize("neighbours", [1, 3])
def test_brute_force_agrees(rng, monkeypatch, neighbours):
    monkeypatch.setattr(quality, "ROWS", 7)
    real, generated = rng.normal(size=(30, 4)), rng.normal(loc=0.7, size=(30, 4))
    found = sample_quality(real, generated, identity, neighbours)
    expected = by_hand(real, generated, neighbours)
    assert len(set(expected.values())) >= 3
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected)
    moments = [real.mean(0), np.cov(real.T), generated.mean(0), np.cov(generated.T)]
    assert found.frechet_distance == pytest.approx(frechet_distance(*moments))


def test_identical_sets_are_perfect(rng):
    x = np.concatenate([rng.normal(size=(50, 3)), np.zeros((10, 3))])  # some of them equal
    found = sample_quality(x, x[::-1], identity, 3)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.frechet_distance == pytest.approx(0, abs=1e-12)


def test_disjoint_sets_have_nothing_in_common(rng):
    x = rng.normal(size=(60, 3))
    found = sample_quality(x, rng.normal(size=(60, 3)) + 1000, identity)
    assert found[:4] == (0, 0, 0, 0)


def test_expectations_for_equal_distributions(rng):
    """Density: 1. Coverage: 1 - prod_i (n - i) / (2n - i), i = 1..k (Naeem et al., 2020): the chance that of the k
    examples nearest to a real one, among n - 1 real and n generated ones, not all are real."""
    n, k = 100, 5
    runs = [sample_quality(*rng.normal(size=(2, n, 8)), identity, k) for _ in range(100)]
    i = np.arange(1, k + 1)
    for name, expected in (("density", 1), ("coverage", 1 - np.prod((n - i) / (2 * n - i)))):
        values = [getattr(run, name) for run in runs]
        assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / 10)
        assert np.std(values) < 0.2


def test_frechet_distance_of_known_normals(rng):
    """Commuting covariances: |m - m'|^2 + sum (s - s')^2. Others: the square root of a matrix by SciPy."""
    deviations, others = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.0, 0.0])
    rotation = stats.ortho_group.rvs(3, random_state=0)
    covariance, other = (rotation * values**2 @ rotation.T for values in (deviations, others))
    mean = np.array([1.0, 2.0, 2.0])
    assert frechet_distance(mean, covariance, np.zeros(3), other) == pytest.approx(9 + 4 + 4)
    assert frechet_distance(mean, covariance, mean, covariance) == pytest.approx(0, abs=1e-12)
    a, b = (x @ x.T for x in rng.normal(size=(2, 4, 6)))
    expected = np.trace(a + b - 2 * linalg.sqrtm(a @ b)).real
    assert frechet_distance(np.zeros(4), a, np.zeros(4), b) == pytest.approx(expected)


def test_frechet_distance_of_samples(rng):
    """Of many samples, that of their distributions; fewer examples than features are no obstacle."""
    real, generated = rng.normal(size=(2, 20000, 2)) * [[[1.0, 1.0]], [[1.0, 3.0]]]
    few = slice(3000)
    found = sample_quality(real[few], generated[few] + [2, 0], identity)
    assert found.frechet_distance == pytest.approx(4 + 4, rel=0.1)
    assert np.isfinite(sample_quality(*rng.normal(size=(2, 10, 50)), identity).frechet_distance)


def test_the_larger_set_is_drawn_from(rng):
    real, generated = rng.normal(size=(200, 2)), rng.normal(size=(40, 2))
    first, again, other = (sample_quality(real, generated, identity, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.examples == 40


def test_features_of_a_keras_model_are_its_last_output(rng):
    x = keras.Input((4, 2))
    model = keras.Model(x, [keras.layers.Flatten()(x) * 0, x], name="pixels")
    real, generated = rng.normal(size=(2, 30, 4, 2)).astype("float32")
    found = sample_quality(real, generated, model)
    assert found.feature_space == "pixels"
    assert found[:5] == pytest.approx(sample_quality(real, generated, identity)[:5])


def test_it_says_that_it_is_not_the_fid(rng):
    text = repr(sample_quality(*rng.normal(size=(2, 20, 2)), identity))
    assert "in feature space 'identity' (not the Inception FID)" in text


@pytest.mark.parametrize(
    "change, message",
    [
        ({"neighbours": 0}, "neighbours must be"),
        ({"neighbours": 20}, "neighbours=20 needs at least 21 real and generated examples. Received: 20 and 20"),
        ({"generated": np.zeros((20, 3))}, r"same shape. Received: \(20, 2\) and \(20, 3\)"),
        ({"generated": np.full((20, 2), np.nan)}, "features of generated has 40 values"),
        ({"features": lambda x: x[:5]}, r"one row an example, 20 for real. Received: an array of shape \(5, 2\)"),
        ({"features": "inception"}, "features must be .*a function or None.*'inception'"),
    ],
)
def test_bad_arguments(change, message):
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(keras_ae.InputError, match=message):
        sample_quality(**{"real": x, "generated": x, "features": identity, **change})


@pytest.fixture
def small_home(tmp_path, monkeypatch):
    """A folder with a feature space of its own: the means of the columns."""
    x = keras.Input((28, 28, 1))
    model = keras.Model(x, keras.layers.AveragePooling2D((28, 1))(x), name="columns")
    (tmp_path / "mnist_features").mkdir()
    model.save(tmp_path / "mnist_features" / "model.keras")
    monkeypatch.setenv("KERAS_AE_HOME", str(tmp_path))


def test_the_default_features_are_found_in_the_home(small_home, rng):
    assert digit_features().name == "columns"
    real, generated = rng.uniform(size=(2, 20, 28, 28, 1)).astype("float32")
    found = sample_quality(real, generated)
    assert found.feature_space == "columns"
    assert found[:5] == pytest.approx(sample_quality(real, generated, lambda x: x.mean(axis=1))[:5], rel=1e-3)


@pytest.mark.parametrize("bad", [np.zeros((9, 8, 8, 1)), np.full((9, 28, 28, 1), 255), np.full((9, 28, 28, 1), np.nan)])
def test_the_default_features_are_for_digits(small_home, bad):
    with pytest.raises(keras_ae.InputError, match=r"28x28x1 in \[0, 1\]. Received: shape .*features="):
        sample_quality(bad, bad)


def test_without_default_features_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(files, "REPOSITORY", tmp_path / "repository")
    with pytest.raises(keras_ae.InputError, match=r"home.*repository.*do not exist.*features\.py.*features=") as caught:
        digit_features()
    assert "KERAS_AE_HOME" in str(caught.value)


@pytest.mark.skipif(not (files.REPOSITORY / quality.DIGIT_FEATURES).is_file(), reason="no saved models here")
def test_the_saved_features_are_of_digits(monkeypatch, rng):
    monkeypatch.delenv("KERAS_AE_HOME", raising=False)
    model = digit_features()
    assert model.name == "mnist_features" and model.output_shape == (None, 64)
    assert not getattr(model, "optimizer", None)
    assert np.isfinite(model.predict(rng.uniform(size=(3, 28, 28, 1)), verbose=0)).all()
