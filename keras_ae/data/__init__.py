"""Data sets as arrays: embedded digits, the image sets of TensorFlow Datasets, and one's own files."""

from keras_ae.data.dataset import Dataset
from keras_ae.data.labels import balanced, keep_labels, semi_supervised_batches
from keras_ae.data.sources import list_datasets, load
from keras_ae.data.tokenizer import Tokenizer

__all__ = ["Dataset", "Tokenizer", "balanced", "keep_labels", "list_datasets", "load", "semi_supervised_batches"]
