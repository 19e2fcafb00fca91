"""Strided convolutions between small images, trained faster."""

import math
from typing import Any

import keras
from keras import ops

from keras_ae import backend

SMALL = 16  # positions of the smaller image up to which the product of patches is the faster gradient


@keras.saving.register_keras_serializable("keras_ae")
class StridedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a faster gradient of the kernel where the output is small.

    The gradient is sum_n patch_n^T dy_n, over the positions n of the output. On a CPU TensorFlow's operation for it is
    made for large images; where the output has few positions, one matrix product of all patches takes half the time.
    Elsewhere, and on other backends, it is Keras' layer, as it is at inference.

    Args:
        filters, kernel_size, kwargs: of `keras.layers.Conv2D`.

    Example:
        >>> StridedConv2D(8, 5, strides=2, padding="same")(ops.ones((2, 8, 8, 3)), training=True).shape == (2, 4, 4, 8)
        True
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not (training and _pays(self, self.compute_output_shape(inputs.shape))):
            return super().call(inputs)
        import tensorflow as tf

        strides = (1, *self.strides, 1)

        @tf.custom_gradient
        def convolve(x: Any, kernel: Any) -> tuple:
            def gradient(dy: Any) -> tuple:
                dx = tf.nn.conv2d_transpose(dy, kernel, tf.shape(x), strides)
                return dx, _product_of_patches(x, dy, kernel.shape, strides)

            return tf.nn.conv2d(x, kernel, strides, "SAME"), gradient

        return _finished(self, convolve(inputs, tf.convert_to_tensor(self.kernel)))


@keras.saving.register_keras_serializable("keras_ae")
class StridedConv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with a faster gradient of the kernel where the input is small.

    What is said of `StridedConv2D` holds here, with input and output exchanged.

    Args:
        filters, kernel_size, kwargs: of `keras.layers.Conv2DTranspose`.

    Example:
        >>> layer = StridedConv2DTranspose(8, 5, strides=2, padding="same")
        >>> layer(ops.ones((2, 4, 4, 3)), training=True).shape == (2, 8, 8, 8)
        True
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        shape = self.compute_output_shape(inputs.shape)
        if not (training and _pays(self, inputs.shape) and self.output_padding is None):
            return super().call(inputs)
        import tensorflow as tf

        strides = (1, *self.strides, 1)

        @tf.custom_gradient
        def convolve(x: Any, kernel: Any) -> tuple:
            def gradient(dy: Any) -> tuple:
                dx = tf.nn.conv2d(dy, kernel, strides, "SAME")
                return dx, _product_of_patches(dy, x, kernel.shape, strides)

            return tf.nn.conv2d_transpose(x, kernel, (tf.shape(x)[0], *shape[1:]), strides), gradient

        return _finished(self, convolve(inputs, tf.convert_to_tensor(self.kernel)))


def _pays(layer: Any, smaller: tuple[int | None, ...]) -> bool:
    """Whether the product of patches serves a layer, and is faster."""
    plain = layer.padding == "same" and layer.data_format == "channels_last" and layer.compute_dtype == "float32"
    whole = layer.dilation_rate in (1, (1, 1)) and getattr(layer, "groups", 1) == 1
    sides = [side for side in smaller[1:3] if side is not None]
    few = len(sides) == 2 and math.prod(sides) <= SMALL
    return plain and whole and few and backend.is_tensorflow_on_cpu()


def _product_of_patches(image: Any, small: Any, shape: Any, strides: tuple[int, ...]) -> Any:
    """The gradient of a strided convolution, from `image` to `small`, with respect to its kernel."""
    import tensorflow as tf

    patches = tf.image.extract_patches(image, (1, *shape[:2], 1), strides, (1, 1, 1, 1), "SAME")
    rows, columns = (ops.reshape(tensor, (-1, tensor.shape[-1])) for tensor in (patches, small))
    return tf.reshape(tf.matmul(rows, columns, transpose_a=True), shape)


def _finished(layer: Any, outputs: Any) -> Any:
    return layer.activation(outputs + layer.bias if layer.use_bias else outputs)
