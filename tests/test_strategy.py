"""Training on two devices gives what one device gives, with noise of its own on each."""

import json

import numpy as np
import pytest

import keras_ae
from tests.helpers import ROOT, run


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strategy")
    run((ROOT / "tests" / "strategy_program.py").read_text(), folder)
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("row", keras_ae.list_models())
def test_two_devices_give_the_losses_of_one(row, results):
    one, two = results[row]["one"], results[row]["two"]
    assert results["replicas"] == 2
    assert one["history"]["loss"][1] < one["history"]["loss"][0]
    for part in ("history", "evaluated"):
        for name, values in one[part].items():
            np.testing.assert_allclose(two[part][name], values, rtol=1e-3)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=5e-3, atol=1e-5)


def test_replicas_draw_different_noise(results):
    (first, second), (later, _) = np.array(results["noise"])
    assert first.shape == (4, 3)
    for a, b in ((first, second), (first, later), (second, later)):
        assert not np.isclose(a, b).any()
