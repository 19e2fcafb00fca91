"""The formats of an export. All are written on the TensorFlow backend."""

import os
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_ae import errors
from keras_ae.checks import Count, checked
from keras_ae.models.base import Autoencoder
from keras_ae.serving.signatures import endpoints

FORMATS = {"saved_model": "saved_model.pb", "onnx": "*.onnx", "litert": "*.tflite"}  # name -> a file of its versions
PACKAGES = {"onnx": "tf2onnx", "serving": "tensorflow_serving"}  # extra -> what it brings that an export needs
PARTS = ("encode", "decode", "reconstruct")  # what is deterministic, and so a graph in every format
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")


@checked
def write(
    model: Autoencoder,
    folder: str | os.PathLike,
    format: str = "saved_model",
    warmup: bool = False,
    limit: Count | None = None,
) -> None:
    """Writes one version of an export into a folder that does not exist; needs the TensorFlow backend."""
    folder = Path(folder)
    if folder.exists():
        raise errors.InputError(f"folder must not exist yet. Received: folder={str(folder)!r}.")
    if format not in FORMATS:
        raise errors.unknown("format of an export", format, FORMATS)
    if format == "saved_model":
        _write_saved_model(model, folder, limit)
        if warmup:
            _write_warmup_requests(model, folder)
        return
    halves = {layer.compute_dtype for net in (model.encoder, model.decoder) for layer in net.layers} - {"float32"}
    if halves:
        raise errors.InputError(
            f"The format {format} needs networks that compute in float32. Received: {', '.join(sorted(halves))}. Build "
            "the model anew under float32 and copy.set_weights(model.get_weights()), or use the format saved_model."
        )
    try:
        files = {"onnx": _onnx_files, "litert": _litert_files}[format](model)
    except OSError:
        raise
    except Exception as error:  # converters raise whatever an operation that they do not know raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise errors.InputError(
            f"This {type(model).__name__} cannot be written as {format}: {reason} Use the format saved_model."
        ) from error
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _write_saved_model(model: Autoencoder, folder: Path, limit: int | None = None) -> None:
    import tensorflow as tf

    archive = keras.export.ExportArchive()  # tracking the model, too, would store every weight twice
    for name, (function, signature) in endpoints(model, limit).items():
        archive.add_endpoint(name, function, signature)
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:  # the disk is full, or the like
        raise OSError(error.message.rpartition("; ")[2]) from error


def _write_warmup_requests(model: Autoencoder, folder: Path) -> None:
    """One request of ones for each signature, which TensorFlow Serving answers before it says that it is ready."""
    import tensorflow as tf
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    (folder / WARMUP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as records:
        for name, (_, signature) in endpoints(model).items():
            ones = {spec.name: np.ones([axis or 1 for axis in spec.shape], spec.dtype) for spec in signature}
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(signature_name=name),
                inputs={key: tf.make_tensor_proto(value) for key, value in ones.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            records.write(log.SerializeToString())


def _onnx_files(model: Autoencoder) -> dict[str, bytes]:
    """A file for each part."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    files = {}
    for part in PARTS:
        function, signature = endpoints(model)[part]
        specs = [tf.TensorSpec(spec.shape, spec.dtype, spec.name) for spec in signature]
        proto, _ = tf2onnx.convert.from_function(tf.function(function, input_signature=specs), specs)
        onnx.checker.check_model(proto, full_check=True)  # the converter only logs what it does not know
        files[f"{part}.onnx"] = proto.SerializeToString()
    return files


def _litert_files(model: Autoencoder) -> dict[str, bytes]:
    """One file whose signatures are the parts, so that they share their weights."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        _write_saved_model(model, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(PARTS))
        return {"model.tflite": converter.convert()}
