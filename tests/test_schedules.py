"""Weights that change during training."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import schedules
from keras_ae.errors import InputError
from keras_ae.schedules import Cyclical, Linear
from tests.conformance.table import same, weights

PiecewiseConstant = keras.optimizers.schedules.PiecewiseConstantDecay
BY_HAND = {
    "linear": (Linear(0.0, 2.0, steps=4), [0, 0.5, 1, 1.5, 2, 2, 2]),
    "linear downwards": (Linear(3.0, 1.0, steps=2), [3, 2, 1, 1]),
    "linear at once": (Linear(0.5, 4.0, steps=1), [0.5, 4, 4]),
    "constant": (Linear(2.0, 2.0, steps=3), [2, 2, 2, 2]),
    "cyclical": (Cyclical(0.0, 1.0, period=4, ratio=0.5), [0, 0.5, 1, 1, 0, 0.5, 1, 1, 0]),
    "cyclical without rest": (Cyclical(1.0, 5.0, period=4, ratio=1.0), [1, 2, 3, 4, 1, 2]),
    "cyclical odd": (Cyclical(0.0, 3.0, period=3, ratio=2 / 3), [0, 1.5, 3, 0, 1.5, 3]),
    "cyclical downwards": (Cyclical(1.0, 0.0, period=4, ratio=0.5), [1, 0.5, 0, 0, 1]),
}


@pytest.mark.parametrize("schedule, values", BY_HAND.values(), ids=BY_HAND)
def test_values_are_those_computed_by_hand(schedule, values):
    np.testing.assert_allclose([float(schedule(step)) for step in range(len(values))], values, rtol=1e-6)
    steps = keras.ops.arange(len(values), dtype="int32")
    np.testing.assert_allclose(schedule(steps), values, rtol=1e-6)


def test_values_far_on():
    assert float(Linear(0.0, 1.0, steps=1000)(2_000_000_000)) == 1
    assert float(Linear(0.0, 1.0, steps=2_000_000_000)(1_000_000_000)) == pytest.approx(0.5)
    assert float(Cyclical(0.0, 1.0, period=4)(2_000_000_001)) == 0.5
    assert [schedules.at(7.0, step) for step in (0, 100)] == [7.0, 7.0]


@pytest.mark.parametrize("schedule, values", BY_HAND.values(), ids=BY_HAND)
def test_a_serialised_schedule_comes_back(schedule, values):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(again) is type(schedule) and again.get_config() == schedule.get_config()
    assert [float(again(step)) for step in range(len(values))] == pytest.approx(values)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("linear(0, 2, steps=4)", Linear(0, 2, 4)),
        ("linear(end=3.5)", Linear(0.0, 3.5)),
        (" cyclical(0.5, 1, period=8, ratio=0.25)", Cyclical(0.5, 1, 8, 0.25)),
    ],
)
def test_a_schedule_is_read_from_text(text, expected):
    for found in (schedules.parse(text.strip()), schedules.check("beta", text.strip())):
        assert type(found) is type(expected) and found.get_config() == expected.get_config()


def create(beta, **compiling):
    model = keras_ae.create("beta_vae", (6,), 2, seed=0, network_options={"hidden": (8,)}, beta=beta)
    model.compile(**{"optimizer": keras_ae.optimizers.Adam(0.01), **compiling})
    return model


@pytest.fixture(scope="module")
def x():
    return (np.random.default_rng(0).random((20, 6)) > 0.5).astype("float32")


def frozen(beta, **compiling):
    """A model that trains without learning, so that its KL is known in every step."""
    return create(beta, optimizer=keras.optimizers.SGD(0.0), **compiling)


def kl_by_batch(model, x, size=5):
    """The mean KL to N(0, I) of each batch, in float64."""
    mean, log_var = (np.asarray(value, "float64") for value in model.posterior(x))
    kl = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(axis=1)
    return kl.reshape(-1, size).mean(axis=1)


def fit(model, x, **options):
    return model.fit(x, batch_size=5, shuffle=False, verbose=0, **options).history


@pytest.mark.parametrize("steps_per_execution", [1, 3, 32])
def test_the_penalty_of_an_epoch_is_the_mean_over_its_steps(x, steps_per_execution):
    """penalty = (beta(t) - 1) KL at steps 0 to 3, then 4 to 7."""
    model = frozen(Linear(0.0, 3.0, steps=6), steps_per_execution=steps_per_execution)
    kl = kl_by_batch(model, x)
    betas = np.array([[0.0, 0.5, 1.0, 1.5], [2.0, 2.5, 3.0, 3.0]])
    history = fit(model, x, epochs=2)
    np.testing.assert_allclose(history["penalty"], ((betas - 1) * kl).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(history["kl"], [kl.mean()] * 2, rtol=1e-4)
    assert int(model.step) == 8


def test_evaluation_has_the_weight_of_the_present_step_and_moves_none(x):
    model = frozen(Linear(0.0, 4.0, steps=8))
    kl = kl_by_batch(model, x).mean()
    for step in (0, 4):
        assert int(model.step) == step
        found = model.evaluate(x, batch_size=5, verbose=0, return_dict=True)
        assert found["penalty"] == pytest.approx((step / 2 - 1) * kl, rel=1e-4)
        assert int(model.step) == step
        fit(model, x, validation_data=x)


def test_many_steps_a_call_train_the_same_weights(x):
    models = [create(Linear(0.0, 5.0, steps=6), steps_per_execution=steps) for steps in (1, 32)]
    histories = [fit(model, x, epochs=2) for model in models]
    assert same(*map(weights, models), atol=1e-6)
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    other = create(5.0)
    fit(other, x, epochs=2)
    assert not same(weights(models[0]), weights(other), atol=1e-4)


def test_a_saved_schedule_goes_on_where_it_stopped(x, tmp_path):
    model = frozen(Cyclical(0.0, 1.0, period=8, ratio=1.0))
    fit(model, x)
    model.save(tmp_path / "model.keras")
    again = keras_ae.load_model(tmp_path / "model.keras")
    assert int(again.step) == 4
    assert again.beta.get_config() == model.beta.get_config() and type(again.beta) is Cyclical
    penalty = (np.array([4, 5, 6, 7]) / 8 - 1) * kl_by_batch(model, x)
    np.testing.assert_allclose(fit(again, x)["penalty"], [penalty.mean()], rtol=1e-4)


def test_a_schedule_of_keras_is_taken(x, tmp_path):
    model = frozen(PiecewiseConstant([1, 2], [0.0, 2.0, 7.0]))  # 0 up to step 1, 2 at step 2, then 7
    model.save(tmp_path / "model.keras")
    penalty = (np.array([0.0, 0.0, 2.0, 7.0]) - 1) * kl_by_batch(model, x)
    for found in (model, keras_ae.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(fit(found, x)["penalty"], [penalty.mean()], rtol=1e-4)


@pytest.mark.parametrize("value", [-1, -1e-9, np.nan, np.inf, "1", "linear", "linear(0", "lin(0)", "linear(x)",
                                   "linear(0, 1, 5, 6)", "linear(-1)", True, False, None, [1.0], 1j])  # fmt: skip
def test_a_weight_that_is_none(value):
    with pytest.raises(InputError):
        schedules.check("beta", value)
    with pytest.raises(InputError):
        create(value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Linear(-0.1), "start must be.*start=-0.1"),
        (lambda: Linear(0.0, np.nan), "end must be.*nan"),
        (lambda: Linear(0.0, True), "end must be.*True"),
        (lambda: Linear(0.0, "1"), "'1'"),
        (lambda: Linear(steps=0), "steps must be.*steps=0"),
        (lambda: Linear(steps=2.5), "steps must be.*2.5"),
        (lambda: Cyclical(end=-2), "end must be.*-2"),
        (lambda: Cyclical(period=0), "period must be.*0"),
        (lambda: Cyclical(ratio=0), "ratio must be.*ratio=0"),
        (lambda: Cyclical(ratio=1.1), "ratio must be.*1.1"),
        (lambda: Cyclical(ratio=np.nan), "ratio must be.*nan"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", ["start", "end"])
def test_an_end_of_a_schedule_is_a_number_and_no_schedule(name):
    with pytest.raises(InputError):
        Linear(**{name: Linear()})


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int64(2)])
def test_numbers_of_numpy_are_numbers(value):
    assert schedules.check("beta", value) == value
