"""TensorFlow's oneDNN operations: on by default, unless the environment says otherwise.

By itself TensorFlow has them on only on x86 processors with instructions for neural networks (VNNI, bfloat16, AMX). On
others, with AVX2 alone, they make large products and convolutions faster, as benchmarks/speed measures.
"""

import os
import platform
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


def prefer(on: bool = True) -> None:
    """Turns them on or off for a TensorFlow that is not imported yet, where the user has not chosen."""
    if platform.machine() == "x86_64" and "tensorflow" not in sys.modules:
        os.environ.setdefault(VARIABLE, str(int(on)))
