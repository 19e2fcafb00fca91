"""Valid values by the name of an argument, and malformed ones by its role; see `run.py`.

A key is the name of an argument, or "callable.argument" where the name alone does not say it.
"""

import functools
import inspect
import tempfile
import typing
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import scipy.sparse
import tensorflow as tf
from matplotlib.figure import Figure

import keras_ae
from keras_ae import networks
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal, likelihoods
from keras_ae.pipeline import Batches
from keras_ae.training import RunFolder
from keras_ae.zoo.recipe import Recipe

RNG = np.random.default_rng(0)
X, IMAGES, SERIES = (RNG.random((6, *shape)).astype("float32") for shape in ((4,), (8, 8, 1), (4, 1)))
MANY, Z = RNG.random((24, 4)), RNG.normal(size=(6, 2)).astype("float32")
CLASSES, MANY_CLASSES, BITS = np.arange(6) % 3, np.arange(24) % 3, (X > 0.5).astype("float32")
SMALL, WORDS = {"hidden": (3,)}, ["ada", "eve"]


def create(name="vae", shape=(4,), **options):
    return keras_ae.create(name, shape, 2, seed=0, **{"network_options": SMALL, **options})


@functools.cache
def model(name="vae", shape=(4,), **options):
    found = create(name, shape, **options)
    found.compile("adam", run_eagerly=True)
    return found


def images():
    return model("vae", (8, 8, 1))


def linear():
    found = keras_ae.create("linear_ae", (8, 8, 1), 2)
    found.compile("adam")
    return found


def tokens():
    return keras_ae.create(
        "sequence_vae", (4,), 2, likelihood=likelihoods.Categorical(5), network_options={"units": 3, "embedding_dim": 2}
    )


def conditional():
    return networks.dense((4,), 2, hidden=(3,), condition_dim=3, seed=0)


def pair():
    return networks.dense((4,), 2, hidden=(3,), seed=0)


def steps():
    return networks.recurrent((4, 1), 2, units=3, seed=0)


def new(ending=""):
    return Path(tempfile.mkdtemp()) / f"new{ending}"


def made(write, ending):
    """The path of a file that `write` made."""
    write(file := new(ending))
    return file


def normal():
    return DiagonalNormal(tf.constant(Z), tf.zeros((6, 2)))


def full():
    return FullNormal(tf.constant(Z), tf.eye(2, batch_shape=(6,)))


def make(size, seed):
    found = keras_ae.create("linear_ae", (4,), size, seed=seed)
    found.compile("adam", run_eagerly=True)
    return found


def run_folder():
    folder = RunFolder(new())
    folder.start({"recipe": {}})
    return folder


