"""The zoo on the JAX backend, in processes without TensorFlow."""

import json

import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from tests.conformance.table import QUICK_ON_JAX, RESUMED_ON_JAX, SLOW_ON_JAX, given, on_jax, targets
from tests.helpers import ROOT, run

# Compiling takes most of the time: models of one row share what is compiled.
QUICK_COMPILATION = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jax")


def results_of(rows, folder):
    program = (ROOT / "tests" / "jax_program.py").read_text()
    environment = {**QUICK_COMPILATION, "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    options = {"block": ("tensorflow",), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    run(program, folder, *rows, **options, **environment)
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def results(folder):
    return results_of(QUICK_ON_JAX, folder)


@pytest.fixture(scope="module")
def slow_results(folder):
    return results_of(SLOW_ON_JAX, folder)


@pytest.fixture
def found(row, request):
    """What was reported of a row."""
    return request.getfixturevalue("results" if row in QUICK_ON_JAX else "slow_results")[row]


def test_jax_runs_without_tensorflow(results):
    assert results["many_steps"]
    assert results["tensorflow"] == []


def test_steps_are_counted_and_batches_checked(results):
    found = results["steps_and_data"]
    assert (found["steps"], found["predicted"]) == (6, 12)
    assert found["kept"] == [["x (batch 9)", True]] * 3
    assert found["weights"] == pytest.approx([-1, -1])


def test_batches_may_be_under_way_together(results):
    assert results["calls_of_lapack"] == 0


@on_jax
def test_training(found):
    history = found["history"]
    assert np.isfinite(list(history.values())).all()
    name = "reconstruction" if "reconstruction" in history else "loss"
    assert history[name][-1] < history[name][0]
    for prefix in ("", "val_"):
        total = np.sum([history[prefix + name] for name in found["terms"]], axis=0)
        np.testing.assert_allclose(total, history[prefix + "loss"], rtol=1e-5)
    assert min(found["moved"]) > 0
    assert found["steps"] == 6 * 11
    assert found["error"] < 0.95 * found["error_of_mean"]


@on_jax
def test_files(found):
    assert found["evaluated"] == found["reloaded"]


def test_a_stopped_run_resumes(results):
    assert results["resumed"] == dict.fromkeys(RESUMED_ON_JAX, True)


@on_jax
def test_likelihood_and_samples(row, found):
    model_class = keras_ae.zoo.model_class(row.split(":")[0])
    assert ("samples" in found) == model_class.has_prior
    if model_class.has_prior:
        assert found["samples"] == [True, False]
    if not issubclass(model_class, keras_ae.Variational):
        return
    one, twenty, again = found["log_likelihood"]
    assert one < twenty == again
    assert one == pytest.approx(-found["score"], rel=0.02)
    if "kl" in found["terms"]:
        elbo = -found["evaluated"]["reconstruction"] - found["evaluated"]["kl"]
        assert one == pytest.approx(elbo, rel=0.02)


def test_a_decoder_that_sees_no_steps(results):
    assert results["inputless"] == [[2, 8, 8, 1]] * 2


def test_extremes_give_no_nan(results):
    assert results["not_a_number"] == []
    assert results["slope_of_bound"] == [1, 0, 0]


def test_estimators_agree(results):
    found = results["estimates"]
    reference, _ = found["importance"]
    for name in ("prior", "ais"):
        value, error = found[name]
        assert value == pytest.approx(reference, abs=4 * error)
    assert found["elbo"] < reference + 0.1 and found["amortisation"] >= 0


@on_jax
def test_a_file_from_jax_is_the_same_model_on_tensorflow(row, found, folder):
    model = keras_ae.load_model(folder / f"{row}.keras")
    with np.load(folder / f"{row}.npz") as expected:
        x = expected["x"]
        for name in ("reconstruct", "encode"):
            np.testing.assert_allclose(getattr(model, name)(x, **given(model, x)), expected[name], atol=1e-5)
        np.testing.assert_allclose(expected["predict"], expected["reconstruct"], atol=1e-5)
        if row in RESUMED_ON_JAX:
            assert np.isfinite(model.fit(x, targets(model, x), verbose=0).history["loss"]).all()


def test_an_export_from_jax(folder, results):
    assert results["exported"] == str(folder / "exported" / "1")
    exported = tf.saved_model.load(results["exported"])
    assert set(exported.signatures) == {"decode", "encode", "reconstruct", "sample", "score", "serving_default"}
    with np.load(folder / "vae.npz") as expected:
        found = exported.signatures["reconstruct"](x=tf.constant(expected["x"][:9]))["reconstruction"]
        np.testing.assert_allclose(found, expected["reconstruct"][:9], atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 9 rows in one request"):
        exported.signatures["sample"](n=tf.constant(10), seed=tf.constant(1))
