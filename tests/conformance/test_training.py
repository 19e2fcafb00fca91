"""Every registered model trains as the contract says."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from keras_ae.models import Batch
from tests.conformance.table import LATENT, make, make_quiet, rows, same, weights


@functools.cache
def untrained(row):
    """One model for all tests that only evaluate, so that it is traced once."""
    return make_quiet(row)


@rows
def test_every_trainable_weight_gets_a_gradient(row, digits):
    model = make(row)
    x = tf.constant(digits[0][:32])
    with tf.GradientTape() as tape:
        model(Batch(x, x), training=True)
        loss = sum(model.losses)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert len(gradients) > 0
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


@rows
def test_short_training_beats_the_mean_of_each_pixel(row, digits):
    train, test = digits
    model = make(row, optimizer=keras_ae.optimizers.Adam(5e-3))
    history = model.fit(train, epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    error = np.square(model.reconstruct(test) - test).mean()
    of_mean = np.square(train.mean(axis=0) - test).mean()
    assert error < 0.8 * of_mean


@rows
def test_the_terms_add_up_to_the_loss(row, digits):
    model = make(row)
    history = model.fit(digits[0][:50], validation_data=digits[1][:21], epochs=2, verbose=0).history
    assert set(history) == {"loss", "val_loss", *model.terms, *(f"val_{name}" for name in model.terms)}
    for prefix in ("", "val_"):
        total = np.sum([history[prefix + name] for name in model.terms], axis=0)
        np.testing.assert_allclose(total, history[prefix + "loss"], rtol=1e-5)
    evaluated = model.evaluate(digits[1][:21], verbose=0, return_dict=True)
    assert sum(evaluated[name] for name in model.terms) == pytest.approx(evaluated["loss"], rel=1e-5)


@rows
def test_the_loss_does_not_depend_on_the_batch_size(row, digits):
    """Nor on an odd last batch, whose examples are made to differ from the others."""
    x = np.concatenate([digits[1][:31], np.ones((2, 8, 8, 1), "float32")])
    model = untrained(row)
    losses = [model.evaluate(x, batch_size=size, verbose=0, return_dict=True) for size in (1, 2, 32, 33, 100)]
    for name in ("loss", *model.terms):
        np.testing.assert_allclose([loss[name] for loss in losses], losses[-1][name], rtol=1e-5)


@rows
def test_the_objective_gives_a_value_for_each_example(row, digits):
    """Or a statistic of the batch; `evaluate` gives their averages."""
    model = untrained(row)
    x = tf.constant(digits[1][:10])
    terms = {name: np.asarray(term) for name, term in model.objective(Batch(x, x), training=False).items()}
    evaluated = model.evaluate(digits[1][:10], verbose=0, return_dict=True)
    for name, term in terms.items():
        assert term.shape in ((), (10,))
        assert evaluated[name] == pytest.approx(term.mean(), rel=1e-4)


@rows
def test_one_example_is_enough(row, digits):
    model = make(row)
    x = digits[0][:1]
    before = weights(model)
    assert np.isfinite(model.fit(x, batch_size=32, verbose=0).history["loss"]).all()
    assert not same(before, weights(model))
    assert model.encode(x).shape == (1, LATENT)
    assert model.reconstruct(x).shape == model.predict(x, verbose=0).shape == x.shape


@rows
def test_weights_of_zero_leave_examples_out(row, digits):
    model = untrained(row)
    x, keep = digits[1][:30], np.arange(30) % 3 > 0
    all_, kept = model.evaluate(x, sample_weight=keep, verbose=0), model.evaluate(x[keep], verbose=0)
    np.testing.assert_allclose(all_, np.array(kept) * keep.mean(), rtol=1e-5)


@rows
def test_a_weight_of_two_doubles_every_term(row, digits):
    model = untrained(row)
    x = digits[1][:10]
    once, twice = (model.evaluate(x, sample_weight=np.full(10, w), verbose=0) for w in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * np.array(once), rtol=1e-5)
    np.testing.assert_allclose(once, model.evaluate(x, verbose=0), rtol=1e-5)


@rows
def test_weights_reach_the_training_without_a_y(row, digits):
    x = digits[0][:16]
    model = make(row)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.fit(x, sample_weight=np.zeros(16), verbose=0)
    assert same(before, [weight.numpy() for weight in model.trainable_weights])
    model.fit(x, sample_weight=np.ones(16), verbose=0)
    assert not same(before, [weight.numpy() for weight in model.trainable_weights])


@rows
def test_metrics_compare_the_reconstruction_with_the_target(row, digits):
    x, clean = digits[1][:20], digits[1][20:40]
    model = make(row, metrics=["mse"])
    history = model.fit(digits[0][:40], validation_data=(x, clean), verbose=0).history
    expected = np.square(model.reconstruct(x) - clean).mean()
    assert history["val_mse"][-1] == pytest.approx(expected, rel=1e-4)
    assert model.evaluate(x, clean, verbose=0, return_dict=True)["mse"] == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(history["mse"]).all()


@rows
def test_the_target_is_what_is_explained(row, digits):
    """A denoising pair: the loss is that of the clean image given the code of the noisy one."""
    noisy, clean = digits[1][:12], digits[1][12:24]
    model = untrained(row)
    pair, dictionary, plain = (
        model.evaluate(noisy, y, verbose=0, return_dict=True) for y in (clean, {"target": clean}, None)
    )
    assert pair == pytest.approx(dictionary, rel=1e-5)
    assert pair["loss"] != pytest.approx(plain["loss"], rel=1e-4)
    params = np.asarray(model.decode_params(model.code(noisy)))
    if "squared_error" in model.terms:
        by_hand = np.square(params - clean).sum(axis=(1, 2, 3))
    else:
        by_hand = -np.asarray(model.likelihood.log_prob(clean, params))
    assert pair[model.terms[0]] == pytest.approx(by_hand.mean(), rel=1e-3)


@rows
def test_the_seed_fixes_the_run(row, digits):
    def run(seed):
        model = make(row, seed=seed)
        history = model.fit(digits[0][:100], epochs=2, verbose=0).history
        return weights(model), history

    (first, first_history), (again, again_history), (other, _) = run(1), run(1), run(2)
    assert same(first, again)
    assert first_history == again_history
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim)


@rows
def test_many_steps_a_call_change_nothing(row, digits):
    def run(steps):
        model = make(row, steps_per_execution=steps)
        history = model.fit(digits[0][:150], epochs=2, validation_data=digits[1][:40], verbose=0).history
        return weights(model), history

    (one, one_history), (many, many_history) = run(1), run(32)
    assert same(one, many, atol=1e-6)
    for name, values in one_history.items():
        np.testing.assert_allclose(values, many_history[name], rtol=1e-5)


@rows
def test_xla(row, digits):
    model = make_quiet(row, jit_compile=True, steps_per_execution=1)
    reference = make_quiet(row, jit_compile=False, steps_per_execution=1)
    losses = [m.fit(digits[0][:64], epochs=2, shuffle=False, verbose=0).history["loss"] for m in (model, reference)]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert model.jit_compile and not reference.jit_compile


@pytest.fixture
def half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@rows
def test_mixed_precision(row, digits, half_precision):
    model = make(row)
    assert model.decoder.layers[-1].compute_dtype == "bfloat16"
    assert model.features(digits[0][:2]).dtype == "bfloat16"
    history = model.fit(digits[0][:64], epochs=3, validation_data=digits[1][:20], verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert history["loss"][-1] < history["loss"][0]
    code = model.code(digits[0][:2])
    params = model.decode_params(code)
    assert code.dtype == params.dtype == "float32"
    assert model.reconstruct(digits[0][:2]).dtype == np.float32
    assert len(np.unique(model.reconstruct(digits[0][:50]))) > 256  # bfloat16 has 128 values an octave
