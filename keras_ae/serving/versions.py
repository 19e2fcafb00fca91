"""`export`: a model becomes the next version in a folder of versions."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import keras

from keras_ae import errors, writing
from keras_ae.checks import Count, checked
from keras_ae.models import monitoring
from keras_ae.models.base import Autoencoder
from keras_ae.serving import formats
from keras_ae.serving.signatures import default_limit


@checked
def export(
    model: Autoencoder,
    path: str | os.PathLike,
    format: str = "saved_model",
    warmup: bool = False,
    limit: Count | None = None,
) -> Path:
    """Writes a model for serving as `path/N/`, whole or not at all, with the next free number N from 1.

    `"saved_model"` has TensorFlow Serving's layout and needs TensorFlow alone to run. Signatures, with named inputs and
    outputs:

        serving_default, reconstruct   x -> reconstruction        the mean of p(x | code of x)
        encode                         x -> code                  (the mean of q(z|x))
        decode                         code -> reconstruction
        score                          x, seed -> score           nats per example: the negative ELBO averaged over 16
                                                                  draws of q that are a function of seed; without a
                                                                  posterior, the reconstruction error
        sample                         n, seed -> x               means of p(x|z), z ~ p(z); only with a prior

    `"onnx"` gives `encode.onnx`, `decode.onnx` and `reconstruct.onnx`, `"litert"` gives `model.tflite` with the
    signatures `encode`, `decode` and `reconstruct`; names of inputs and outputs are the same.

    Batch sizes are free in every format. Each signature also takes `condition`, (batch, condition_dim) vectors, where
    the model has one; classes are one-hot. How to serve each of them: docs/serving.md.

    Args:
        model: any model of the zoo; on the JAX backend it is reloaded on TensorFlow in a process of its own.
        path: folder that gets a new version.
        format: `"saved_model"`, `"onnx"` (needs the extra `onnx`) or `"litert"`.
        warmup: whether a SavedModel holds a request for each signature that TensorFlow Serving answers before it
            takes those of others (needs the extra `serving`).
        limit: most rows that one request to a SavedModel may have, and most examples that it may ask `sample` for (of
            `score`, a 16th): more are an InvalidArgumentError of the client's, where the server would run out of memory
            otherwise. None for as many as give the model's largest layer 2^27 values, 512 MiB.

    Returns:
        The folder of the version.

    Raises:
        InputError: `path` is a file, or a folder that holds something else than versions in this format; a package is
            missing; the format lacks an operation of the model; or a weight is not finite.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2)
        >>> export(model, tempfile.mkdtemp()).name
        '1'
    """
    if format not in formats.FORMATS:
        raise errors.unknown("format of an export", format, formats.FORMATS)
    if warmup and format != "saved_model":
        raise errors.InputError(f"warmup is for format='saved_model'. Received: format={format!r}.")
    if limit is not None and format != "saved_model":
        raise errors.InputError(f"limit is for format='saved_model'. Received: format={format!r}, limit={limit!r}.")
    limit = default_limit(model) if limit is None else errors.whole_number("limit", limit, most=2**31 - 1)
    for needed, extra in ((format == "onnx", "onnx"), (warmup, "serving")):
        if needed and not importlib.util.find_spec(formats.PACKAGES[extra]):
            raise errors.InputError(
                f"This export needs the package {formats.PACKAGES[extra]}: pip install 'keras-ae[{extra}]'."
            )
    monitoring.check_weights(model)
    path = Path(path)
    with writing.staged(path / str(_next_version(path, format))) as temporary:
        if keras.backend.backend() == "tensorflow":
            formats.write(model, temporary, format, warmup, limit)
        else:
            _write_in_tensorflow(model, temporary, format, warmup, limit)
        while True:
            target = path / str(_next_version(path, format))
            try:
                writing.move_folder(temporary, target)
            except OSError:
                if not target.exists():
                    raise  # else another export took the number meanwhile
            else:
                return target


def _next_version(path: Path, format: str) -> int:
    """The next free version number in a folder that holds nothing but versions in one format."""
    if path.exists() and not path.is_dir():
        raise errors.InputError(f"The export target {path} exists and is a file. Choose another folder.")
    found = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")] if path.is_dir() else []
    foreign = sorted(name for name in found if not re.fullmatch(r"\d+", name))
    if foreign:
        raise errors.InputError(
            f"The export target {path} exists and holds something else than numbered versions: "
            f"{', '.join(foreign[:3])}. Choose a new or an empty folder."
        )
    for other in formats.FORMATS.keys() - {format}:
        if any(any((path / version).glob(formats.FORMATS[other])) for version in found):
            raise errors.InputError(
                f"The export target {path} holds versions in the format {other}, among which a server would not expect "
                f"{format}. Choose another folder."
            )
    return max(map(int, found), default=0) + 1


def _write_in_tensorflow(model: Autoencoder, folder: Path, format: str, warmup: bool, limit: int) -> None:
    """Exports from another backend: through a `.keras` file, in a process that runs TensorFlow."""
    program = (
        "import sys, pathlib; from keras_ae import serving; from keras_ae.models import files; "
        "file, folder, format, limit, *warmup = sys.argv[1:]; "
        "serving.write(files.load_model(file), pathlib.Path(folder), format, bool(warmup), int(limit))"
    )
    with tempfile.TemporaryDirectory() as work:
        model.save(Path(work, "model.keras"))
        arguments = [Path(work, "model.keras"), folder, format, limit, *warmup * ["warmup"]]
        result = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
        )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise errors.InputError(f"The export needs TensorFlow, in which the model could not be reloaded: {reason}")
