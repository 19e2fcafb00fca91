"""What `test_jax.py` runs in a process that has JAX and no TensorFlow: trains models of the conformance table.

    python -c BLOCK + this FOLDER ROW...

Writes FOLDER/results.json, and FOLDER/ROW.keras and .npz with what the models compute; with the row vae, also what is
tested of few models alone.
"""

import json
import sys
from pathlib import Path
from unittest import mock

import jax
import keras
import numpy as np

import keras_ae
from keras_ae import backend, divergences
from keras_ae.backend import KeyedSeed
from keras_ae.distributions import FullNormal
from tests.conformance.table import RESUMED_ON_JAX, SHAPE, batch_of, given, make, same, targets, weights
from tests.distributions import test_extremes

SIZES = (("train", 11), ("test", 2))


def report(row, folder):
    """Everything that the parent asserts about a model."""
    # Whole batches only: each further shape is a further compilation.
    train, test = (keras_ae.data.load("digits", split, binarize="threshold").x[: 128 * n] for split, n in SIZES)
    rate = 1e-2 if row == "sequence_ae" else 2e-2  # a transformer learns nothing at the others' rate
    straight = make(row, optimizer=keras_ae.optimizers.Adam(rate), steps_per_execution=1)
    before = [np.asarray(weight.value) for weight in straight.trainable_weights]
    y, validation = targets(straight, train), (test, targets(straight, test))
    history = straight.fit(train, y, epochs=6, batch_size=128, validation_data=validation, verbose=0).history
    moved = [np.abs(b - weight.value).max() for b, weight in zip(before, straight.trainable_weights, strict=True)]
    path = folder / f"{row}.keras"
    straight.save(path)
    again = keras_ae.load_model(path)
    x = test[:20]
    condition = given(straight, x)
    np.savez(
        folder / f"{row}.npz",
        x=x,
        reconstruct=straight.reconstruct(x, **condition),
        encode=straight.encode(x, **condition),
        predict=straight.predict({"x": x, **condition} if condition else x, verbose=0),
    )
    found = {
        "class": type(straight).__name__,
        "history": history,
        "terms": straight.terms,
        "companions": straight.companions,
        "moved": [float(distance) for distance in moved],
        "steps": int(straight.step.value),
        "evaluated": straight.evaluate(*validation, batch_size=128, verbose=0, return_dict=True),
        "reloaded": again.evaluate(*validation, batch_size=128, verbose=0, return_dict=True),
        "error": float(np.square(straight.reconstruct(test, **given(straight, test)) - test).mean()),
        "error_of_mean": float(np.square(train.mean(axis=0) - test).mean()),
    }
    if isinstance(straight, keras_ae.Variational):
        likelihood = [
            keras_ae.evaluation.log_likelihood(straight, test, samples=k, seed=0, **given(straight, test)).log_prob
            for k in (1, 20, 20)
        ]
        found |= {
            "log_likelihood": [float(value.mean()) for value in likelihood],
            "score": float(np.mean(straight.score(batch_of(straight, test), KeyedSeed(0), 8))),
        }
    if straight.has_prior:
        options = {"condition": 1} if straight.conditional else {}
        samples = [straight.sample(3, seed=seed, **options) for seed in (1, 1, 2)]
        found["samples"] = [same(samples[:1], samples[1:2]), same(samples[:1], samples[2:])]
    return found


def resumes(row, folder):
    """Whether a run that was stopped and resumed ends like one that was not, and unlike the stopped one."""
    x = keras_ae.data.load("digits", "train", binarize="threshold").x[:128]
    straight, stopped = make(row), make(row)
    y = targets(straight, x)
    straight.fit(x, y, epochs=3, batch_size=64, verbose=0)
    stopped.fit(x, y, epochs=1, batch_size=64, verbose=0)
    stopped.save(folder / "stopped.keras")
    resumed = keras_ae.load_model(folder / "stopped.keras")
    resumed.fit(x, y, epochs=3, initial_epoch=1, batch_size=64, verbose=0)
    return same(weights(straight), weights(resumed)) and not same(weights(straight), weights(stopped))


def inputless():
    """The shapes of what a model whose decoder never sees the steps before decodes and draws."""
    model = keras_ae.create("sequence_vae", SHAPE, 2, word_dropout=1, seed=0, network_options={"units": 4})
    return [list(model.sample(2, seed=0, observation=kind).shape) for kind in ("mean", "sample")]


