"""Dropout at the hidden layers of a network."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_ae import errors
from keras_ae.checks import Dropout, Seed, checked

NONLINEARITIES = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.PReLU)


@checked
def hidden_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers that end in a nonlinearity, in order."""
    return [layer for layer in network.layers if _is_hidden(layer)]


def _is_hidden(layer: keras.layers.Layer) -> bool:
    linear = (None, keras.activations.linear)
    return isinstance(layer, NONLINEARITIES) or getattr(layer, "activation", None) not in linear


@checked
def with_dropout(network: keras.Model, rates: Sequence[Dropout], seeds: Sequence[Seed]) -> keras.Model:
    """The same network, of the same layers, with dropout after each hidden layer.

    Args:
        network: a `keras.Model`.
        rates: share of units that is dropped, one for each of `hidden_layers(network)`.
        seeds: integers, one for each.
    """
    layers = hidden_layers(network)
    for name, given in (("rates", rates), ("seeds", seeds)):
        if len(given) != len(layers):
            names = ", ".join(layer.name for layer in layers)
            wanted = f"a list of one number for each hidden layer of the {network.name}: {len(layers)} ({names})"
            raise errors.wrong(name, wanted, given)
    dropouts = {id(layer): keras.layers.Dropout(r, seed=s) for layer, r, s in zip(layers, rates, seeds, strict=True)}

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        values = layer(*args, **kwargs)
        return dropouts[id(layer)](values) if id(layer) in dropouts else values

    inputs = network.inputs if len(network.inputs) > 1 else network.inputs[0]
    functional = keras.Model(inputs, network.outputs[0], name=network.name)
    return keras.models.clone_model(functional, clone_function=lambda layer: layer, call_function=call)
