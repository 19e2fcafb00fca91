"""Do conditional samples show the class that was asked for? An independent classifier says.

python benchmarks/conditional.py

Trains a conditional VAE and, with its own seed, a convolutional classifier on MNIST, draws 1,000 samples a class (means
of p(x|z, y), z from the whole prior) and writes the share that is classified as asked to benchmarks/conditional.json.
Exit code 1 below 95 %.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import keras
import numpy as np

import keras_ae

RESULT = Path(__file__).with_suffix(".json")
GOAL = 0.95
SETTINGS = {"latent_dim": 4, "epochs": 10, "batch_size": 128, "seed": 0, "samples": 1000, "classifier_epochs": 3}


def trained_classifier(x: np.ndarray, y: np.ndarray) -> keras.Model:
    """A small convolutional network."""
    keras.utils.set_random_seed(SETTINGS["seed"] + 1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=SETTINGS["classifier_epochs"], batch_size=128, verbose=0)
    return model


def main() -> None:
    """Trains both, and measures."""
    train, test = (keras_ae.data.load("mnist", split) for split in ("train", "test"))
    seed = SETTINGS["seed"]
    model = keras_ae.create("conditional_vae", train.shape, SETTINGS["latent_dim"], condition_dim=10, seed=seed)
    model.compile("adam")
    model.fit(train.x, train.y, epochs=SETTINGS["epochs"], batch_size=SETTINGS["batch_size"], verbose=0)
    judge = trained_classifier(train.x, train.y)
    asked = np.repeat(np.arange(10), SETTINGS["samples"])
    seen = judge.predict(model.sample(len(asked), seed=seed, condition=asked), batch_size=1000, verbose=0).argmax(
        axis=1
    )
    by_class = [float((seen[asked == c] == c).mean()) for c in range(10)]
    result = {
        "accuracy": float(np.mean(by_class)),
        "by_class": by_class,
        "classifier_on_test_images": float(judge.evaluate(test.x, test.y, verbose=0)[1]),
        "settings": SETTINGS,
        "versions": {name: importlib.metadata.version(name) for name in ("keras", "tensorflow", "numpy")},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    sys.exit(result["accuracy"] < GOAL)


if __name__ == "__main__":
    main()
