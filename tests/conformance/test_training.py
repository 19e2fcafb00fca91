"""Every registered model trains as the contract says."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from tests.conformance.table import (
    LATENT,
    MANY_STEPS,
    batch_of,
    given,
    make,
    make_eager,
    make_quiet,
    models,
    paths,
    paths_and_slow_others,
    rows,
    same,
    targets,
    weights,
)


@functools.cache
def untrained(row):
    """One model for all tests that only evaluate."""
    model = make_quiet(row)
    return model, [(variable, variable.numpy()) for variable in model.variables]


def quiet(row):
    """It, with its random state as it was made."""
    model, state = untrained(row)
    for variable, value in state:
        variable.assign(value)
    return model


def evaluate(model, x, target=None, **options):
    return model.evaluate(x, targets(model, x, target), verbose=0, return_dict=True, **options)


def fit(model, x, target=None, validation=None, **options):
    if validation is not None:
        options["validation_data"] = (validation, targets(model, validation))
    return model.fit(x, targets(model, x, target), verbose=0, **options).history


@rows
def test_every_trainable_weight_gets_a_gradient(row, digits):
    model = make(row)
    with tf.GradientTape() as tape:
        model(batch_of(model, digits[0][:32]), training=True)
        loss = sum(model.losses)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert len(gradients) > 0
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


@paths_and_slow_others
def test_short_training_beats_the_mean_of_each_pixel(row, digits):
    train, test = digits
    model = make(row, optimizer=keras_ae.optimizers.Adam(5e-3))
    history = fit(model, train, epochs=8)
    assert history["reconstruction" if "reconstruction" in history else "loss"][-1] < history["loss"][0]
    error = np.square(model.reconstruct(test, **given(model, test)) - test).mean()
    of_mean = np.square(train.mean(axis=0) - test).mean()
    assert error < 0.8 * of_mean


@rows
def test_the_terms_add_up_to_the_loss(row, digits):
    model = make_eager(row)
    history = fit(model, digits[0][:50], validation=digits[1][:21], epochs=2)
    names = ("loss", *model.terms, *model.companions)
    assert set(history) == {*names, *(f"val_{name}" for name in names)}
    for prefix in ("", "val_"):
        total = np.sum([history[prefix + name] for name in model.terms], axis=0)
        np.testing.assert_allclose(total, history[prefix + "loss"], rtol=1e-5)
    evaluated = evaluate(model, digits[1][:21])
    assert sum(evaluated[name] for name in model.terms) == pytest.approx(evaluated["loss"], rel=1e-5)


@rows
def test_the_loss_does_not_depend_on_the_batch_size(row, digits):
    """Nor on an odd last batch, whose examples are made to differ from the others."""
    x = np.concatenate([digits[1][:11], np.ones((2, 8, 8, 1), "float32")])
    losses = [evaluate(quiet(row), x, batch_size=size) for size in (1, 2, 12, 13, 100)]
    for name in ("loss", *quiet(row).terms):
        np.testing.assert_allclose([loss[name] for loss in losses], losses[-1][name], rtol=1e-5)


@rows
def test_the_objective_gives_a_value_for_each_example(row, digits):
    """Or a statistic of the batch; `evaluate` gives their averages."""
    model = quiet(row)
    x = digits[1][:10]
    terms = {name: np.asarray(term) for name, term in model.objective(batch_of(model, x), training=False).items()}
    evaluated = evaluate(quiet(row), x)
    for name, term in terms.items():
        assert term.shape in ((), (10,))
        assert evaluated[name] == pytest.approx(term.mean(), rel=1e-4)


@paths_and_slow_others
def test_one_example_is_enough(row, digits):
    model = make_eager(row)
    x = digits[0][:1]
    before = weights(model)
    assert np.isfinite(fit(model, x, batch_size=32)["loss"]).all()
    assert not same(before, weights(model))
    assert model.encode(x, **given(model, x)).shape == (1, LATENT)
    predicted = model.predict({"x": x, **given(model, x)} if model.conditional else x, verbose=0)
    assert model.reconstruct(x, **given(model, x)).shape == predicted.shape == x.shape


@rows
def test_weights_of_zero_leave_examples_out(row, digits):
    x, keep = digits[1][:30], np.arange(30) % 3 > 0
    all_, kept = evaluate(quiet(row), x, sample_weight=keep), evaluate(quiet(row), x[keep])
    for name in ("loss", *quiet(row).terms):
        np.testing.assert_allclose(all_[name], kept[name] * keep.mean(), rtol=1e-5, err_msg=name)


@rows
def test_a_weight_of_two_doubles_every_term(row, digits):
    x = digits[1][:10]
    once, twice = (evaluate(quiet(row), x, sample_weight=np.full(10, w)) for w in (1.0, 2.0))
    assert twice == {name: pytest.approx(2 * value, rel=1e-5) for name, value in once.items()}
    assert once == pytest.approx(evaluate(quiet(row), x), rel=1e-5)


@rows
def test_weights_reach_the_training_without_a_y(row, digits):
    x = digits[0][:16]
    model = make_eager(row)
    before = [weight.numpy() for weight in model.trainable_weights]
    fit(model, x, sample_weight=np.zeros(16))
    assert same(before, [weight.numpy() for weight in model.trainable_weights])
    fit(model, x, sample_weight=np.ones(16))
    assert not same(before, [weight.numpy() for weight in model.trainable_weights])


@paths
def test_metrics_compare_the_reconstruction_with_the_target(row, digits):
    x, clean = digits[1][:20], digits[1][20:40]
    model = make(row, metrics=["mse"])
    train = digits[0][:40]
    history = model.fit(train, targets(model, train), validation_data=(x, targets(model, x, clean)), verbose=0).history
    expected = np.square(model.reconstruct(x, **given(model, x)) - clean).mean()
    assert history["val_mse"][-1] == pytest.approx(expected, rel=1e-4)
    assert evaluate(model, x, clean)["mse"] == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(history["mse"]).all()


@rows
def test_the_target_is_what_is_explained(row, digits):
    """A denoising pair: the loss is that of the clean image given the code of the noisy one."""
    noisy, clean = digits[1][:12], digits[1][12:24]
    pair, plain = evaluate(quiet(row), noisy, clean), evaluate(quiet(row), noisy)
    model = quiet(row)
    if not model.conditional:
        assert pair == pytest.approx(model.evaluate(noisy, {"target": clean}, verbose=0, return_dict=True), rel=1e-5)
    assert pair["loss"] != pytest.approx(plain["loss"], rel=1e-6)
    batch = batch_of(model, noisy)
    code = model.code(batch.x, condition=batch.condition)
    params = np.asarray(model.decode_params(code, condition=batch.condition))
    if "squared_error" in model.terms:
        by_hand = np.square(params - clean).sum(axis=(1, 2, 3))
    else:
        by_hand = -np.asarray(model.likelihood.log_prob(clean, params))
    assert pair[model.terms[0]] == pytest.approx(by_hand.mean(), rel=1e-3)


@models
def test_the_seed_fixes_the_weights(row):
    """That it fixes the whole run is what `test_a_resumed_run_ends_like_one_that_was_not_stopped` shows."""
    first, again, other = (make(row, seed=seed) for seed in (1, 1, 2))
    assert same(weights(first), weights(again))
    pairs = zip(
        first.encoder.weights + first.decoder.weights, other.encoder.weights + other.decoder.weights, strict=True
    )
    assert not any(np.array_equal(a, b) for a, b in pairs if np.any(a) and not a.path.endswith("/gamma"))


@paths
def test_many_steps_a_call_change_nothing(row, digits):
    def run(steps):
        model = make(row, steps_per_execution=steps)
        history = fit(model, digits[0][:150], epochs=2)
        return weights(model), history

    (one, one_history), (many, many_history) = run(1), run(MANY_STEPS)
    assert same(one, many, atol=1e-6)
    for name, values in one_history.items():
        np.testing.assert_allclose(values, many_history[name], rtol=1e-5)


@paths
def test_xla(row, digits):
    """On JAX it compiles every model."""
    model = make_quiet(row, jit_compile=True, run_eagerly=False)
    reference = make_quiet(row, jit_compile=False, run_eagerly=False)
    losses = [fit(m, digits[0][:64], epochs=2, shuffle=False)["loss"] for m in (model, reference)]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert model.jit_compile and not reference.jit_compile


@pytest.fixture
def half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@paths_and_slow_others
def test_mixed_precision(row, digits, half_precision):
    model = make(row)
    assert model.decoder.layers[-1].compute_dtype == "bfloat16"
    batch = batch_of(model, digits[0][:2])
    assert model.features(batch.x, condition=batch.condition).dtype == "bfloat16"
    history = fit(model, digits[0][:64], epochs=3, validation=digits[1][:20])
    assert np.isfinite(list(history.values())).all()
    name = "reconstruction" if "reconstruction" in history else "loss"
    assert history[name][-1] < history[name][0]
    code = model.code(batch.x, condition=batch.condition)
    params = model.decode_params(code, condition=batch.condition)
    assert code.dtype == params.dtype == "float32"
    x = digits[0][:50]
    reconstructed = model.reconstruct(x, **given(model, x))
    assert reconstructed.dtype == np.float32
    assert len(np.unique(reconstructed)) > 256  # bfloat16 has 128 values an octave
