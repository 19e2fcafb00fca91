"""SavedModels for serving."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_ae import backend, errors
from keras_ae.models import files
from keras_ae.models.base import Autoencoder

SCORE_DRAWS = 16


def export(model: Autoencoder, path: str | os.PathLike) -> Path:
    """Writes a SavedModel in TensorFlow Serving's layout, `path/N/` with the next free number N from 1.

    It needs TensorFlow alone to run. Batch sizes are free. Signatures, with named inputs and outputs:

        serving_default, reconstruct   x -> reconstruction        the mean of p(x | code of x)
        encode                         x -> code                  (the mean of q(z|x))
        decode                         code -> reconstruction
        score                          x, seed -> score           nats per example: the negative ELBO averaged over 16
                                                                  draws of q that are a function of seed; without a
                                                                  posterior, the reconstruction error
        sample                         n, seed -> x               means of p(x|z), z ~ p(z); only with a prior

    Each also takes `condition`, (batch, condition_dim) vectors, where the model has one; classes are one-hot.

    Args:
        model: any model of the zoo; on the JAX backend it is reloaded on TensorFlow in a process of its own.
        path: folder that gets a new version.

    Returns:
        The folder of the version.

    Raises:
        InputError: `path` is a file, or a folder that holds something else than versions.
    """
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"model must be a model of keras_ae. Received: {type(model).__name__}.")
    path = Path(path)
    target = path / str(_next_version(path))
    path.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".export-", dir=path))
    try:
        if keras.backend.backend() == "tensorflow":
            write(model, staging / "saved_model")
        else:
            _write_in_tensorflow(model, staging)
        os.rename(staging / "saved_model", target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _next_version(path: Path) -> int:
    """The next free version number in a folder that holds nothing but versions."""
    if path.exists() and not path.is_dir():
        raise errors.InputError(f"The export target {path} exists and is a file. Choose another folder.")
    found = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")] if path.is_dir() else []
    foreign = sorted(name for name in found if not re.fullmatch(r"\d+", name))
    if foreign:
        raise errors.InputError(
            f"The export target {path} exists and holds something else than numbered versions: "
            f"{', '.join(foreign[:3])}. Choose a new or an empty folder."
        )
    return max(map(int, found), default=0) + 1


def write(model: Autoencoder, folder: Path) -> None:
    """Writes the SavedModel itself; needs the TensorFlow backend."""
    archive = keras.export.ExportArchive()  # tracking the model, too, would store every weight twice
    for name, (function, signature) in endpoints(model).items():
        archive.add_endpoint(name, function, signature)
    archive.write_out(str(folder), verbose=False)


def endpoints(model: Autoencoder) -> dict[str, tuple[Any, list[keras.InputSpec]]]:
    """Name -> (function, signature) of everything that an export answers."""

    def spec(name: str, shape: tuple, dtype: str = "float32") -> keras.InputSpec:
        return keras.InputSpec(shape=shape, dtype=dtype, name=name)

    x = spec("x", (None, *model.event_shape))
    code = spec("code", (None, *model.latent_shape))
    seed, n = spec("seed", (), "int32"), spec("n", (), "int32")
    given = [spec("condition", (None, model.condition_dim))] if model.conditional else []

    def reconstruct(x: Any, *condition: Any) -> dict[str, Any]:
        return {"reconstruction": model.reconstruct_mean(x, *condition)}

    def encode(x: Any, condition: Any = None) -> dict[str, Any]:
        return {"code": model.code(x, condition=condition)}

    def decode(code: Any, *condition: Any) -> dict[str, Any]:
        return {"reconstruction": model.decode_mean(code, *condition)}

    def score(x: Any, seed: Any, condition: Any = None) -> dict[str, Any]:
        batch = model.pack((x,))._replace(condition=condition)
        return {"score": model.score(batch, backend.KeyedSeed(seed), SCORE_DRAWS)}

    def sample(n: Any, seed: Any, *condition: Any) -> dict[str, Any]:
        return {"x": model.decode_mean(model.draw_codes(n, backend.KeyedSeed(seed), *condition), *condition)}

    found = {
        "serving_default": (reconstruct, [x, *given]),
        "reconstruct": (reconstruct, [x, *given]),
        "encode": (encode, [x, *given]),
        "decode": (decode, [code, *given]),
        "score": (score, [x, seed, *given]),
    }
    if model.has_prior:
        found["sample"] = (sample, [n, seed, *given])
    return found


def _write_in_tensorflow(model: Autoencoder, staging: Path) -> None:
    """Exports from another backend: through a `.keras` file, in a process that runs TensorFlow."""
    files.save_model(model, staging / "model.keras")
    program = (
        "import sys, pathlib; from keras_ae import serving; from keras_ae.models import files; "
        "serving.write(files.load_model(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(staging / "model.keras"), str(staging / "saved_model")],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise errors.InputError(f"The export needs TensorFlow, in which the model could not be reloaded: {reason}")
