"""The presets that the repository holds are whole, and serve with TensorFlow alone."""

import json
import os

import numpy as np
import pytest

from keras_ae.models import files
from keras_ae.zoo import presets
from keras_ae.zoo.presets import card, folder, training
from tests.helpers import run

SAVED = sorted(path.parent.name for path in files.REPOSITORY.glob(f"*/{folder.INDEX}"))
SERVER = """
import os, sys, numpy as np, tensorflow as tf

for name in sys.argv[3:]:
    model = tf.saved_model.load(f"{sys.argv[1]}/{name}/1")
    with np.load(f"{sys.argv[1]}/{name}/pairs.npz") as pairs:
        given = {"condition": pairs["condition"]} if "condition" in pairs else {}
        for output, signature in (("code", "encode"), ("reconstruction", "serving_default")):
            found = model.signatures[signature](x=tf.constant(pairs["x"]), **given)[output].numpy()
            np.testing.assert_allclose(found, pairs[output], rtol=1e-4, atol=1e-4, err_msg=name)
    images = f"{sys.argv[2]}/{name}.npz"
    if os.path.exists(images):
        with np.load(images) as first:
            given = {"condition": first["condition"]} if "condition" in first else {}
            found = model.signatures["serving_default"](x=tf.constant(first["x"]), **given)["reconstruction"].numpy()
            error = np.square(found - first["x"]).reshape(len(found), -1).sum(axis=1).mean()
            np.testing.assert_allclose(error, first["squared_error"], rtol=1e-3, err_msg=name)
    print(name)
"""


def test_every_preset_is_complete():
    """Settings, figures and files of each, within the limits of size."""
    assert set(presets.list_presets()) <= set(SAVED), "keras-ae zoo train"
    sizes = {}
    for name in presets.list_presets():
        place = files.REPOSITORY / name
        folder.verify(place)
        sizes[name] = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        metrics = json.loads((place / "metrics.json").read_text())
        assert presets.preset(name).expected == pytest.approx(training.figures(metrics)), name
        readme = (place / "README.md").read_text()
        assert card.index(metrics) in readme and card.table(metrics) in readme, name
    assert max(sizes.values()) <= 10e6 and sum(sizes.values()) <= 80e6


def test_every_saved_model_serves_without_keras(tmp_path):
    """The stored pairs, and the squared error of the first test images where the data is there."""
    for name in SAVED:
        recipe = presets.preset(name).recipe
        if recipe.data != "digits" and "TFDS_DATA_DIR" not in os.environ:
            continue
        metrics = json.loads((files.REPOSITORY / name / folder.METRICS).read_text())["first"]
        n, condition = metrics["examples"], recipe.condition("test")
        given = {} if condition is None else {"condition": np.eye(condition.max() + 1, dtype="float32")[condition[:n]]}
        x = recipe.evaluation_data("test")[:n]
        np.savez(tmp_path / f"{name}.npz", x=x, squared_error=metrics["squared_error"], **given)
    printed = run(SERVER, files.REPOSITORY, tmp_path, *SAVED, block=("keras", "keras_ae"))
    assert printed.split() == SAVED
