"""The choice of the code's size: the knee against geometry and the normal distribution, data of known dimension, and
interrupted calls."""

import json

import keras
import numpy as np
import pytest
from scipy import stats

import keras_ae
from keras_ae.evaluation import log_likelihood
from keras_ae.evaluation.latent_dim import _model_settings, choose_latent_dim, find_knee
from keras_ae.training import RunFolder

VALUES, FACTORS = 20, 5
SIZES = [1, 2, 4, 8]


def linear(latent_dim, seed, learning_rate=0.02):
    # One step an execution is traced faster.
    model = keras_ae.create("linear_ae", (VALUES,), latent_dim, seed=seed)
    model.compile(keras.optimizers.Adam(learning_rate), steps_per_execution=1)
    return model


def network(name, **options):
    """A `make` of small models."""

    def make(latent_dim, seed):
        small = {"likelihood": "normal", "network_options": {"hidden": (8,)}}
        model = keras_ae.create(name, (VALUES,), latent_dim, seed=seed, **small)
        model.compile(keras.optimizers.Adam(0.02), steps_per_execution=1, **options)
        return model

    return make


@pytest.fixture
def five_factors(rng):
    """x = z W + noise with orthogonal factors of equal strength: training and validation data."""
    w = 2 * np.linalg.qr(rng.normal(size=(VALUES, FACTORS)))[0].T
    x = rng.normal(size=(700, FACTORS)) @ w + 0.1 * rng.normal(size=(700, VALUES))
    return np.split(x.astype("float32"), [500])


def test_the_knee_is_the_point_farthest_from_the_chord(rng):
    for _ in range(10):
        sizes = np.sort(rng.choice(np.arange(1, 100), 6, replace=False)).tolist()
        scores = np.sort(rng.normal(size=6).cumsum())
        points = np.stack([np.log(sizes), scores], axis=1)
        points = (points - points[0]) / (points[-1] - points[0])
        distances = (points[:, 1] - points[:, 0]) / np.sqrt(2)  # from the line y = x
        found = find_knee(sizes, scores[:, None, None] + np.zeros((6, 1, 9)))
        if distances.max() * np.sqrt(2) < 0.1:
            assert found.size is None
        else:
            assert found.size == sizes[distances.argmax()] and found.confidence == 1.0


@pytest.mark.parametrize("over", ["examples", "seeds"])
def test_the_shares_are_those_of_the_normal_distribution(over, rng):
    """Sizes 2 and 4 compete: 2 is chosen where y(2) - 1/3 > y(4) - 2/3. Examples are the same for both sizes, seeds are
    not, so that what their noise has in common cancels over examples only."""
    n = 60
    scores = np.zeros((4, n))
    scores[3] = 1.0
    scores[1:3] = rng.normal(size=n) * 0.3 + rng.normal(size=(2, n)) * 0.3 + [[0.6], [0.9]]
    difference = scores[1] - scores[2]
    variance = difference.var() if over == "examples" else scores[1].var() + scores[2].var()
    expected = stats.norm.cdf((difference.mean() + 1 / 3) / np.sqrt(variance / n))
    found = find_knee(SIZES, scores[:, None] if over == "examples" else scores[:, :, None])
    assert 0.55 < expected < 0.95
    assert found.shares[2] == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 1000))
    assert found.size == 2 and found.confidence == found.shares[2]
    assert sum(found.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "means, advice",
    [
        ([0.0, 0.05, 0.1, 0.05], "1 does as well as more"),
        ([0.0, -5, -8, -9], "1 does as well as more"),
        ([0.0, 1, 2, 3], "largest size may be too small"),
        ([0.0, 1, 3, 7], "largest size may be too small"),
    ],
)
def test_a_flat_or_straight_or_ever_steeper_curve_has_no_knee(means, advice, rng):
    scores = np.array(means)[:, None, None] + rng.normal(size=(4, 2, 200))
    found = find_knee(SIZES, scores)
    assert found.size is found.confidence is None
    assert found.advice.startswith("No knee") and advice in found.advice


def test_two_sizes_have_no_knee():
    found = find_knee([1, 2], np.arange(4.0).reshape(2, 1, 2))
    assert found.size is None and "at least 3 sizes" in found.advice


