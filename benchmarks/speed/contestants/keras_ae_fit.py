"""keras_ae as a user calls it; runs on the Keras backend of the process."""

import math

import keras
import numpy as np

import keras_ae

NETWORKS = {"mlp": "dense", "conv": "conv"}


def train(images: np.ndarray, model_name: str, batch_size: int, epochs: int, clock: keras.callbacks.Callback) -> int:
    """Trains the model; returns its number of trainable parameters."""
    model = keras_ae.create("vae", images.shape[1:], latent_dim=16, network=NETWORKS[model_name], seed=0)
    model.compile("adam")
    model.fit(images, epochs=epochs, batch_size=batch_size, verbose=0, callbacks=[clock])
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)