VALID = {  # of arguments without a default, and of those whose default takes long; functions make a fresh value
    **dict.fromkeys(("x", "examples", "test", "start", "end", "real", "generated", "train", "validation"), X),
    **dict.fromkeys(("latent_dim", "samples", "n", "steps", "count", "num_classes", "k", "chains", "draws"), 2),
    **dict.fromkeys(("epochs", "batch_size", "dimensions", "patience", "epochs_done", "epoch", "step"), 1),
    **dict.fromkeys(("likelihood", "identifier"), "bernoulli"),
    **dict.fromkeys(("z", "values", "codes", "log_var", "noise", "mean", "train_codes", "test_codes"), lambda: Z),
    **dict.fromkeys(("labels", "y", "clusters", "train_y", "test_y"), CLASSES),
    **dict.fromkeys(("images", "originals", "reconstructed"), IMAGES),
    **{f"{kind}.{part}": lambda i=i: conditional()[i] for kind in ("ConditionalVAE", "SemiSupervisedVAE")
       for i, part in enumerate(("encoder", "decoder"))},
    **{f"{kind}.{part}": lambda i=i: steps()[i] for kind in ("Sequences", "SequenceAE", "SequenceVAE")
       for i, part in enumerate(("encoder", "decoder"))},
    **dict.fromkeys(("SequenceAE.x", "SequenceVAE.x"), SERIES),
    **dict.fromkeys(("ConditionalVAE.condition", "ConditionalVAE.y", "SemiSupervisedVAE.y"), CLASSES),
    **dict.fromkeys(("fit.x", "evaluate.x", "predict.x"), X),
    "encoder": lambda: pair()[0],
    "decoder": lambda: pair()[1],
    "network": lambda: pair()[0],
    "create.network": None,
    "AutoencoderTransformer.network": "dense",
    "Recipe.network": None,
    "Sequences.likelihood": "normal",
    "SequenceAE.likelihood": "normal",
    "SequenceVAE.likelihood": "normal",
    "semi_supervised_batches.y": np.array([0, 1, -1, -1, -1, -1]),
    "unlabelled": 2,
    "labelled": 1,
    "name": "vae",
    "load.name": "digits",
    "find.name": "vae_mnist",
    "from_preset.name": "vae_mnist",
    "preset.name": "vae_mnist",
    "trained.name": lambda: made(create().save, ".keras"),
    "check.name": "weight",
    "number.name": "weight",
    "check.value": 0.5,
    "number.value": 0.5,
    "at.value": 0.5,
    "text": "linear(0, 1, steps=5)",
    "input_shape": (4,),
    "conv.input_shape": (8, 8, 1),
    "resnet.input_shape": (8, 8, 1),
    "dcgan.input_shape": (16, 16, 1),
    "recurrent.input_shape": (4, 1),
    "transformer.input_shape": (4, 1),
    "AutoencoderTransformer.input_shape": None,
    "conv.filters": (2, 2),
    "resnet.filters": (2, 2),
    "dcgan.filters": 2,
    "conv.units": 3,
    "resnet.units": 3,
    "recurrent.units": 3,
    "transformer.units": 4,
    "heads": 2,
    "blocks": 1,
    "hidden": (3,),
    "AnomalyDetector.hidden": None,
    "AnomalyDetector.latent_dim": 2,
    "Recipe.hidden": (3,),
    "network_options": SMALL,
    "rates": (0.1,),
    "seeds": (0,),
    "event_shape": (2,),
    "shape": (2,),
    "deviation": 0.1,
    "rate": 0.3,
    "vocabulary": ("a", "b", "d", "e", "v"),
    "Tokenizer.steps": 4,
    "texts": WORDS,
    "Tokenizer.tokens": [[1, 2, 0, 0]],
    "tokens.likelihood": lambda: likelihoods.Categorical(5),
    "baselines.likelihood": likelihoods.Bernoulli,
    "log_prob.params": lambda: Z,
    "arrays": (X,),
    "q": normal,
    "p": normal,
    "FullNormal.mean": lambda: tf.constant(Z),
    "FullNormal.scale_tril": lambda: full().scale_tril,
    "NormalMixture.logits": lambda: tf.zeros(6),
    "NormalMixture.components": normal,
    "kl_by_dimension.q": normal,
    "kl_diagonal_standard.p": lambda: StandardNormal((2,)),
    "kl_full_standard.p": lambda: StandardNormal((2,)),
    "kl_full_standard.q": full,
    "kl_bernoulli.p": 0.3,
    "kl_bernoulli.q": 0.4,
    "a": lambda: Z,
    "mmd.y": X,
    "frechet_distance.mean": [0.0, 0.0],
    "other_mean": [0.0, 1.0],
    "covariance": lambda: np.eye(2),
    "GaussianMixtureVAE.covariance": "diagonal",
    "GaussianMixtureVAE.clusters": 2,
    "filepath": new,
    "other_covariance": lambda: np.eye(2),
    "model": model,
    "LinearAE.model": linear,
    "samples.model": images,
    "manifold.model": images,
    "components.model": linear,
    "perplexity.model": tokens,
    "perplexity.x": [[1, 2, 0, 0], [1, 0, 0, 0]],
    "AnomalyDetector.model": "denoising_ae",
    "AutoencoderTransformer.model": "ae",
    "Recipe.model": "vae",
    "decompress.model": model,
    "compress.x": BITS,
    "sizes": [1, 2, 4],
    "make": lambda: make,
    "scores": lambda: RNG.normal(size=(3, 1, 6)),
    "features": lambda: np.copy,
    "sample_quality.neighbours": 2,
    "probe.train": (MANY, MANY_CLASSES),
    "probe.test": (MANY, MANY_CLASSES),
    "probe.labels": [None],
    "probe_codes.train_codes": MANY,
    "probe_codes.test_codes": MANY,
    "probe_codes.train_y": MANY_CLASSES,
    "probe_codes.test_y": MANY_CLASSES,
    "probe_codes.labels": [None],
    "evaluate.labels": None,
    "codes.labels": None,
    "write_projector.labels": None,
    "write_projector.images": None,
    "Recipe.labels": None,
    "components.x": IMAGES,
    "image_table.images": IMAGES[None],
    "labelled_rows.rows": {"a": IMAGES},
    "by_epoch": {1: IMAGES},
    "history": {"loss": [2.0, 1.0]},
    "manifold.size": 2,
    "figure": lambda: Figure(figsize=(1, 1)),
    "save.path": lambda: new(".png"),
    "path": new,
    "load_model.path": lambda: made(create().save, ".keras"),
    "decompress.path": lambda: made(lambda file: keras_ae.tasks.compress(BITS, model(), file), ".bb"),
    "decompress_codes.path": lambda: made(lambda file: keras_ae.tasks.compress_codes(X, model(), file), ".codes"),
    "sha256.path": lambda: made(lambda file: file.write_text("x"), ".txt"),
    "folder": new,
    "presets.folder": None,
    "from_preset.folder": None,
    "find.folder": None,
    "choose_latent_dim.folder": None,
    "Best.folder": run_folder,
    "Recorder.folder": run_folder,
    "Recorder.images": X,
    "repository": "hf://me/digits",
    "has_attribute": lambda: CLASSES == 0,
    "vector": [1.0, 0.0],
    "path_length.codes": lambda: RNG.normal(size=(3, 4, 2)),
    "metrics": None,
    "recipe": lambda: Recipe("vae", latent_dim=2),
    "dataset": lambda: keras_ae.data.load("digits", "test"),
    "split": "test",
    "pixels": "values",
    "config": {"recipe": {}},
    "RunFolder.recipe": {},
    "RunFolder.rows": [{"epoch": 1, "loss": 1.0}],
    "seconds": 1.0,
    "seed": 0,
    "Recipe.patience": None,
    "Recipe.samples": None,
    "lower": np.zeros((6, 1), "float32"),
    "check_levels.levels": 3,
    "check_levels.x": CLASSES,
    "who": "model",
    "Report.log_prob": -1.0,
    "RunFolder.epochs_done": 1,
    "images_.x": IMAGES,
    "ActiveUnits.active": np.array([True, False]),
    "X": MANY,
    "inverse_transform.X": MANY[:, :2],
    "options": None,
    "config_": None,
}