def test_it_finds_the_number_of_factors(five_factors):
    choice = choose_latent_dim(linear, *five_factors, sizes=[8, 3, 4, 5, 6], epochs=10, batch_size=32)
    assert choice.knee == FACTORS and choice.confidence > 0.9
    assert [row.size for row in choice.rows] == [3, 4, 5, 6, 8]
    noise, signal = 0.01, 4.0  # what is left of each value and of each factor that does not fit into the code
    for row in choice.rows:
        left = max(FACTORS - row.size, 0) * signal + (VALUES - min(FACTORS, row.size)) * noise
        assert row.squared_error == pytest.approx(left, rel=0.5)
        assert row.reconstruction == -row.score == pytest.approx(row.squared_error, rel=1e-5)
        assert row.bound is row.active_units is None and row.deviations == {}
    # The sum of squares of 2 normal values of variance 4 has the variance 2 * 2 * 4^2.
    assert choice.rows[0].standard_error == pytest.approx(np.sqrt(64 / 200), rel=0.3)
    assert json.loads(json.dumps(choice.as_dict()))["knee"] == FACTORS
    assert "5*" in str(choice) and str(choice).endswith(choice.advice)
    assert len(choice.plot().axes) == 1


def test_noise_has_no_knee(rng):
    x = rng.normal(size=(200, VALUES))
    choice = choose_latent_dim(linear, x[:150], x[150:], sizes=[1, 4, 12], epochs=5, batch_size=10)
    assert choice.knee is None and "may be too small" in choice.advice


def test_constants_have_no_knee():
    x = np.ones((9, VALUES))
    choice = choose_latent_dim(network("ae", run_eagerly=True), x, x, sizes=[1, 2, 3], epochs=1)
    assert choice.knee is None and "are equal" in choice.advice
    assert "no knee" in choice.plot().axes[0].get_title()


def test_the_figures_are_those_of_the_models(five_factors):
    x, validation = five_factors
    made = []

    def make(latent_dim, seed):
        made.append(network("vae")(latent_dim, seed))
        return made[-1]

    choice = choose_latent_dim(make, x, validation, [3], epochs=4, batch_size=50, seeds=[0, 1], samples=10)
    models = made[-2:]
    assert [model.seed for model in models] == [0, 1] and all(model.step == 40 for model in models)
    bounds = np.array([log_likelihood(model, validation, samples=10).log_prob for model in models])
    row = choice.rows[0]
    assert row.score == row.bound == pytest.approx(bounds.mean(), rel=1e-6)
    assert row.deviations["bound"] == pytest.approx(bounds.mean(axis=1).std(ddof=1), rel=1e-3)
    assert row.standard_error == pytest.approx(bounds.mean(axis=0).std(ddof=1) / np.sqrt(len(validation)), rel=1e-5)
    errors = [np.square(model.reconstruct(validation) - validation).sum(axis=1).mean() for model in models]
    assert row.squared_error == pytest.approx(np.mean(errors), rel=1e-5)
    active = [(np.var(model.encode(validation), axis=0) > 0.01).sum() for model in models]
    assert row.active_units == np.mean(active)
    many = np.repeat(validation, 10, axis=0)  # ten draws of z each
    terms = [model.evaluate(many, verbose=0, return_dict=True) for model in models]
    assert row.reconstruction == pytest.approx(np.mean([term["reconstruction"] for term in terms]), rel=0.01)
    assert len(choice.plot().axes) == 2


class StopAt(keras.callbacks.Callback):
    """Counts epochs and stops in the middle of one, as Ctrl-C does."""

    def __init__(self, stop=None):
        super().__init__()
        self.stop, self.epochs = stop, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs += 1

    def on_train_batch_end(self, batch, logs=None):
        if self.epochs == self.stop:
            raise KeyboardInterrupt


