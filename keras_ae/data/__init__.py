"""Data sets as arrays: embedded digits, the image sets of TensorFlow Datasets, and one's own files."""

from keras_ae.data.dataset import Dataset
from keras_ae.data.sources import list_datasets, load

__all__ = ["Dataset", "list_datasets", "load"]