SCALARS = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "0.5": lambda: 0.5,
    "2.5": lambda: 2.5,
    "1e30": lambda: 10**30,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "complex": lambda: 1 + 2j,
    "empty text": lambda: "",
    "text": lambda: "nonsense",
    "text of a number": lambda: "3",
    "bytes": lambda: b"x",
    "object": object,
    "empty list": list,
    "list": lambda: [1, "a"],
    "dict": lambda: {"nonsense": 1},
    "function": lambda: len,
    "class": lambda: dict,
    "array": lambda: np.zeros((2, 3)),
    "array of text": lambda: np.array(["a", "b"]),
}
NUMBERS = ("0.5", "2.5", "1e30")
ITEMS = {  # of a list of whole numbers
    "None": lambda: None,
    "-1": lambda: -1,
    "2.5": lambda: 2.5,
    "nan": lambda: float("nan"),
    "text": lambda: "nonsense",
    "text of a number": lambda: "3",
    "object": object,
    "dict": lambda: {"nonsense": 1},
    "function": lambda: len,
    "[0.5]": lambda: [0.5],
    "[-1]": lambda: [-1],
    "[nan]": lambda: [float("nan")],
    "[None]": lambda: [None],
    "[text]": lambda: ["3"],
    "[list]": lambda: [[1], [2, 3]],
    "[1e30]": lambda: [10**30],
    "[True]": lambda: [True],
}


class Sequence(keras.utils.PyDataset):
    """Batches that are no arrays."""

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return {"nonsense": X[:2]}