def test_an_interrupted_call_goes_on_to_the_same_result(five_factors, tmp_path):
    x, validation = five_factors
    make = network("denoising_ae", run_eagerly=True)  # two steps an epoch

    def call(folder, stop=None, sizes=(1, 3)):
        watch = StopAt(stop)
        try:
            found = choose_latent_dim(make, x[:200], validation, sizes, 2, folder=folder, callbacks=[watch])
        except KeyboardInterrupt:
            found = None
        return found, watch.epochs

    whole, epochs = call(None)
    assert epochs == 4
    assert call(tmp_path / "runs", stop=4) == (None, 4)  # in the second epoch of the second size
    assert list(RunFolder(tmp_path / "runs" / "size-3-seed-0").checkpoints()) == [1]
    assert call(tmp_path / "runs") == (whole, 1)
    for checkpoint in (tmp_path / "runs").glob("*/checkpoint-*"):
        checkpoint.unlink()
    assert call(tmp_path / "runs") == (whole, 0)  # from the figures alone
    more, epochs = call(tmp_path / "runs", sizes=(1, 2, 3))
    assert epochs == 2 and [more.rows[0], more.rows[2]] == whole.rows


def test_a_folder_of_something_else_is_refused(five_factors, tmp_path):
    x, validation = five_factors
    options = {"sizes": [1], "epochs": 1, "batch_size": 500, "folder": tmp_path}
    choose_latent_dim(linear, x, validation, **options)

    def refused(message, make=linear, x=x, validation=validation, **changed):
        with pytest.raises(keras_ae.InputError, match=message):
            choose_latent_dim(make, x, validation, **{**options, **changed})

    refused("epochs_each: 1 in the folder, 2 now", epochs=2)
    refused("batch_size: 500 in the folder, 50 now", batch_size=50)
    refused(r"samples: 100 in the folder, 7 now", samples=7)
    refused("other settings .x: '", x=x + 1)
    refused("other settings .validation: '", validation=validation + 1)
    refused("model: 'LinearAE' in the folder, 'AE' now", network("ae"))
    refused("optimizer.config.learning_rate: 0.0199.* in the folder, 0.5 now", lambda *size: linear(*size, 0.5))
    with RunFolder(tmp_path).locked():
        refused("is in use by process")
    assert choose_latent_dim(linear, x, validation, **options).knee is None


def test_a_folder_takes_models_of_other_sizes_and_seeds():
    settings = [_model_settings(network("denoising_ae")(*arguments)) for arguments in [(1, 0), (2, 1)]]
    assert settings[0] == settings[1]
    assert settings[0]["model.corruption.config.rate"] == 0.3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sizes": []}, "sizes must hold at least one number"),
        ({"sizes": [2, 3, 2]}, r"sizes must .* none twice.*\[2, 3, 2\]"),
        ({"sizes": [2, 2.5]}, r"sizes\[1\] must be a whole number"),
        ({"sizes": [0, 2]}, r"sizes\[0\] must be a whole number of at least 1"),
        ({"sizes": 4}, "sizes must be a list"),
        ({"seeds": []}, "seeds must hold at least one"),
        ({"seeds": [-1]}, r"seeds\[0\] must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"batch_size": 1.5}, "batch_size must be"),
        ({"samples": 0}, "samples must be"),
        ({"x": np.ones((9, 3))}, "x must have the shape"),
        ({"validation": np.full((9, VALUES), np.nan)}, "validation has 180 values"),
        ({"validation": np.ones((1, VALUES))}, "validation must hold at least 2 examples. Received: 1"),
        ({"make": lambda size, seed: keras.Sequential()}, r"make\(2, 0\) must return a model.*Sequential"),
        ({"make": lambda size, seed: linear(3, seed)}, r"codes of shape \(2,\).*\(3,\)"),
        ({"make": lambda size, seed: keras_ae.create("ae", (VALUES,), size)}, "not compiled"),
        (
            {"make": lambda size, seed: keras_ae.create("conditional_vae", (VALUES,), size, condition_dim=2)},
            "conditional ConditionalVAE",
        ),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    x = np.ones((9, VALUES))
    arguments = {"make": linear, "x": x, "validation": x, "sizes": [2], "folder": tmp_path / "new", **arguments}
    with pytest.raises(keras_ae.InputError, match=message):
        choose_latent_dim(**arguments)
    assert not (tmp_path / "new").exists()
