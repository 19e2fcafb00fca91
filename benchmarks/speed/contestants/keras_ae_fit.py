"""keras_ae as a user calls it; runs on the Keras backend of the process."""

import math
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

import keras_ae
from contestants.clock import InFit
from keras_ae.models.training import STEPS_PER_EXECUTION

NETWORKS = {"mlp": "dense", "conv": "conv", "dcgan": "dcgan"}


def _model(images: np.ndarray, case: Any) -> Any:
    return keras_ae.create(
        case.model,
        images.shape[1:],
        latent_dim=case.latent_dim,
        network=NETWORKS[case.network],
        seed=0,
        **case.options,
    )


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    model = _model(images, case)
    # The default, which a callback that looks at batches, as the clock does, would switch off.
    model.compile("adam", steps_per_execution=STEPS_PER_EXECUTION)
    model.fit(images, epochs=epochs, batch_size=case.batch_size, verbose=0, callbacks=[InFit(clock)])
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)


def uses(images: np.ndarray, case: Any) -> dict[str, Callable]:
    model = _model(images, case)
    if case.what == "serve":
        return {"serve": _served(model, images, case.batch_size)}
    return {
        "encode": lambda: model.encode(images),
        "reconstruct": lambda: model.reconstruct(images),
        "sample": lambda: model.sample(len(images), seed=0),
        "likelihood": lambda: keras_ae.evaluation.log_likelihood(model, images, samples=case.batch_size),
    }


def _served(model: Any, images: np.ndarray, batch_size: int) -> Callable:
    """Requests to the exported model, with TensorFlow alone."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(keras_ae.export(model, folder)))
    encode, requests = served.signatures["encode"], tf.split(tf.constant(images), len(images) // batch_size)
    return lambda: [encode(x=request)["code"].numpy() for request in requests]
