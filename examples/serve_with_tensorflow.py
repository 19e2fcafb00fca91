"""Loads an exported model with TensorFlow alone, without Keras, and compares it with the Keras model's numbers.

    python examples/serve_with_tensorflow.py EXPORTED/1 RECONSTRUCTIONS.npz

The second argument is what `keras-ae reconstruct RUN RECONSTRUCTIONS.npz` wrote.
"""

import sys
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

TOLERANCE = 1e-5


def fail(message: str) -> NoReturn:
    """Ends with an error."""
    sys.exit(f"serve_with_tensorflow: {message}")


def main() -> None:
    """Loads, calls and compares."""
    if len(sys.argv) != 3:
        fail("usage: serve_with_tensorflow.py EXPORTED/1 RECONSTRUCTIONS.npz")
    folder, file = map(Path, sys.argv[1:])
    for path in (folder / "saved_model.pb", file):
        if not path.is_file():
            fail(f"there is no {path}")
    sys.modules["keras"] = sys.modules["keras_ae"] = None  # type: ignore[assignment]  # as if not installed
    import tensorflow as tf

    arrays = np.load(file)
    model = tf.saved_model.load(str(folder))  # keep the reference: its functions die with it
    x = tf.constant(arrays["x"])
    start = time.perf_counter()
    reconstruction = model.signatures["serving_default"](x=x)["reconstruction"].numpy()
    seconds = time.perf_counter() - start
    difference = np.abs(reconstruction - arrays["reconstruction"]).max()
    print(f"signatures: {', '.join(model.signatures)}")
    print(f"{len(x)} reconstructions in {seconds:.2f} s; largest difference to the Keras model: {difference:.1e}")
    if not difference < TOLERANCE:
        fail(f"the exported model differs by more than {TOLERANCE:g}")


if __name__ == "__main__":
    main()
