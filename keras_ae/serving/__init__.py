"""Models for serving: SavedModels, ONNX files and LiteRT files."""

from keras_ae.serving.formats import FORMATS, write
from keras_ae.serving.signatures import SCORE_DRAWS, endpoints
from keras_ae.serving.versions import export

__all__ = ["FORMATS", "SCORE_DRAWS", "endpoints", "export", "write"]