def arrays(valid):
    """Malformed forms of an array (n, ...) of numbers."""
    array = np.asarray(valid) if np.ndim(valid) else X
    last = (*array.shape[:-1], array.shape[-1] + 1) if array.ndim else (2,)
    table = pd.DataFrame({f"c{i}": ["a", "b", "c"] for i in range(4)})
    return {
        "None": lambda: None,
        "text": lambda: "nonsense",
        "number": lambda: 3.0,
        "complex number": lambda: 1 + 2j,
        "object": object,
        "function": lambda: len,
        "class": lambda: dict,
        "empty list": list,
        "no rows": lambda: array[:0],
        "an axis more": lambda: array[..., None],
        "an axis less": lambda: array[0],
        "another length of the last axis": lambda: np.zeros(last),
        "text in an array": lambda: np.full(array.shape, "a"),
        "numbers as text": lambda: np.full(array.shape, "1"),
        "objects": lambda: np.full(array.shape, None),
        "complex": lambda: array + 1j,
        "dates": lambda: np.full(array.shape, "2020-01-01", "datetime64[D]"),
        "nan": lambda: np.where(np.arange(array.size).reshape(array.shape) == 1, np.nan, array),
        "inf": lambda: np.where(np.arange(array.size).reshape(array.shape) == 1, np.inf, array),
        "ragged list": lambda: [[1.0], [1.0, 2.0], [1.0]],
        "list of text": lambda: ["a", "b"],
        "dict": lambda: {"image": array, "label": CLASSES},
        "set": lambda: {1.0, 2.0},
        "generator": lambda: (row for row in array),
        "sparse matrix": lambda: scipy.sparse.csr_matrix(array.reshape(len(array), -1)),
        "sparse tensor": lambda: tf.sparse.from_dense(array),
        "ragged tensor": lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]),
        "masked array": lambda: np.ma.masked_greater(array.astype("float32"), 0.5),
        "DataFrame of text": lambda: table,
        "DataFrame with gaps": lambda: pd.DataFrame({f"c{i}": pd.array([1, None], "Int64") for i in range(array.shape[-1])}),
        "data set without batches": lambda: tf.data.Dataset.from_tensor_slices(array.astype("float32")),
        "data set of dictionaries": lambda: tf.data.Dataset.from_tensor_slices({"image": array.astype("float32")}).batch(2),
        "PyDataset of dictionaries": lambda: Sequence(),
        "KerasTensor": lambda: keras.Input((4,)),
    }


TENSORS = ("DataFrame with gaps", "nan", "inf", "number", "no rows", "empty list", "masked array", "KerasTensor", "an axis more", "an axis less",
    "another length of the last axis")  # mean something as a tensor
ROLES = {  # role -> malformed values but for those that may mean something
    "count": (SCALARS, ()),
    "natural": (SCALARS, ("0",)),
    "whole": (SCALARS, ("0", "-1")),
    "seed": (SCALARS, ("None", "0")),
    "positive": (SCALARS, NUMBERS),
    "from 0": (SCALARS, ("0", *NUMBERS)),
    "real": (SCALARS, ("0", "-1", *NUMBERS)),
    "share": (SCALARS, ("0", "0.5")),
    "open share": (SCALARS, ("0.5",)),
    "flag": (SCALARS, ("True", "0")),
    "flag or auto": (SCALARS, ("True", "0")),
    "choice": (SCALARS, ()),
    "choice or place": (SCALARS, ("0", "-1")),
    "text": (SCALARS, ("text", "text of a number", "empty text")),
    "path": (SCALARS, ("text", "text of a number")),
    "callable": (SCALARS, ("function", "class")),
    "thing": (SCALARS, ()),  # an object of some class
    "options": (SCALARS, ()),  # a dict, none of whose keys is known
    "activation": (SCALARS, ("None", "function", "class")),
    "integers": (ITEMS, ()),
    "shares": (ITEMS, ("[0.5]",)),
    "numbers": (ITEMS, ("[0.5]", "[1e30]")),
    "texts": (ITEMS, ("[text]",)),
    "images": (arrays, ("nan", "masked array", "DataFrame with gaps")),
    "rows": (arrays, ("an axis more", "an axis less", "another length of the last axis")),
    "classes": (arrays, ("text in an array", "numbers as text", "list of text", "nan", "inf", "masked array", "dates", "objects", "complex")),
    "tuple": (arrays, ("list of text_",)),
    "examples": (arrays, ()),
    "tensor": (arrays, TENSORS),
    "codes": (arrays, (*TENSORS[:-1],)),
    "weights": (arrays, (*TENSORS[:-3], "text in an array", "numbers as text")),
    "labels": (arrays, ("text in an array", "numbers as text", "list of text")),
    "any": ({}, ()),
}

