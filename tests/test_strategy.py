"""Training on two devices gives what one device gives, with noise of its own on each."""

import json

import numpy as np
import pytest

from tests.helpers import ROOT, run
from tests.strategy_program import ROWS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strategy")
    run((ROOT / "tests" / "strategy_program.py").read_text(), folder)
    return json.loads((folder / "results.json").read_text())


# Noise of its own on each replica, or a penalty that is a statistic of each replica's part of the batch.
OF_REPLICA = {"kl_sparse_ae", "wae_gan"}


@pytest.mark.parametrize("row", sorted(OF_REPLICA))
def test_two_devices_train(row, results):
    for found in (results[row]["one"], results[row]["two"]):
        history = found["history"]
        assert np.isfinite(list(history.values())).all()
        assert history["reconstruction"][1] < history["reconstruction"][0]
    np.testing.assert_allclose(results[row]["two"]["weights"], results[row]["one"]["weights"], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("row", sorted(set(ROWS) - OF_REPLICA))
def test_two_devices_give_the_losses_of_one(row, results):
    one, two = results[row]["one"], results[row]["two"]
    assert results["replicas"] == 2
    first, second = one["history"]["reconstruction"]
    assert second < first
    for part in ("history", "evaluated"):
        for name, values in one[part].items():
            np.testing.assert_allclose(two[part][name], values, rtol=1e-3)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=5e-3, atol=1e-5)


def test_replicas_draw_different_noise(results):
    (first, second), (later, _) = np.array(results["noise"])
    assert first.shape == (4, 3)
    for a, b in ((first, second), (first, later), (second, later)):
        assert not np.isclose(a, b).any()
