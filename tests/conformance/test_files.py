"""Every registered model comes back from a file, and from an export, as it was."""

import functools
import json

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae.distributions import likelihoods
from keras_ae.serving.signatures import default_limit
from tests.conformance.table import (
    CONDITIONS,
    LATENT,
    MANY_STEPS,
    PATHS,
    batch_of,
    classes,
    given,
    make,
    make_eager,
    models,
    paths_and_slow_others,
    rows,
    same,
    targets,
    weights,
)
from tests.helpers import run

SERVER = """
import sys, numpy as np, tensorflow as tf

def call(model, name, **inputs):
    function = model.signatures[name]
    asked = function.structured_input_signature[1]
    (output,) = function(**{k: tf.constant(v) for k, v in inputs.items() if k in asked}).values()
    return output.numpy()

for folder in sys.argv[1:]:
    model = tf.saved_model.load(folder + "/1")
    x, code = np.load(folder + "/x.npy"), np.load(folder + "/code.npy")
    condition = np.load(folder + "/condition.npy")
    def given(n):
        return {"condition": condition[:n]} if len(condition) else {}
    found = {"signatures": sorted(model.signatures)}
    for size in (1, 2, 7):
        for name in ("serving_default", "reconstruct", "encode"):
            found[f"{name}_{size}"] = call(model, name, x=x[:size], **given(size))
        found[f"decode_{size}"] = call(model, "decode", code=code[:size], **given(size))
        found[f"score_{size}"] = call(model, "score", x=x[:size], seed=np.int32(1), **given(size))
    found["score_again"] = call(model, "score", x=x[:7], seed=np.int32(1), **given(7))
    found["score_other"] = call(model, "score", x=x[:7], seed=np.int32(2), **given(7))
    found["reconstruct_again"] = call(model, "reconstruct", x=x[:7], **given(7))
    if "sample" in model.signatures:
        for key, seed in (("sample", 1), ("sample_again", 1), ("sample_other", 2)):
            found[key] = call(model, "sample", n=np.int32(5), seed=np.int32(seed), **given(5))
        try:
            call(model, "sample", n=np.int32(2**31 - 1), seed=np.int32(1), **given(5))
        except tf.errors.InvalidArgumentError as error:
            found["refused"] = str(error)
    np.savez(folder + "/found.npz", **found)
"""
RESUME = """
import sys, numpy as np, keras_ae
from tests.helpers import trace_quickly
trace_quickly()
model = keras_ae.load_model(sys.argv[1])
model.fit(np.load(sys.argv[2]), epochs=3, initial_epoch=1, verbose=0)
np.savez(sys.argv[3], *[weight.numpy() for weight in model.weights])
"""


def reload(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras_ae.load_model(tmp_path / "model.keras")


@rows
def test_a_file_gives_the_same_model(row, digits, tmp_path):
    model = make_eager(row, optimizer=keras_ae.optimizers.Adam(3e-3))
    train = digits[0][:64]
    model.fit(train, targets(model, train), verbose=0)
    again = reload(model, tmp_path)
    assert again is not model and type(again) is type(model)
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    assert again.seed == model.seed
    first = again.optimizer if row != "wae_gan" else again.optimizer.optimizers[1]
    assert float(first.learning_rate) == pytest.approx(3e-3)
    assert int(again.optimizer.iterations) == int(again.step) == 2
    assert same(weights(model), weights(again))
    state = [[variable.numpy() for variable in m.optimizer.variables] for m in (model, again)]
    assert same(*state)
    x = digits[1][:20]
    condition = given(model, x)
    assert np.array_equal(again.reconstruct(x, **condition), model.reconstruct(x, **condition))
    assert np.array_equal(again.encode(x, **condition), model.encode(x, **condition))
    y = targets(model, x)
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)  # the noise of both goes on as one


@paths_and_slow_others
def test_a_resumed_run_ends_like_one_that_was_not_stopped(row, digits, tmp_path):
    """Many steps a call, as users train, for one model of each kind of training step."""
    x, create = digits[0][:80], make_eager
    if row in PATHS:
        create = functools.partial(make, steps_per_execution=MANY_STEPS)
    straight, file = create(row), tmp_path / "model.keras"
    y = targets(straight, x)
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 0 and straight.save(file))
    straight.fit(x, y, epochs=3, verbose=0, callbacks=[save])
    resumed = keras_ae.load_model(file)
    assert not same(weights(straight), weights(resumed))
    resumed.fit(x, y, epochs=3, initial_epoch=1, verbose=0)
    assert same(weights(straight), weights(resumed))