ROLE_OF = {
    argument: role
    for role, names in {
        "count": "latent_dim batch_size n samples steps limited.steps steps_per_execution steps_per_epoch "
        "validation_steps validation_batch_size columns condition_dim GaussianMixtureVAE.clusters components "
        "dcgan.filters num_classes count vocabulary_size dimensions k image_grid.columns tiled.columns Recipe.labels "
        "epochs Recipe.patience AnomalyDetector.latent_dim Best.patience rows recurrent.tokens transformer.tokens check_levels.levels",
        "natural": "resnet.blocks NormalMixture.n StandardNormal.n patience pretraining gap_examples temperatures verbose gap epoch",
        "seed": "seed random_state",
        "positive": "learning_rate span scale ratio limit seconds",
        "positive number": "",
        "from 0": "deviation beta penalty alpha capacity free_bits Linear.start Cyclical.start Linear.end Cyclical.end value threshold",
        "real": "strength low high",
        "share": "rate input_dropout word_dropout trim share validation_split",
        "open share": "contamination calibration target",
        "text": "pattern unit card data what",
        "path": "path folder data_dir out pretrained save_to_preset.folder filepath",
        "choice": "binarize precision pooling GaussianMixtureVAE.covariance name split pixels level tokens kind method space family network network_ identifier repository text monitor",
        "callable": "make progress transform features writer",
        "thing": "model encoder decoder network likelihood figure dataset recipe tokenizer q p distribution classifier critic proposal optimizer critic_optimizer batches Best.folder Recorder.folder",
        "options": "options network_options optimizer_options rows history by_epoch config class_weight",
        "activation": "activation code_activation",
        "integers": "input_shape hidden event_shape shape sizes seeds image_size conv.filters resnet.filters probe.labels probe_codes.labels",
        "shares": "rates",
        "numbers": "scales class_prior AnomalyDetector.noise",
        "choice or place": "layer",
        "texts": "fixed names vocabulary texts penalized_layers Recipe.monitor image_table.rows image_table.columns",
        "examples": "x test train real generated examples start end validation codes train_codes test_codes X arrays vector scores mean covariance other_mean other_covariance values evaluate.train",
        "tensor": "FullNormal.mean batch_mean.values lower z a log_var params mmd.x mmd.y mask noise kl_bernoulli.p kl_bernoulli.q",
        "images": "images originals reconstructed",
        "rows": "codes.values",
        "classes": "codes.labels prototypes.labels write_projector.labels",
        "codes": "log_prob.z log_joint.z posterior.z kl_sample.z",
        "weights": "weight",
        "labels": "y labels clusters has_attribute train_y test_y condition examples_condition conditions sample_weight",
        "flag or auto": "jit_compile",
        "any": "StandardNormal.seed NormalMixture.seed step epochs_done defaults who log_prob metrics validation_data verbose callbacks fit.y",
    }.items()
    for argument in names.split()
}


def _found(table, name, argument, default=None):
    keys = [f"{part}.{argument}" for part in name.split(".")]
    return next((table[key] for key in (*keys, argument) if key in table), default)


MISSING = object()


def valid(name, known):
    """A function that gives valid arguments for a callable."""
    found = {}
    for argument, parameter in known.items():
        value = _found(VALID, name, argument, MISSING)
        if parameter.default is parameter.empty or isinstance(value, int | tuple | dict) or value is not VALID.get(argument, MISSING):
            found[argument] = value
    return lambda: {key: value() if inspect.isroutine(value) or hasattr(value, "cache_info") or inspect.isclass(value) else value for key, value in found.items()}


