"""Numbers, of how many and of how much, that cannot be meant are named: no function takes them in silence."""

import numpy as np
import pytest

import keras_ae
from keras_ae import data, evaluation, tasks
from keras_ae.errors import InputError
from keras_ae.layers import MaskingNoise, NormalNoise, SaltAndPepperNoise

X = (np.random.default_rng(0).random((12, 4)) > 0.5).astype("float32")
Y = np.arange(12) % 3
SEEDS = (-1, 2**32, 1.5, "1", True, None)
COUNTS = (0, -1, 2.5, "3", True, np.array([1, 2]), float("nan"))
LENGTHS = (0.0, -1.0, float("nan"), float("inf"), "1", True)  # positive numbers
MODEL = keras_ae.create("vae", (4,), 2, seed=0, network_options={"hidden": (4,)})
MODEL.compile("adam", run_eagerly=True)
CODES = np.random.default_rng(0).normal(size=(12, 2))

# Function of an argument -> its name and the values that it must not take.
TABLE = {
    "log_likelihood": (
        lambda **bad: evaluation.log_likelihood(MODEL, X, **bad),
        {"samples": COUNTS, "rows": COUNTS, "steps": COUNTS, "seed": SEEDS},
    ),
    "elbo": (
        lambda **bad: evaluation.elbo(MODEL, X, **bad),
        {"samples": COUNTS, "rows": COUNTS, "draws": COUNTS, "seed": SEEDS},
    ),
    "bidirectional": (
        lambda **bad: evaluation.bidirectional(MODEL, **bad),
        {"n": COUNTS, "samples": COUNTS, "steps": COUNTS, "rows": COUNTS, "seed": SEEDS},
    ),
    "optimise_posterior": (
        lambda **bad: evaluation.optimise_posterior(MODEL, X, **bad),
        {"steps": COUNTS, "samples": COUNTS, "rows": COUNTS, "learning_rate": LENGTHS, "seed": SEEDS},
    ),
    "inference_gap": (
        lambda **bad: evaluation.inference_gap(MODEL, X, **bad),
        {"steps": COUNTS, "samples": COUNTS, "chains": COUNTS, "temperatures": COUNTS[1:], "seed": SEEDS},
    ),
    "active_units": (lambda **bad: evaluation.active_units(MODEL, X, **bad), {"threshold": LENGTHS[1:]}),
    "CollapseMonitor": (
        lambda **bad: evaluation.CollapseMonitor(X, **bad),
        {"patience": COUNTS[1:], "share": LENGTHS[1:]},
    ),
    "evaluate": (
        lambda **bad: evaluation.evaluate(MODEL, X, **bad),
        {"samples": COUNTS, "steps": COUNTS, "seed": SEEDS, "gap_examples": COUNTS[1:]},
    ),
    "evaluate of a deterministic model": (
        lambda **bad: evaluation.evaluate(keras_ae.create("linear_ae", (4,), 2), X, **bad),
        {"samples": COUNTS},
    ),
    "sample_quality": (
        lambda **bad: evaluation.sample_quality(X, X, np.asarray, **bad),
        {"neighbours": COUNTS, "seed": SEEDS},
    ),
    "probe_codes": (lambda **bad: evaluation.probe_codes(CODES, Y, CODES, Y, [None], **bad), {"seed": SEEDS}),
    "baselines": (
        lambda **bad: evaluation.baselines(X, X, likelihood=MODEL.likelihood, **bad),
        {"dimensions": COUNTS},
    ),
    "choose_latent_dim": (
        lambda **bad: evaluation.choose_latent_dim(lambda *_: MODEL, X, X, [2], **bad),
        {"epochs": COUNTS, "batch_size": COUNTS, "samples": COUNTS},
    ),
    "traverse": (
        lambda **bad: tasks.traverse(MODEL, X, **bad),
        {"dimensions": COUNTS, "steps": (1, *COUNTS), "span": LENGTHS, "example": (12, *COUNTS[1:])},
    ),
    "shift": (lambda **bad: tasks.shift(MODEL, X, [1.0, 0.0], **bad), {"strength": LENGTHS[2:]}),
    "interpolate": (lambda **bad: tasks.interpolate(MODEL, X, X, **bad), {"steps": (1, *COUNTS)}),
    "prior_codes": (lambda **bad: tasks.prior_codes(MODEL, **{"n": 2, **bad}), {"n": COUNTS, "seed": SEEDS}),
    "nearest_neighbours": (lambda **bad: tasks.nearest_neighbours(MODEL, X, X, **bad), {"k": (13, *COUNTS)}),
    "classifier": (
        lambda **bad: tasks.classifier(MODEL, **{"num_classes": 3, **bad}),
        {"num_classes": COUNTS, "seed": SEEDS[:-1]},
    ),
    "features": (lambda **bad: tasks.features(MODEL, X, **bad), {"batch_size": COUNTS}),
    "compress": (
        lambda **bad: tasks.compress(X, MODEL, "x", **bad),
        {"latent_bits": (17, *COUNTS), "batch_size": COUNTS},
    ),
    "compress_codes": (lambda **bad: tasks.compress_codes(X, MODEL, "x", **bad), {"step": LENGTHS}),
    "AutoencoderTransformer": (
        lambda **bad: tasks.AutoencoderTransformer(**bad).fit(X),
        {"latent_dim": COUNTS, "epochs": COUNTS, "batch_size": COUNTS, "learning_rate": LENGTHS},
    ),
    "balanced": (lambda **bad: data.balanced(Y, 3, **bad), {"seed": SEEDS}),
    "keep_labels": (lambda **bad: data.keep_labels(Y, 3, **bad), {"seed": SEEDS}),
    "semi_supervised_batches": (
        lambda **bad: data.semi_supervised_batches(X, Y - 1, **bad),
        {"unlabelled": COUNTS, "labelled": COUNTS, "seed": SEEDS[:-1]},
    ),
    "sample of a model": (lambda **bad: MODEL.sample(**{"n": 2, **bad}), {"n": COUNTS, "seed": SEEDS[:-1]}),
    "sample of a data set": (
        lambda **bad: data.load("digits", "test", binarize="dynamic").sample(**bad),
        {"seed": SEEDS},
    ),
    "Tokenizer": (lambda **bad: data.Tokenizer.adapt(["ada"], **bad), {"steps": COUNTS, "vocabulary_size": COUNTS}),
    "NormalNoise": (lambda **bad: NormalNoise(**bad), {"deviation": LENGTHS[1:]}),
    "MaskingNoise": (lambda **bad: MaskingNoise(**bad), {"rate": (1.1, *LENGTHS[1:])}),
    "SaltAndPepperNoise": (lambda **bad: SaltAndPepperNoise(**bad), {"rate": (1.1, *LENGTHS[1:])}),
}
CASES = [(name, argument) for name, (_, arguments) in TABLE.items() for argument in arguments]


@pytest.mark.parametrize("name, argument", CASES)
def test_the_argument_is_named(name, argument):
    call, arguments = TABLE[name]
    for value in arguments[argument]:
        with pytest.raises(InputError, match=rf"^{argument} must be .*Received: .*{argument}="):
            call(**{argument: value})
