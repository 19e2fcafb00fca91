"""What `run.py` gives to arguments: valid values by their name, and malformed ones by their role.

A key is the name of an argument, or "callable.argument" where the name alone does not say enough. A function makes a
fresh value.
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
from keras_ae import evaluation, networks, tasks
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal, likelihoods
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

RNG = np.random.default_rng(0)
X, IMAGES, SERIES = (RNG.random((6, *shape)).astype("float32") for shape in ((4,), (8, 8, 1), (4, 1)))
MANY, Z, BITS = RNG.random((24, 4)), RNG.normal(size=(6, 2)).astype("float32"), (X > 0.5).astype("float32")
CLASSES, MANY_CLASSES, MISSING = np.arange(6) % 3, np.arange(24) % 3, object()


def compiled(found):
    found.compile("adam", run_eagerly=True)
    return found


@functools.cache
def model(name="vae", shape=(4,)):
    options = {} if name == "linear_ae" else {"network_options": {"hidden": (3,)}}
    return compiled(keras_ae.create(name, shape, 2, seed=0, **options))


def tokens():
    options = {"likelihood": likelihoods.Categorical(5), "network_options": {"units": 3, "embedding_dim": 2}}
    return keras_ae.create("sequence_vae", (4,), 2, **options)


def make(size, seed):
    return compiled(keras_ae.create("linear_ae", (4,), size, seed=seed))


def pair(which, shape=(4,), **options):
    """A function that makes an encoder (0) or a decoder (1)."""
    network = networks.recurrent if shape == (4, 1) else networks.dense
    sizes = {"units": 3} if shape == (4, 1) else {"hidden": (3,)}
    return lambda: network(shape, 2, seed=0, **sizes, **options)[which]


def normal():
    return DiagonalNormal(tf.constant(Z), tf.zeros((6, 2)))


def full():
    return FullNormal(tf.constant(Z), tf.eye(2, batch_shape=(6,)))


def new(ending=""):
    return Path(tempfile.mkdtemp()) / f"new{ending}"


def made(write, ending=""):
    """A function that gives the path of a file that `write` made."""

    def path():
        write(file := new(ending))
        return file

    return path


def run_folder():
    folder = RunFolder(new())
    folder.start({"recipe": {}})
    return folder


def saved(path):
    model().save(path)


@functools.cache
def trained():
    folder = RunFolder(new())
    runs.train(Recipe("vae", binarize="threshold", latent_dim=2, epochs=1, hidden=(4,)), folder)
    return str(folder.path)


def by_name(*rows):
    return {name: value for value, names in rows for name in names.split()}


VALID = by_name(  # of arguments without a default, and of those whose default takes long
    (X, "x examples test start end real generated train validation fit.x evaluate.x predict.x Recorder.images"),
    (1, "epochs batch_size dimensions patience epochs_done epoch step labelled blocks RunFolder.epochs_done"),
    (2, "latent_dim samples n steps count num_classes k chains draws unlabelled heads dcgan.filters manifold.size"),
    (2, "AnomalyDetector.latent_dim GaussianMixtureVAE.clusters sample_quality.neighbours"),
    (3, "conv.units resnet.units recurrent.units check_levels.levels"),
    (4, "transformer.units Tokenizer.steps"),
    (None, "create.network Recipe.network AutoencoderTransformer.input_shape AnomalyDetector.hidden presets.folder"),
    (None, "evaluate.labels codes.labels write_projector.labels write_projector.images Recipe.labels metrics options"),
    (None, "from_preset.folder find.folder choose_latent_dim.folder Recipe.patience Recipe.samples"),
    (0, "seed"),
    (0.1, "deviation"),
    (0.3, "rate kl_bernoulli.p kl_bernoulli.q"),
    (1.0, "seconds"),
    (-1.0, "Report.log_prob"),
    ((3,), "hidden Recipe.hidden"),
    ((2,), "event_shape shape"),
    ((2, 2), "conv.filters resnet.filters"),
    ((4,), "input_shape"),
    ((4, 1), "recurrent.input_shape transformer.input_shape"),
    ((8, 8, 1), "conv.input_shape resnet.input_shape"),
    ((16, 16, 1), "dcgan.input_shape"),
    ((0.1,), "rates"),
    ((0,), "seeds"),
    ([1, 2, 4], "sizes"),
    ([None], "probe.labels probe_codes.labels"),
    (np.zeros((6, 2), int), "Neighbours.indices"),
    (IMAGES, "Neighbours.x Neighbours.examples Prototypes.images Prototypes.examples"),
    (IMAGES.reshape(2, 3, 8, 8, 1), "Traversal.images"),
    ([evaluation.SizeResult(1, -1.0, 0.1, 1.0, 1.0, None, None, {})], "LatentDimChoice.rows"),
    ({}, "LatentDimChoice.shares Recipe.network_options"),
    ([0, 1], "Traversal.dimensions"),
    ([0.1, 0.2], "Traversal.scores"),
    ([-1, 0, 1], "Traversal.offsets"),
    (CLASSES, "Prototypes.classes"),
    ({"epochs": 1}, "PyODDetector.options"),
    ([1.0, 0.0], "vector frechet_distance.mean other_mean"),
    ([[1, 2, 0, 0], [1, 0, 0, 0]], "Tokenizer.tokens perplexity.x"),
    ({"hidden": (3,)}, "network_options"),
    ({"recipe": {}}, "config"),
    ({}, "RunFolder.recipe"),
    ([{"epoch": 1, "loss": 1.0}], "RunFolder.rows"),
    ({"a": IMAGES}, "labelled_rows.rows"),
    ({1: IMAGES}, "by_epoch"),
    ({"loss": [2.0, 1.0]}, "history"),
    ("vae", "name Recipe.model"),
    ("digits", "load.name"),
    ("vae_mnist", "find.name from_preset.name preset.name"),
    ("denoising_ae", "AnomalyDetector.model"),
    ("ae", "AutoencoderTransformer.model"),
    ("dense", "AutoencoderTransformer.network"),
    ("bernoulli", "likelihood identifier"),
    ("normal", "Sequences.likelihood SequenceAE.likelihood SequenceVAE.likelihood"),
    ("diagonal", "GaussianMixtureVAE.covariance"),
    ("linear(0, 1, steps=5)", "text"),
    ("hf://me/digits", "repository"),
    ("test", "split"),
    ("values", "pixels"),
    ("model", "who"),
    (["ada", "eve"], "texts"),
    (("a", "b", "d", "e", "v"), "vocabulary"),
    (Z, "z values codes log_var noise a FullNormal.log_var inverse_transform.X"),
    (SERIES, "SequenceAE.x SequenceVAE.x"),
    (IMAGES, "images originals reconstructed components.x"),
    (IMAGES[None], "image_table.images"),
    (BITS, "compress.x"),
    (MANY, "X probe_codes.train_codes probe_codes.test_codes"),
    (MANY_CLASSES, "probe_codes.train_y probe_codes.test_y"),
    ((MANY, MANY_CLASSES), "probe.train probe.test"),
    ((X,), "arrays"),
    (CLASSES, "labels y clusters check_levels.x"),
    (CLASSES, "ConditionalVAE.condition ConditionalVAE.y SemiSupervisedVAE.y"),
    (np.array([0, 1, -1, -1, -1, -1]), "semi_supervised_batches.y"),
    (CLASSES == 0, "has_attribute"),
    (np.array([True, False]), "ActiveUnits.active"),
    (np.zeros((6, 1), "float32"), "lower"),
    (np.eye(2), "frechet_distance.covariance other_covariance"),
    (RNG.normal(size=(3, 1, 6)), "scores"),
    (RNG.normal(size=(3, 4, 2)), "path_length.codes"),
    (lambda: tf.constant(Z), "mean FullNormal.mean"),
    (lambda: full().scale_tril, "FullNormal.scale_tril"),
    (lambda: tf.zeros(6), "NormalMixture.logits"),
    (normal, "q p NormalMixture.components"),
    (full, "kl_full_standard.q"),
    (lambda: StandardNormal((2,)), "kl_diagonal_standard.p kl_full_standard.p"),
    (likelihoods.Bernoulli, "baselines.likelihood"),
    (pair(0), "encoder network"),
    (pair(1), "decoder"),
    (pair(0, condition_dim=3), "ConditionalVAE.encoder SemiSupervisedVAE.encoder"),
    (pair(1, condition_dim=3), "ConditionalVAE.decoder SemiSupervisedVAE.decoder"),
    (pair(0, (4, 1)), "Sequences.encoder SequenceAE.encoder SequenceVAE.encoder"),
    (pair(1, (4, 1)), "Sequences.decoder SequenceAE.decoder SequenceVAE.decoder"),
    (model, "model"),
    (lambda: model("vae", (8, 8, 1)), "samples.model manifold.model"),
    (lambda: model("linear_ae", (8, 8, 1)), "components.model"),
    (tokens, "perplexity.model"),
    (lambda: make, "make"),
    (lambda: np.copy, "features"),
    (lambda: Figure(figsize=(1, 1)), "figure"),
    (new, "path folder filepath"),
    (functools.partial(new, ".png"), "plots.path"),
    (made(saved, ".keras"), "load_model.path trained.name"),
    (made(lambda path: tasks.compress(BITS, model(), path)), "decompress.path"),
    (made(lambda path: tasks.compress_codes(X, model(), path)), "decompress_codes.path"),
    (made(lambda path: path.write_text("x")), "sha256.path"),
    (run_folder, "Best.folder Recorder.folder runs.folder"),
    (lambda: Recipe("vae", latent_dim=2, epochs=1), "recipe"),
    (lambda: keras_ae.data.load("digits", "test"), "dataset"),
)


class Dictionaries(keras.utils.PyDataset):
    """Batches that are no arrays."""

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return {"nonsense": X[:2]}


SCALARS = {
    **{"None": lambda: None, "True": lambda: True, "0": lambda: 0, "-1": lambda: -1, "0.5": lambda: 0.5},
    **{"2.5": lambda: 2.5, "1e30": lambda: 10**30, "nan": lambda: float("nan"), "inf": lambda: float("inf")},
    **{"complex": lambda: 1 + 2j, "empty text": str, "text": lambda: "nonsense", "text of a number": lambda: "3"},
    **{"bytes": lambda: b"x", "object": object, "empty list": list, "list": lambda: [1, "a"], "class": lambda: dict},
    **{"dict": lambda: {"nonsense": 1}, "function": lambda: len, "array": lambda: np.zeros((2, 3))},
    **{"array of text": lambda: np.array(["a", "b"])},
}
ITEMS = {  # of a list
    **{name: SCALARS[name] for name in ("None", "-1", "2.5", "nan", "text", "object", "dict", "function")},
    **{"[0.5]": lambda: [0.5], "[-1]": lambda: [-1], "[nan]": lambda: [float("nan")], "[None]": lambda: [None]},
    **{"[text]": lambda: ["3"], "[list]": lambda: [[1], [2, 3]], "[1e30]": lambda: [10**30], "[True]": lambda: [True]},
}


def arrays(valid):
    """Malformed forms of an array (n, ...) of numbers."""
    array = np.asarray(valid) if isinstance(valid, np.ndarray | list) else X
    floats, second = array.astype("float32"), np.arange(array.size).reshape(array.shape) == 1
    batches = tf.data.Dataset.from_tensor_slices
    gaps = {f"c{i}": pd.array([1, None], "Int64") for i in range(array.shape[-1])}
    return {
        **{name: SCALARS[name] for name in ("None", "text", "complex", "object", "function", "class", "empty list")},
        "number": lambda: 3.0,
        "no rows": lambda: array[:0],
        "an axis more": lambda: array[..., None],
        "an axis less": lambda: array[0],
        "another last axis": lambda: np.zeros((*array.shape[:-1], array.shape[-1] + 1)),
        "text in an array": lambda: np.full(array.shape, "a"),
        "numbers as text": lambda: np.full(array.shape, "1"),
        "objects": lambda: np.full(array.shape, None),
        "complex array": lambda: array + 1j,
        "dates": lambda: np.full(array.shape, "2020-01-01", "datetime64[D]"),
        "nan": lambda: np.where(second, np.nan, array),
        "inf": lambda: np.where(second, np.inf, array),
        "ragged list": lambda: [[1.0], [1.0, 2.0], [1.0]],
        "list of text": lambda: ["a", "b"],
        "dict": lambda: {"image": array, "label": CLASSES},
        "set": lambda: {1.0, 2.0},
        "generator": lambda: (row for row in array),
        "sparse matrix": lambda: scipy.sparse.csr_matrix(array.reshape(len(array), -1)),
        "sparse tensor": lambda: tf.sparse.from_dense(array),
        "ragged tensor": lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]),
        "masked array": lambda: np.ma.masked_greater(floats, 0.5),
        "table of text": lambda: pd.DataFrame({f"c{i}": ["a", "b", "c"] for i in range(4)}),
        "table with gaps": lambda: pd.DataFrame(gaps),
        "data set without batches": lambda: batches(floats),
        "data set of dictionaries": lambda: batches({"image": floats}).batch(2),
        "PyDataset of dictionaries": Dictionaries,
        "KerasTensor": lambda: keras.Input((4,)),
    }


NUMBERS, GAPS, SHAPES = (
    "0.5,2.5,1e30",
    "table with gaps,nan,masked array",
    "an axis more,an axis less,another last axis",
)
TENSORS = f"{GAPS},inf,number,no rows,empty list,KerasTensor"  # what is fine as a tensor
WORDS = "text in an array,numbers as text,list of text"
ROLES = [  # malformed values, and which of them may mean something for a role
    (
        SCALARS,
        {
            **{
                "count": "",
                "natural": "0",
                "seed": "None,0",
                "positive": NUMBERS,
                "from 0": f"0,{NUMBERS}",
                "choice": "",
            },
            **{
                "real": f"0,-1,{NUMBERS}",
                "share": "0,0.5",
                "open share": "0.5",
                "flag": "True,0",
                "layer": "0,-1",
                "share or name": "0,0.5,text,text of a number",
            },
            **{
                "text": "text,text of a number,empty text",
                "path": "text,text of a number",
                "callable": "function,class",
            },
            **{"activation": "None,function,class"},
        },
    ),
    (ITEMS, {"integers": "", "shares": "[0.5]", "texts": "[text]", "counts": "[None]", "numbers": "[0.5],[1e30]"}),
    (
        arrays,
        {
            **{
                "examples": "",
                "incomplete": GAPS,
                "vectors": SHAPES,
                "flattened": "an axis more",
                "tensor": f"{TENSORS},{SHAPES}",
            },
            **{"tables": f"{GAPS},{SHAPES},objects", "shaped tables": "an axis less,another last axis,objects"},
            **{"codes": f"{TENSORS},an axis more,an axis less", "weights": f"{TENSORS},{WORDS}", "labels": WORDS},
            **{"classes": f"{WORDS},{SHAPES},inf", "names": f"{WORDS},{GAPS},inf,dates,objects,complex array"},
        },
    ),
]
ROLE_OF = by_name(
    ("count", "latent_dim batch_size n samples steps limited.steps steps_per_execution steps_per_epoch components"),
    ("count", "validation_steps validation_batch_size columns condition_dim GaussianMixtureVAE.clusters dcgan.filters"),
    ("count", "num_classes count vocabulary_size dimensions k image_grid.columns tiled.columns Recipe.labels epochs"),
    ("count", "Recipe.patience AnomalyDetector.latent_dim Best.patience rows recurrent.tokens transformer.tokens"),
    ("natural", "resnet.blocks NormalMixture.n StandardNormal.n patience pretraining gap_examples temperatures epoch"),
    ("natural", "traverse.example gap history.epochs"),
    ("seed", "seed random_state"),
    ("positive", "learning_rate span limit"),
    ("from 0", "deviation beta penalty alpha capacity free_bits Linear.start Cyclical.start Linear.end Cyclical.end"),
    ("from 0", "threshold seconds"),
    ("real", "strength low high"),
    ("share", "rate input_dropout word_dropout trim share validation_split"),
    ("open share", "contamination calibration target"),
    ("text", "pattern unit card data"),
    ("path", "path folder data_dir out pretrained filepath"),
    ("choice", "GaussianMixtureVAE.covariance name split pixels level tokens kind method space family network"),
    ("choice", "binarize identifier repository text precision pooling options network_options optimizer_options rows"),
    ("choice", "history by_epoch config class_weight model encoder decoder likelihood figure dataset recipe tokenizer"),
    ("choice", "q p classifier critic proposal optimizer critic_optimizer Best.folder Recorder.folder runs.folder"),
    ("layer", "layer"),
    ("callable", "make progress transform features"),
    ("activation", "activation code_activation"),
    ("integers", "input_shape hidden event_shape shape sizes seeds image_size conv.filters resnet.filters"),
    ("integers", "probe.train probe.test conditions"),
    ("counts", "probe.labels probe_codes.labels"),
    ("shares", "rates"),
    ("numbers", "scales class_prior AnomalyDetector.noise"),
    ("texts", "fixed names vocabulary texts penalized_layers monitor image_table.rows image_table.columns"),
    ("examples", "x test train real generated examples start end validation codes train_codes test_codes X arrays"),
    ("examples", "vector scores mean covariance other_mean other_covariance values evaluate.train"),
    ("incomplete", "images originals reconstructed Neighbours.x Neighbours.examples SequenceVAE.x SequenceAE.x"),
    ("incomplete", "DenoisingAE.x"),
    ("tables", "AnomalyDetector.X PyODDetector.X"),
    ("shaped tables", "AutoencoderTransformer.X"),
    ("flattened", "probe_codes.train_codes probe_codes.test_codes"),
    ("vectors", "codes.values semi_supervised_batches.x write_projector.codes Tokenizer.tokens"),
    ("tensor", "CollapseMonitor.x CollapseMonitor.condition FullNormal.mean batch_mean.values lower z a log_var noise"),
    (
        "tensor",
        "Recorder.images Recorder.condition RunFolder.images find_knee.scores"
        " mmd.x mmd.y kl_bernoulli.p kl_bernoulli.q",
    ),
    ("classes", "balanced.y keep_labels.y semi_supervised_batches.y"),
    ("codes", "log_prob.z log_joint.z kl_sample.z"),
    ("weights", "weight"),
    ("labels", "y labels clusters has_attribute train_y test_y condition examples_condition sample_weight"),
    ("names", "codes.labels prototypes.labels write_projector.labels"),
    ("flag", "jit_compile"),
    ("any", "StandardNormal.seed NormalMixture.seed step epochs_done defaults who log_prob metrics validation_data"),
    ("any", "AutoencoderTransformer.y AnomalyDetector.y PyODDetector.y fit.y verbose callbacks custom_objects"),
    ("any", "RunFolder.config"),
    ("share or name", "Recipe.validation"),
)


def lookup(table, name, argument, default=None):
    keys = [f"{part}.{argument}" for part in name.split(".")]
    return next((table[key] for key in (*keys, argument) if key in table), default)


def fresh(value):
    kinds = (functools.partial, type)
    is_maker = inspect.isroutine(value) or isinstance(value, kinds) or hasattr(value, "cache_info")
    return value() if is_maker else value


def valid(name, known):
    """Valid arguments of a callable: those that it needs, and sizes."""
    found = {}
    for argument, parameter in known.items():
        value = lookup(VALID, name, argument, MISSING)
        own = value is not VALID.get(argument, MISSING)
        if parameter.default is parameter.empty or own or isinstance(value, int | tuple | dict):
            found[argument] = fresh(value)
    return found


def malformed(name, argument, parameter):
    """Kind -> function that gives a malformed value, for an argument of a callable."""
    by_default = {bool: "flag", int: "count", float: "real", str: "choice"}.get(type(parameter.default))
    role = lookup(ROLE_OF, name, argument, by_default)
    if role == "any":
        return {}
    catalogue, fine = next((found, roles[role].split(",")) for found, roles in ROLES if role in roles)
    if callable(catalogue):
        catalogue = catalogue(fresh(lookup(VALID, name, argument, X)))
    optional = parameter.default is None or type(None) in typing.get_args(parameter.annotation)
    return {kind: value for kind, value in catalogue.items() if kind not in fine and not (optional and kind == "None")}


def prepared(instance):
    """An object on which every method can be called."""
    if isinstance(instance, keras_ae.GaussianMixtureVAE):
        instance.find_clusters(X)
    if type(instance).__name__ in ("AnomalyDetector", "AutoencoderTransformer"):
        return instance.set_params(epochs=1).fit(MANY)
    if type(instance).__name__ == "PyODDetector":
        return instance.set_params(options={"epochs": 1}).fit(MANY)
    return compiled(instance) if isinstance(instance, keras.Model) else instance


def command(path):
    """Valid arguments of a command; None for those that take long."""
    run, arrays, *_ = trained(), new(".npz")
    bits = np.repeat(BITS.reshape(-1, 1), 64, axis=1).reshape(-1, 8, 8, 1)[:2]
    file = made(lambda path: tasks.compress(bits, runs.trained(run), path))
    return {
        **{("list",): [], ("zoo", "list"): [], ("describe",): ["vae"], ("zoo", "show"): ["vae_mnist"]},
        **{(name,): [run, arrays] for name in ("sample", "interpolate", "traverse", "neighbours", "reconstruct")},
        **{(name,): [run, arrays] for name in ("encode", "prototypes")},
        ("attribute",): [run, arrays, "--label", "1"],
        ("train",): ["vae", "--epochs", "1", "--hidden", "4", "--no-pictures"],
        ("evaluate",): [run, "--samples", "2", "--limit", "20"],
        ("latent-dim",): ["linear_ae", "--sizes", "1,2", "--epochs", "1"],
        ("export",): [run, new()],
        ("project",): [run, new()],
        ("plot",): [run],
        ("compress",): ["digits", run, new(".bb"), "--binarize", "threshold"],
        ("decompress",): [file(), run, new(".npy")] if path == ("decompress",) else None,
    }.get(path)


def malformed_texts(option):
    """What is malformed for an argument or an option of a command; the empty text always is."""
    if option.name in ("pattern", "versus", "label", "out", "target", "folder") or getattr(option, "is_flag", False):
        return ()
    texts = {int: ("x", "2.5", "nan", "-1", "1e3", "9" * 30), float: ("x", "nan", "inf", "-1")}
    kinds = {option.bare_type, *typing.get_args(option.bare_type)}
    return "", *next((found for kind, found in texts.items() if kind in kinds), ("nonsense",))


def with_text(command, option, arguments, text):
    """The arguments of a command with a text for one of its options."""
    if option.param_type_name == "option":
        return [*arguments, option.opts[0], text]
    place = [p for p in command.params if p.param_type_name == "argument"].index(option)
    return [*arguments[:place], text, *arguments[place + 1 :]]


ALSO_CALLED = {  # words that stand for an argument in a message
    **{"identifier": ("likelihood",), "X": ("x",), "name": ("model", "preset", "data set")},
    **{"options": ("argument of model",), "network_options": ("argument of network",)},
}