def role(name, argument, parameter):
    default = parameter.default
    by_default = {bool: "flag", int: "count", float: "real", str: "choice"}.get(type(default))
    return _found(ROLE_OF, name, argument, by_default)


def malformed(name, argument, parameter):
    """Kind -> function that gives a malformed value, for an argument of a callable."""
    catalogue, fine = ROLES[role(name, argument, parameter)]
    if callable(catalogue):
        example = _found(VALID, name, argument, X)
        catalogue = catalogue(example() if callable(example) else example)
    optional = parameter.default is None or type(None) in typing.get_args(parameter.annotation)
    return {kind: value for kind, value in catalogue.items() if kind not in fine and not (optional and kind == "None")}



def compiled(model):
    model.compile("adam", run_eagerly=True)
    return model


def prepared(instance):
    """An object on which every method can be called."""
    if isinstance(instance, keras_ae.GaussianMixtureVAE):
        instance.find_clusters(X)
    prepare = compiled if isinstance(instance, keras.Model) else PREPARED.get(type(instance).__name__, lambda it: it)
    return prepare(instance)


PREPARED = {
    "AnomalyDetector": lambda it: it.set_params(epochs=1).fit(MANY),
    "AutoencoderTransformer": lambda it: it.set_params(epochs=1).fit(MANY),
    "PyODDetector": lambda it: it.set_params(options={"epochs": 1}).fit(MANY),
}


@functools.cache
def trained():
    """A run folder, made by the command line."""
    from keras_ae.zoo import runs

    folder = RunFolder(new())
    runs.train(Recipe("vae", binarize="threshold", latent_dim=2, epochs=1, hidden=(4,)), folder)
    return folder.path


def command(path):
    """Valid arguments of a command."""
    name, run = path[-1], str(trained())
    compressed = functools.partial(keras_ae.tasks.compress, BITS.repeat(16, 1).reshape(-1, 8, 8, 1)[:2])
    of_zoo = {"list": [], "show": ["vae_mnist"], "train": ["vae_mnist"], "check": ["vae_mnist"]}
    of_name = {
        "list": [],
        "describe": ["vae"],
        "train": ["vae", "--epochs", "1", "--hidden", "4", "--out", new(), "--no-pictures"],
        "evaluate": [run, "--samples", "2", "--limit", "20"],
        "latent-dim": ["linear_ae", "--sizes", "1,2", "--epochs", "1", "--out", new()],
        "sample": [run, new(".npz")],
        "interpolate": [run, new(".npz")],
        "traverse": [run, new(".npz")],
        "neighbours": [run, new(".npz")],
        "attribute": [run, new(".npz"), "--label", "1"],
        "reconstruct": [run, new(".npz")],
        "encode": [run, new(".npz")],
        "prototypes": [run, new(".npz")],
        "export": [run, new()],
        "plot": [run],
        "project": [run, new()],
        "compress": ["digits", run, new(".bb"), "--binarize", "threshold"],
        "decompress": [made(lambda file: compressed(keras_ae.zoo.runs.trained(run), file), ".bb"), run, new(".npy")],
    }
    return of_zoo[name] if len(path) > 1 else of_name[name]


def malformed_options(command, option, arguments):
    """Text -> the arguments of a command with this text for one of its options."""
    kind = option.type.name
    texts = {"integer": ("x", "", "2.5", "nan", "-1", "1e3", "9" * 30), "float": ("x", "", "nan", "inf", "-1")}
    texts |= {"text": ("nonsense", ""), "path": ("",), "directory": ("",), "file": ("",)}
    found = {}
    if getattr(option, "is_flag", False) or option.name in ("pattern",):
        return found
    for text in texts.get(kind, ("nonsense", "")):
        if option.param_type_name == "option":
            found[text] = [*arguments, option.opts[0], text]
        else:
            place = [p for p in command.params if p.param_type_name == "argument"].index(option)
            found[text] = [*arguments[:place], text, *arguments[place + 1 :]]
    return found


ALSO_CALLED = {"identifier": ("likelihood",), "X": ("x",)}  # words that stand for an argument in a message
