"""Anomalies in time series.

Autoencoders of sequences learn what is normal; what they reconstruct badly is not. Two kinds of data that come with the
package aeon (pip install aeon):

- one long series, blood pressure with one disturbed beat (number 135 of the UCR anomaly archive; Wu and Keogh, 2021,
  arXiv:2009.13807), cut into windows; a point's score is the mean of its squared errors in all windows that hold it;
- spoken vowels, 12 channels and 7 to 29 steps each, of 9 speakers (Kudo et al., 1999): one speaker is normal, the
  others are anomalies; a recording's score is the mean squared error of its steps.

The baseline is PCA with a code of the same size, of windows as vectors; recordings are stretched to equal length for
it. The decoders never see the steps before (word_dropout=1): one that does predicts a disturbance from itself.

    python examples/time_series.py

--data takes a series of one's own: a .csv with a channel in each column, and 0 or 1, for anomalies, in the last one.
"""

import numpy as np
from common import Page, options
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import keras_ae
from keras_ae.distributions.likelihoods import Normal

MODELS = ("sequence_ae", "sequence_vae")


def series(path):
    """Training and test part of a series, (steps, channels), standardised, and which test points are anomalies."""
    if path:
        table = keras_ae.data.load(path, "all").x
        begin = int(np.flatnonzero(table[:, -1])[0]) // 2  # normal, and long before the first anomaly
        train, test, label = table[:begin, :-1], table[begin:, :-1], table[begin:, -1] > 0
    else:
        from aeon.datasets import load_kdd_tsad_135

        train, test, label = (np.asarray(part) for part in _three(load_kdd_tsad_135))
        train, test, label = train.reshape(len(train), -1), test.reshape(len(test), -1), label.ravel() > 0
    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
    return ((train - mean) / deviation).astype("float32"), ((test - mean) / deviation).astype("float32"), label


def _three(load):
    train, _ = load(split="train")
    test, label = load(split="test")
    return train, test, label


def windows(x, length):
    """All windows of a series, (n, length, channels)."""
    return np.moveaxis(sliding_window_view(x, length, axis=0), -1, 1)


def reconstructions(name, train, test, latent_dim, epochs, seed):
    """Reconstructions of test sequences by a model, or PCA, of training sequences."""
    if name == "PCA":
        flat = train.reshape(len(train), -1)
        pca = PCA(min(latent_dim, *flat.shape), random_state=seed).fit(flat)
        return pca.inverse_transform(pca.transform(test.reshape(len(test), -1))).reshape(test.shape)
    model = keras_ae.create(
        name,
        train.shape[1:],
        latent_dim,
        likelihood=Normal(0.1),
        word_dropout=1.0,
        network_options={"units": 64},
        seed=seed,
    )
    model.compile(keras_ae.optimizers.Adam(3e-3))
    model.fit(train, epochs=epochs, batch_size=128, verbose=0)
    return model.reconstruct(test)


def of_points(errors, points):
    """The mean over all windows that hold a point of its error there: (windows, length) -> (points,)."""
    total, count = np.zeros(points), np.zeros(points)
    for step in range(errors.shape[1]):
        total[step : step + len(errors)] += errors[:, step]
        count[step : step + len(errors)] += 1
    return total / count


def stretched(x, steps):
    """Recordings of different lengths, filled up with NaN, as ones of `steps` steps, by linear interpolation."""
    out = np.zeros((len(x), steps, x.shape[2]), "float32")
    for row, recording in zip(out, x, strict=True):
        known = recording[~np.isnan(recording).any(axis=1)]
        at = np.linspace(0, len(known) - 1, steps)
        for channel in range(x.shape[2]):
            row[:, channel] = np.interp(at, np.arange(len(known)), known[:, channel])
    return out


def vowels():
    """Recordings with NaN where they have ended, (n, 29, 12), and speakers, of the training and of the test part."""
    from aeon.datasets import load_japanese_vowels

    found = []
    for split in ("train", "test"):
        x, y = load_japanese_vowels(split=split)
        padded = np.full((len(x), 29, 12), np.nan, "float32")
        for row, recording in zip(padded, x, strict=True):
            row[: recording.shape[1]] = recording.T
        found += [padded, np.asarray(y)]
    return found


def draw(test, label, scores):
    """The series, and each method's scores, with the anomaly shaded."""
    figure = Figure(figsize=(9, 1.6 * (1 + len(scores))), layout="constrained")
    panels = figure.subplots(1 + len(scores), sharex=True)
    for axis, (name, values) in zip(panels, {"series": test[:, 0], **scores}.items(), strict=True):
        axis.plot(values, linewidth=0.7)
        axis.set_ylabel(name)
        axis.fill_between(np.arange(len(label)), 0, 1, where=label, transform=axis.get_xaxis_transform(), alpha=0.3)
    return figure


def main():
    arguments = options(__doc__, data="", length=64, latent_dim=8, epochs=30, seeds=3, rounds=9)
    page = Page(arguments.out, __doc__)
    train, test, label = series(arguments.data)
    length = min(arguments.length, len(train) // 2)
    page.text(
        f"A series of {len(train)} steps to train on and {len(test)} to judge, {int(label.sum())} of them anomalous, "
        f"in windows of {length} steps; codes of {arguments.latent_dim}. Area under the ROC curve over all points, "
        f"mean and standard deviation over {arguments.seeds} seeds, and how often the highest score is in the "
        "anomaly, or less than a window from it:"
    )
    rows, scores = [], {}
    for name in ("PCA", *MODELS):
        areas, hits = [], []
        for seed in range(arguments.seeds):
            seen = windows(test, length)
            made = reconstructions(name, windows(train, length), seen, arguments.latent_dim, arguments.epochs, seed)
            scores[name] = of_points(np.square(made - seen).mean(axis=2), len(test))
            areas.append(roc_auc_score(label, scores[name]))
            hits.append(np.abs(np.flatnonzero(label) - scores[name].argmax()).min() < length)
        rows.append([name, f"{np.mean(areas):.3f} ({np.std(areas):.3f})", f"{sum(hits)} of {len(hits)}"])
    page.table(["model", "area under the curve", "found"], rows)
    page.picture("series", draw(test, label, scores), "The series, its anomaly (shaded), and the scores:")
    if not arguments.data:
        page.text(f"Vowels: one speaker is normal, {arguments.rounds} rounds; mean and deviation over the speakers.")
        page.table(["model", "area under the curve"], speakers(arguments))
    page.write()


def speakers(arguments):
    """A row for each model: areas under the curve with each speaker in turn as the normal one."""
    x, y, x_test, y_test = vowels()
    areas = {name: [] for name in ("PCA", *MODELS)}
    for speaker in np.unique(y)[: arguments.rounds]:
        normal = x[y == speaker]
        mean, deviation = np.nanmean(normal, axis=(0, 1)), np.nanstd(normal, axis=(0, 1))
        normal, judged = (normal - mean) / deviation, (x_test - mean) / deviation
        for name in areas:
            as_seen = [stretched(part, 15) for part in (normal, judged)] if name == "PCA" else [normal, judged]
            made = reconstructions(name, *as_seen, arguments.latent_dim, 10 * arguments.epochs, 0)
            error = np.nanmean(np.square(made - as_seen[1]), axis=(1, 2))
            areas[name].append(roc_auc_score(y_test != speaker, error))
    return [[name, f"{np.mean(found):.3f} ({np.std(found):.3f})"] for name, found in areas.items()]


if __name__ == "__main__":
    main()
