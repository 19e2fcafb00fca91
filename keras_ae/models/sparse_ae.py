"""The sparse autoencoder with an L1 penalty."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_ae import errors
from keras_ae.checks import Positive, checked
from keras_ae.models.base import Autoencoder, by_name
from keras_ae.models.batch import Batch
from keras_ae.schedules import Weight

FEATURES = "/features"  # no layer has this name
TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)


@keras.saving.register_keras_serializable("keras_ae")
class SparseAE(Autoencoder):
    """Sparse autoencoder with an L1 penalty on activations h (Goodfellow et al., 2016, eq. 14.2 and sec. 14.2.1).

        E = L(x, g(f(x))) + lambda sum_i |h_i|

    The penalty alone could be escaped by a small code and a decoder of large weights. So the weights that leave each
    unit of the decoder, its columns if W acts from the left, have a norm of at most `max_norm`.

    Args:
        penalty: lambda, in nats per unit of activation; a number or a schedule.
        penalized_layers: whose activations h are: `"code"`, names of layers of the encoder, or both.
        max_norm: bound of the decoder's columns; None for no bound.
        code_activation: ReLU by default, so that the code can be exactly zero.
        encoder, decoder, latent_dim, likelihood, output_layer, seed: see `Autoencoder`.

    Terms: reconstruction, sparsity (lambda included; nats per example).

    Example:
        >>> import numpy as np
        >>> from keras_ae import networks
        >>> model = SparseAE(*networks.dense((4,), latent_dim=8, hidden=(8,)), latent_dim=8, penalty=0.1)
        >>> model.compile("adam")
        >>> sorted(model.fit(np.ones((16, 4), "float32"), verbose=0).history)
        ['loss', 'reconstruction', 'sparsity']
    """

    terms = ("reconstruction", "sparsity")
    settings = ("penalty", "penalized_layers", "max_norm")
    schedulable = ("penalty",)

    @checked
    def __init__(
        self,
        *args: Any,
        penalty: Weight = 0.1,
        penalized_layers: str | Sequence[str] = "code",
        max_norm: Positive | None = 1.0,
        **kwargs: Any,
    ) -> None:
        self.penalty, self.max_norm = penalty, max_norm
        names = (penalized_layers,) if isinstance(penalized_layers, str) else tuple(penalized_layers)
        self.penalized_layers = names
        super().__init__(**{"code_activation": "relu", **by_name(args, kwargs)})

    def prepare_networks(self, encoder: keras.Model, decoder: keras.Model) -> tuple[keras.Model, keras.Model]:
        known = ["code", *(layer.name for layer in encoder.layers)]
        for name in self.penalized_layers:
            if name not in known:
                raise errors.unknown("layer of the encoder", name, known)
        hidden = {name: encoder.get_layer(name).output for name in self.penalized_layers if name != "code"}
        self.activations = keras.Model(encoder.inputs[0], {FEATURES: encoder.outputs[0], **hidden}, name="activations")
        return encoder, decoder

    def finish_building(self) -> None:
        if self.max_norm is not None:
            for layer in filter(None, (self.decoder, self.output_head)):
                _bound_columns(layer, self.max_norm)
        super().finish_building()

    def objective(self, batch: Batch, training: bool) -> dict[str, Any]:
        hidden = self.activations(self.likelihood.encoder_input(batch.x), training=training)
        hidden["code"] = code = self.code_head(hidden[FEATURES])
        return {
            "reconstruction": self.reconstruction(batch, code, training),
            "sparsity": self.now(self.penalty) * sum(_l1_norm(hidden[name]) for name in self.penalized_layers),
        }


def _l1_norm(h: Any) -> Any:
    return ops.sum(ops.abs(ops.cast(h, "float32")), axis=tuple(range(1, ops.ndim(h))))


def _bound_columns(network: keras.layers.Layer, max_norm: float) -> None:
    """Keeps the norm of the weights that leave each unit of every layer below `max_norm`."""
    for layer in network._flatten_layers():
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        unit_axis = len(kernel.shape) - (1 if isinstance(layer, TRANSPOSED) else 2)
        axes = tuple(axis for axis in range(len(kernel.shape)) if axis != unit_axis)
        kernel.constraint = functools.partial(_with_max_norm, max_norm=max_norm, axes=axes)
        kernel.assign(kernel.constraint(kernel.value))


def _with_max_norm(kernel: Any, max_norm: float, axes: tuple[int, ...]) -> Any:
    """`keras.constraints.MaxNorm`, but for what it does to a norm below the bound: nothing."""
    kernel = ops.convert_to_tensor(kernel)
    norm = ops.sqrt(ops.sum(ops.square(kernel), axis=axes, keepdims=True))
    return ops.where(norm > max_norm, kernel * ops.divide_no_nan(ops.cast(max_norm, norm.dtype), norm), kernel)
