"""What is measured, and who takes part."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One measurement.

    Args:
        what: `"train"`; `"use"`, which is `"encode"`, `"reconstruct"` and `"sample"`; `"one by one"`, a call of
            `encode` for each image; `"likelihood"`, `"serve"`, or `"import"`, of the package.
        contestants: names of CONTESTANTS.
        model: name in the zoo.
        network: `"mlp"`, `"conv"` or `"dcgan"`; see contestants/plain_keras.py.
        batch_size: examples a step, or a call; importance samples of a likelihood.
        options: further arguments of the model.
        latent_dim: dimensions of the code.
        rows: images of an epoch, or of a call.
        size: height, width and channels of the images: MNIST, or noise where it is not 28x28.
        epochs: measured ones, after the first.
        cores: how many the process may use; None for all.
        settings: those of the contestant.
    """

    what: str
    contestants: tuple[str, ...]
    model: str = "vae"
    network: str = "mlp"
    batch_size: int = 128
    options: Mapping[str, Any] = MappingProxyType({})
    latent_dim: int = 16
    rows: int = 10_000
    size: tuple[int, int, int] = (28, 28, 1)
    epochs: int = 4
    cores: int | None = None
    settings: Mapping[str, Any] = MappingProxyType({})


class Contestant(NamedTuple):
    """Who is measured.

    Args:
        module: of the folder contestants.
        environment: file in requirements/ with what it needs.
        keras_backend: of the process.
        note: what it is.
        settings: more of it than the case says.
    """

    module: str
    environment: str
    keras_backend: str
    note: str
    settings: Mapping[str, Any] = MappingProxyType({})


OURS = "keras_ae_fit"
CONTESTANTS = {
    "keras_ae": Contestant(OURS, "keras", "tensorflow", "`fit` after `compile('adam')`, on TensorFlow"),
    "keras_ae_jax": Contestant(OURS, "keras", "jax", "the same, on JAX"),
    "stock": Contestant(
        "stock_keras", "keras", "tensorflow", "the recipe of keras.io: a gradient tape in `train_step`, `fit` on arrays"
    ),
    "handwritten": Contestant(
        "handwritten", "keras", "tensorflow", "one `tf.function` call a step, which gathers the batch by shuffled rows"
    ),
    "handwritten_jax": Contestant("handwritten_jax", "keras", "jax", "one jitted call a step, gathered likewise"),
    "torch": Contestant("torch_loop", "torch", "", "a PyTorch loop over gathered batches, allocator tuned"),
    "torch_fused": Contestant("torch_loop", "torch", "", "the same with `Adam(fused=True)`", {"fused": True}),
    "pythae": Contestant("pythae_trainer", "torch", "", "Pythae's model and trainer, allocator tuned"),
    "products": Contestant(
        "products",
        "torch",
        "",
        "the bound: the matrix products of the same step alone, in NumPy (convolutions as such)",
    ),
}
PARTS = {"use": ("encode", "reconstruct", "sample")}  # measured in one process each
EVERYBODY = tuple(CONTESTANTS)
SOME = ("keras_ae", "keras_ae_jax", "torch", "pythae")  # who trains what is not standard, and uses it

CASES = {
    "mlp 128": Case("train", EVERYBODY, epochs=3),
    "mlp 512": Case("train", EVERYBODY, batch_size=512, epochs=3),
    "conv 128": Case(
        "train",
        tuple(name for name in EVERYBODY if name != "handwritten_jax"),  # as slow as keras_ae_jax, and minutes
        network="conv",
        rows=2560,
        epochs=2,
    ),
    "dcgan 64": Case(
        "train", ("keras_ae", "stock", "torch"), network="dcgan", batch_size=64, rows=192, size=(64, 64, 3), epochs=2
    ),
    "iwae, K = 50": Case("train", SOME, model="iwae", options={"samples": 50}, rows=1280, epochs=2),
    "wae_gan": Case("train", ("keras_ae", "keras_ae_jax", "torch"), model="wae_gan", rows=10_000, epochs=2),
    "contractive, estimated": Case(
        "train",
        ("keras_ae", "keras_ae_jax"),
        model="contractive_ae",
        options={"estimator": "hutchinson"},
        latent_dim=64,
    ),
    "contractive, exact": Case(
        "train",
        ("keras_ae", "keras_ae_jax", "handwritten"),
        model="contractive_ae",
        options={"estimator": "exact"},
        latent_dim=64,
        rows=2560,
        epochs=2,
    ),
    "use mlp": Case("use", SOME, batch_size=1024, rows=20_000),
    "use conv": Case("use", SOME, network="conv", batch_size=1024, rows=10_000),
    "likelihood, K = 5,000": Case("likelihood", ("keras_ae", "keras_ae_jax"), batch_size=5000, rows=200, epochs=1),
    "encode one by one": Case("one by one", SOME[:3], batch_size=1, rows=1000),
    "serve, batch 1": Case("serve", ("keras_ae", "handwritten"), batch_size=1, rows=1000),
    "serve, batch 256": Case("serve", ("keras_ae", "handwritten"), batch_size=256, rows=25_600),
    "import": Case("import", ("keras_ae", "keras_ae_jax"), rows=0),
}

# How cost grows, one property at a time: with --full.
BOTH = ("keras_ae", "torch")
GROWTH: dict[str, dict[str, Case]] = {
    "batch size": {str(size): Case("train", BOTH, batch_size=size, epochs=2) for size in (32, 128, 512, 2048)},
    "latent dimensions": {str(dim): Case("train", BOTH, latent_dim=dim, epochs=2) for dim in (2, 16, 128)},
    "side of the images, conv": {
        str(side): Case("train", BOTH, network="conv", rows=1280, size=(side, side, 1), epochs=2)
        for side in (16, 32, 64)
    },
    "images in memory": {
        f"{rows:,}": Case("train", BOTH, rows=rows, epochs=2 if rows < 1e5 else 1)
        for rows in (1000, 10_000, 100_000, 1_000_000)
    },
    "cores": {str(cores): Case("train", BOTH, cores=cores, epochs=2) for cores in (1, 2)},
    "K of an IWAE": {
        str(k): Case("train", BOTH, model="iwae", options={"samples": k}, rows=1280, epochs=2) for k in (1, 10, 100)
    },
}
GROWN = {f"{name}: {value}": case for name, cases in GROWTH.items() for value, case in cases.items()}
