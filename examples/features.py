"""Features for a linear classifier: pixels, PCA, and what the encoders of the presets know.

A linear classifier on features that were learned without labels shows how much of the classes they make linear. The
encoders of the presets of each data set stay as they are (frozen), and so does that of one autoencoder trained here:
with one wide hidden layer, to take noise away. Wide features tell classes apart better than a narrow code (Coates, Ng
and Lee, 2011, AISTATS), those of a denoising autoencoder better than those of a plain one (Vincent et al., 2010,
JMLR 11). Logistic regression is trained with 10, 100 and 1,000 labels a class and with all, on the codes and on the
widest layer of each encoder.

    python examples/features.py
    python examples/features.py --data digits --epochs 5
"""

from collections.abc import Iterable, Iterator

import common
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import keras_ae
from keras_ae.data import balanced
from keras_ae.evaluation import probe_codes
from keras_ae.tasks import feature_layers, features
from keras_ae.zoo import presets

WIDE = {"latent_dim": 64, "network_options": {"hidden": (2000,)}}  # of the denoising autoencoder trained here
PER_CLASS = (10, 100, 1000)
TUNED = 100  # up to so many labels a class, C is chosen by cross-validation; with more it stays as it is
WIDEST = 4096  # values of the widest layer that is taken


def encoders(data: keras_ae.data.Dataset, name: str, epochs: int) -> Iterator[tuple[str, keras_ae.Autoencoder]]:
    """The presets of the data that need no condition, and the wide denoising autoencoder."""
    for preset in map(presets.preset, keras_ae.list_presets()):
        if preset.recipe.data.removeprefix("binarized_") == name:
            model = keras_ae.from_preset(preset.name)
            if not model.conditional:
                yield preset.name, model
    wide = keras_ae.create("denoising_ae", data.shape, seed=0, corruption="masking", **WIDE)
    wide.compile("adam")
    wide.fit(data.x, epochs=epochs, batch_size=128, verbose=0)
    yield "wide denoising", wide


def widest_layer(model: keras_ae.Autoencoder) -> str | None:
    """Name of the layer that gives the most values among those that learn something; None without such a layer."""
    sizes = {name: int(np.prod(shape)) for name, shape in feature_layers(model).items()}
    learned = [name for name in sizes if model.encoder.get_layer(name).weights and sizes[name] <= WIDEST]
    return max(learned, key=sizes.__getitem__, default=None)


def feature_sets(models: Iterable[tuple], train: np.ndarray, test: np.ndarray) -> Iterator[tuple]:
    """One pair of arrays after the other: name, features of training images, features of test images."""
    flat = [x.reshape(len(x), -1) for x in (train, test)]
    yield "pixels", *flat
    pca = PCA(min(64, flat[0].shape[1]), svd_solver="covariance_eigh").fit(flat[0])
    yield f"PCA ({pca.n_components_})", *map(pca.transform, flat)
    for name, model in models:
        yield f"{name}, code", *(features(model, x, pooling="flat") for x in (train, test))
        layer = widest_layer(model)
        if layer:
            yield f"{name}, widest layer", *(features(model, x, layer, "flat") for x in (train, test))


def accuracies(train: np.ndarray, test: np.ndarray, y: tuple, counts: list[int], seeds: int) -> np.ndarray:
    """Test accuracy in %, (number of labels, seeds of their draw); with all labels there is nothing to draw."""
    classes = len(np.unique(y[0]))
    found = np.zeros((len(counts), seeds))
    for seed in range(seeds):
        tuned = [count for count in counts if count <= TUNED * classes]
        results = probe_codes(train, y[0], test, y[1], tuned, seed=seed)
        found[: len(tuned), seed] = [result.score for result in results]
        for i, count in enumerate(counts[len(tuned) :], len(tuned)):
            if count == len(train) and seed:
                found[i, seed] = found[i, 0]
                continue
            rows = slice(None) if count == len(train) else balanced(y[0], count, seed)
            predictor = make_pipeline(StandardScaler(), LogisticRegression(C=results[-1].chosen["C"], max_iter=300))
            with threadpool_limits(1):
                found[i, seed] = predictor.fit(train[rows], y[0][rows]).score(test, y[1])
    return 100 * found


def curves(panels: dict[str, tuple[list[int], dict[str, np.ndarray]]]) -> Figure:
    """Error against the number of labels, with one standard deviation, of pixels, PCA and the eight best features with
    all labels; one panel for each data set."""
    figure = Figure(figsize=(6.5 * len(panels), 5), layout="constrained")
    for i, (title, (counts, found)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i, title=title, xlabel="labels", xscale="log", yscale="log")
        axes.set_ylabel("test error, %")
        baselines, learned = list(found)[:2], sorted(list(found)[2:], key=lambda name: -found[name][-1].mean())
        for name in (*baselines, *learned[:8]):
            style = "--" if name in baselines else ":" if name.endswith("code") else "-"
            axes.errorbar(counts, 100 - found[name].mean(axis=1), found[name].std(axis=1), label=name, linestyle=style)
        axes.legend(fontsize=8)
    return figure


def main() -> None:
    """Learns features on each data set, judges them, and writes the page."""
    options = common.options(__doc__, data=["mnist", "fashion_mnist"], epochs=20, seeds=5)
    page = common.Page(options.out, __doc__)
    page.text(
        f"Test accuracy in %, mean and standard deviation over {options.seeds} draws of the labels (with all there is "
        "nothing to draw). Features are standardised. C of the logistic regression is chosen by cross-validation up to "
        f"{TUNED} labels a class; with more it stays what it is there."
    )
    panels = {}
    for name in options.data:
        train, test = common.load(name)
        classes = len(np.unique(train.y))
        counts = [count * classes for count in PER_CLASS if count * classes < len(train)] + [len(train)]
        found, rows = {}, []
        for label, *arrays in feature_sets(encoders(train, name, options.epochs), train.x, test.x):
            values = accuracies(*arrays, (train.y, test.y), counts, options.seeds)
            found[label] = values
            rows.append((label, arrays[0].shape[1], *(f"{v.mean():.2f} ({v.std():.2f})" for v in values)))
            print(name, *rows[-1], flush=True)
        page.text(f"## {name}")
        page.table(("features", "values", *(f"{count} labels" for count in counts)), rows)
        best = [max(found, key=lambda label, i=i: found[label][i].mean()) for i in (0, -1)]
        few = [found[label][0].mean() for label in (best[0], "pixels")]
        page.text(
            f"Best with all labels: {best[1]}, {found[best[1]][-1].mean():.2f} %. Best with {counts[0]}: {best[0]}, "
            f"{few[0]:.2f} %, {few[0] - few[1]:+.2f} against pixels."
        )
        panels[name] = counts, found
    page.picture("errors", curves(panels), "The same as a picture, in errors, of the best:")
    page.write()


if __name__ == "__main__":
    main()