def test_a_run_resumes_in_another_process(digits, tmp_path):
    x = digits[0][:80]
    straight, stopped = (make("vae") for _ in range(2))
    straight.fit(x, epochs=3, verbose=0)
    stopped.fit(x, epochs=1, verbose=0)
    stopped.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    run(RESUME, *(tmp_path / name for name in ("model.keras", "x.npy", "resumed.npz")))
    with np.load(tmp_path / "resumed.npz") as resumed:
        assert same([weight.numpy() for weight in straight.weights], list(resumed.values()))


def vectors(model, x):
    """The conditions of x as an export wants them; none where the model has none."""
    return np.eye(CONDITIONS, dtype="float32")[classes(x)] if model.conditional else np.zeros(0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, digits, request):
    """Row -> (model, folder, what a process without Keras computed with the export), of the rows that are tested."""
    tests = [item for item in request.session.items if "exported" in item.fixturenames]
    found = {}
    for row in dict.fromkeys(test.callspec.params["row"] for test in tests):
        model, folder = make(row), tmp_path_factory.mktemp("export")
        assert keras_ae.export(model, folder) == folder / "1"
        np.save(folder / "x.npy", digits[1][:7])
        np.save(folder / "condition.npy", vectors(model, digits[1][:7]))
        np.save(folder / "code.npy", np.random.default_rng(0).normal(size=(7, LATENT)).astype("float32"))
        found[row] = model, folder
    run(SERVER, *(folder for _, folder in found.values()), block=("keras", "keras_ae"))
    return {row: (model, folder, dict(np.load(folder / "found.npz"))) for row, (model, folder) in found.items()}


@paths_and_slow_others
def test_an_export_gives_the_same_numbers_without_keras(row, exported):
    model, folder, found = exported[row]
    close = functools.partial(np.testing.assert_allclose, atol=1e-5, rtol=1e-5)
    x, code = np.load(folder / "x.npy"), np.load(folder / "code.npy")
    for size in (1, 2, 7):
        condition, batch = given(model, x[:size]), batch_of(model, x[:size])
        with_x = {} if model.infers_condition else condition
        close(found[f"serving_default_{size}"], model.reconstruct(x[:size], **with_x))
        close(found[f"reconstruct_{size}"], model.reconstruct(x[:size], **with_x))
        close(found[f"encode_{size}"], model.encode(x[:size], **with_x))
        close(found[f"decode_{size}"], model.decode(code[:size], **condition))
        score = model.score(
            batch if with_x else batch._replace(condition=None),
            keras_ae.backend.KeyedSeed(1),
            keras_ae.serving.SCORE_DRAWS,
        )
        np.testing.assert_allclose(found[f"score_{size}"], score, rtol=1e-5)
    assert np.array_equal(found["reconstruct_7"], found["reconstruct_again"])
    assert np.array_equal(found["score_7"], found["score_again"])


@paths_and_slow_others
def test_an_export_samples_by_seed(row, exported):
    model, _, found = exported[row]
    signatures = {"decode", "encode", "reconstruct", "score", "serving_default"}
    signatures |= set(model.own_signatures())
    sampled = isinstance(model, keras_ae.Variational)
    assert np.array_equal(found["score_7"], found["score_other"]) != sampled
    assert set(found["signatures"]) == (signatures | {"sample"} if model.has_prior else signatures)
    if not model.has_prior:
        return
    assert found["sample"].shape == (5, *model.event_shape)
    assert np.array_equal(found["sample"], found["sample_again"])
    assert not np.isclose(found["sample"], found["sample_other"]).any(axis=(1, 2, 3)).all()
    assert len(np.unique(found["sample"], axis=0)) == 5
    assert f"sample: at most {default_limit(model)} rows in one request" in str(found["refused"])


@paths_and_slow_others
def test_an_export_stores_each_weight_once(row, exported):
    model, folder, _ = exported[row]
    size = sum(4 * int(np.prod(weight.shape)) for weight in model.weights)
    file = folder / "1" / "variables" / "variables.data-00000-of-00001"
    assert size > 1500
    assert size * 0.95 < file.stat().st_size < 1.3 * size + 2000


def test_an_export_gets_the_next_number(tmp_path):
    model = make("ae")
    (tmp_path / "7").mkdir()
    assert model.export(tmp_path) == tmp_path / "8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8"]


@models
def test_examples_are_drawn_by_seed(row):
    model = make(row)
    if not model.has_prior:
        with pytest.raises(keras_ae.InputError, match="no distribution of codes"):
            model.sample(3)
        return
    condition = {"condition": 1} if model.conditional else {}
    first, again, other = (model.sample(5, seed=seed, batch_size=2, **condition) for seed in (1, 1, 2))
    assert first.shape == (5, *model.event_shape)
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).all()
    drawn = model.sample(50, seed=1, observation="sample", **condition)
    if isinstance(model.likelihood, likelihoods.Bernoulli):
        assert set(np.unique(drawn)) == {0, 1}
    assert drawn.std() > model.sample(50, seed=1, **condition).std()
