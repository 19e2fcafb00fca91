"""Keras layers that the variants use; each also works in a model of one's own."""

from keras_ae.layers.convolution import StridedConv2D, StridedConv2DTranspose
from keras_ae.layers.corruption import MaskingNoise, NormalNoise, SaltAndPepperNoise
from keras_ae.layers.head import Head
from keras_ae.layers.normalization import FusedBatchNormalization
from keras_ae.layers.sampling import Sampling
from keras_ae.layers.sequences import Observed, Positions

__all__ = [
    "FusedBatchNormalization",
    "Head",
    "MaskingNoise",
    "NormalNoise",
    "Observed",
    "Positions",
    "SaltAndPepperNoise",
    "Sampling",
    "StridedConv2D",
    "StridedConv2DTranspose",
]