def estimates(folder):
    """Every estimator of log p(x) and the gap, on a few examples."""
    evaluation, x = keras_ae.evaluation, np.load(folder / "vae.npz")["x"][:8]
    model = keras_ae.load_model(folder / "vae.keras")
    by = {
        "importance": evaluation.log_likelihood(model, x, samples=500),
        "prior": evaluation.log_likelihood(model, x, "prior", samples=2000),
        "ais": evaluation.log_likelihood(model, x, "ais", samples=8, steps=50),
    }
    gap = evaluation.inference_gap(model, x, steps=50, samples=50)
    found = {name: [float(value.mean()) for value in estimate[:2]] for name, estimate in by.items()}
    return found | {"elbo": float(gap.elbo.mean()), "amortisation": float(gap.amortisation.min())}


def calls_of_lapack():
    """How many are in the density and the divergences of full covariances; see `FullNormal.inverse_scale`."""

    def of_full_covariances(mean, factor, z):
        q = FullNormal(mean, factor)
        return q.log_prob(z), divergences.kl(q, FullNormal(z, factor))

    shapes = [jax.ShapeDtypeStruct(shape, "float32") for shape in ((4, 5), (4, 5, 5), (4, 5))]
    return jax.jit(of_full_covariances).lower(*shapes).as_text().count("custom_call")


def many_steps_change_nothing(folder):
    """Whether several steps a call give the same weights as one, also the way of accelerators."""
    x, found = np.load(folder / "vae.npz")["x"][:18].astype("uint8"), []
    for steps, accelerator in ((1, False), (5, False), (5, True)):
        answers = {name: lambda *_, answer=accelerator: answer for name in ("on_accelerator", "fits_on_accelerator")}
        with mock.patch.multiple(backend, **answers, scanned=mock.Mock(wraps=backend.scanned)):
            model = make("vae", steps_per_execution=steps)
            model.fit(x, batch_size=4, epochs=2, validation_data=x, verbose=0)
            assert backend.scanned.called is accelerator
        found.append(weights(model))
    return all(same(found[0], other, atol=1e-6) for other in found[1:])


def steps_and_data(folder):
    """Steps over a generator, what is left after one of its batches is refused, and a weight that is assigned."""
    x = np.load(folder / "vae.npz")["x"][:4]
    model = make("beta_vae", steps_per_execution=4)

    def batches(last):
        yield from [(x,)] * 9
        yield (last,)

    model.fit(batches(x), steps_per_epoch=6, verbose=0)
    found = {"steps": int(model.step.value), "predicted": len(model.predict(batches(x), steps=3, verbose=0))}
    kept = []
    for use in (model.fit, model.evaluate, model.predict):
        try:
            use(batches(255 * x), verbose=0)
        except keras_ae.InputError as error:
            kept.append([str(error)[:11], bool(np.isfinite(model.reconstruct(x)).all())])
    model.beta = 0.0
    logs = [model.fit(x, verbose=0).history, model.evaluate(x, verbose=0, return_dict=True)]
    return found | {"kept": kept, "weights": [float(np.ravel(log["penalty"] / np.ravel(log["kl"]))[0]) for log in logs]}


def of_few_models(folder):
    """What is not asked of every row; the export goes through TensorFlow, in a process of its own."""
    model = keras_ae.load_model(folder / "vae.keras")
    return {
        "resumed": {row: resumes(row, folder) for row in RESUMED_ON_JAX},
        "inputless": inputless(),
        "estimates": estimates(folder),
        "calls_of_lapack": calls_of_lapack(),
        "not_a_number": [name for name in test_extremes.TABLE if test_extremes.has_nan(name)],
        "slope_of_bound": test_extremes.slope_of_bound([0.0, 1e25, -1e38]).tolist(),
        "steps_and_data": steps_and_data(folder),
        "many_steps": many_steps_change_nothing(folder),
        "exported": str(keras_ae.export(model, folder / "exported", limit=9)),
    }


def main():
    """Reports on the rows."""
    folder, rows = Path(sys.argv[1]), sys.argv[2:]
    assert keras.backend.backend() == "jax"
    results = {row: report(row, folder) for row in rows}
    if "vae" in rows:
        results |= of_few_models(folder)
    results["tensorflow"] = sorted(name for name in sys.modules if name.split(".")[0] == "tensorflow")
    results["jax"] = jax.__version__
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
