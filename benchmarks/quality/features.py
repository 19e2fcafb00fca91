"""The feature space in which samples of digits are judged: the penultimate layer of a small MNIST classifier.

python benchmarks/quality/features.py

Trains the classifier on the MNIST training images, prints its accuracy on the test images, and writes
saved_models/mnist_features/: model.keras, from images to 64 features, and README.md. Exit code 1 below 99 %.
"""

import importlib.metadata
import math
import sys
from pathlib import Path

import keras

import keras_ae

FOLDER = Path(__file__).parents[2] / "saved_models" / "mnist_features"
GOAL = 0.99
SEED, EPOCHS, BATCH_SIZE = 0, 5, 128
README = """# mnist_features

The default feature space of `keras_ae.evaluation.sample_quality` for images of digits.

- What: `model.keras`, a Keras model from images of 28x28x1 in [0, 1] to 64 features, the penultimate layer (ReLU) of a
  convolutional classifier of digits. {weights:,} weights; neither optimizer state nor classification layer.
- Accuracy of that classifier on the 10,000 test images: {accuracy:.2%} ({epochs} epochs, seed {seed}, {versions}).
- Data: the 60,000 training images of MNIST (Y. LeCun, C. Cortes and C. J. C. Burges), licence CC BY-SA 3.0,
  https://creativecommons.org/licenses/by-sa/3.0/. No image is in the file.
- Made by: `python benchmarks/quality/features.py`. Figures of another training are in another feature space: they are
  not comparable.
"""


def classifier() -> keras.Model:
    """Two convolutions, 64 features, ten classes."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(64, "relu", name="features"),
            layers.Dense(10, "softmax"),
        ]
    )


def main() -> None:
    """Trains, measures and saves."""
    train, test = (keras_ae.data.load("mnist", split) for split in ("train", "test"))
    keras.utils.set_random_seed(SEED)
    model = classifier()
    decay = keras.optimizers.schedules.CosineDecay(0.002, EPOCHS * math.ceil(len(train.x) / BATCH_SIZE))
    model.compile(keras.optimizers.Adam(decay), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train.x, train.y, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=2)
    accuracy = model.evaluate(test.x, test.y, verbose=0)[1]
    features = keras.Model(model.inputs, model.get_layer("features").output, name="mnist_features")
    FOLDER.mkdir(parents=True, exist_ok=True)
    features.save(FOLDER / "model.keras")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow"))
    values = {"accuracy": accuracy, "epochs": EPOCHS, "seed": SEED, "versions": versions}
    (FOLDER / "README.md").write_text(README.format(weights=features.count_params(), **values))
    print(f"accuracy on test images: {accuracy:.4f}")
    sys.exit(accuracy < GOAL)


if __name__ == "__main__":
    main()
