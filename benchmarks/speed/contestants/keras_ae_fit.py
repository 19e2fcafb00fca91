"""keras_ae as a user calls it; runs on the Keras backend of the process.

The package is imported before Keras, so that it chooses TensorFlow's operations, and not where a model is served.
"""

import math
import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

NETWORKS = {"mlp": "dense", "conv": "conv", "dcgan": "dcgan"}


def _model(shape: tuple[int, ...], case: Any) -> Any:
    import keras_ae

    return keras_ae.create(
        case.model,
        shape,
        latent_dim=case.latent_dim,
        network=NETWORKS[case.network],
        seed=0,
        **case.options,
    )


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    model = _model(images.shape[1:], case)
    from contestants.clock import InFit  # imports Keras, and so comes after keras_ae
    from keras_ae.models.training import STEPS_PER_EXECUTION

    # The default, which a callback that looks at batches, as the clock does, would switch off.
    model.compile("adam", steps_per_execution=STEPS_PER_EXECUTION)
    model.fit(images, epochs=epochs, batch_size=case.batch_size, verbose=0, callbacks=[InFit(clock)])
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)


def uses(images: np.ndarray, case: Any) -> dict[str, Callable]:
    if case.what == "serve":
        return {"serve": _served(images, case)}
    model = _model(images.shape[1:], case)
    from keras_ae import evaluation

    return {
        "encode": lambda: model.encode(images),
        "reconstruct": lambda: model.reconstruct(images),
        "sample": lambda: model.sample(len(images), seed=0),
        "one by one": lambda: [model.encode(image) for image in np.split(images, len(images) // case.batch_size)],
        "likelihood": lambda: evaluation.log_likelihood(model, images, samples=case.batch_size),
    }


def _export(shape: tuple[int, ...], case: Any, folder: str) -> str:
    import keras_ae

    return str(keras_ae.export(_model(shape, case), folder))


def _served(images: np.ndarray, case: Any) -> Callable:
    """Requests to the exported model, with TensorFlow alone."""
    import tensorflow as tf

    case = case._replace(options=dict(case.options), settings=dict(case.settings))  # what another process can be sent
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        served = tf.saved_model.load(other.submit(_export, images.shape[1:], case, folder).result())
    encode, requests = served.signatures["encode"], tf.split(tf.constant(images), len(images) // case.batch_size)
    return lambda: [encode(x=request)["code"].numpy() for request in requests]
