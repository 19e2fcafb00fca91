"""What `test_strategy.py` runs in a process whose CPU is two devices: one run on each number of devices.

Writes FOLDER/results.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

import keras_ae
from tests.conformance.table import make, quieten, targets
from tests.helpers import trace_quickly

# Those that have something of their own: a second network input, a gradient of x, a batch statistic, a critic.
ROWS = ("conditional_vae", "contractive_ae", "kl_sparse_ae", "wae_gan")
X = (np.random.default_rng(0).random((64, 8, 8, 1)) < 0.5).astype("float32")


def run(row, strategy):
    """Losses of a weighted training with all noise removed, and the weights at its end."""
    with strategy.scope():
        model = make(row)
        quieten(model)
        y, weight = targets(model, X), np.linspace(0, 2, 64)
        options = {"batch_size": 16, "verbose": 0}
        history = model.fit(X, y, sample_weight=weight, epochs=2, **options).history
        evaluated = model.evaluate(X, y, return_dict=True, **options)
    return {
        "history": history,
        "evaluated": evaluated,
        "weights": [float(np.abs(weight.numpy()).sum()) for weight in model.trainable_weights],
    }


def noise(strategy):
    """What two replicas draw at the same step, and at the next one."""
    with strategy.scope():
        model = keras_ae.create("vae", (8, 8, 1), 3, seed=0, network_options={"hidden": (4,)})
        zeros = tf.zeros((4, 3))

        @tf.function
        def step():
            return strategy.run(lambda: model.sampling([zeros, zeros]))

        return [[value.numpy().tolist() for value in strategy.experimental_local_results(step())] for _ in range(2)]


def main():
    """Trains the models on one device and on two."""
    trace_quickly()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.OneDeviceStrategy("CPU:0")
    results = {row: {"one": run(row, one), "two": run(row, two)} for row in ROWS}
    results["noise"] = noise(two)
    results["replicas"] = two.num_replicas_in_sync
    (Path(sys.argv[1]) / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
