"""Clusters of MNIST's test digits against their labels, by `gaussian_mixture_vae`, beside k-means.

    python benchmarks/quality/clusters.py --seeds 0 1 2

Each training has a run folder below runs/quality, and goes on there when it was interrupted. Results go to
clusters.csv, a line a seed; docs/models/gaussian_mixture_vae.md shows their means and deviations. Labels take no part
in the training.
"""

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

import page
from sklearn.cluster import KMeans

from keras_ae.evaluation import clustering
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

RESULTS = Path(__file__).parent / "clusters.csv"
PAGE = page.PAGE.parent / "models" / "gaussian_mixture_vae.md"
RECIPE: dict[str, Any] = {
    "model": "gaussian_mixture_vae",
    "data": "mnist",
    "latent_dim": 10,
    "hidden": (500, 500),
    "epochs": 65,
    "batch_size": 256,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "options": {"components": 20, "covariance": "full", "pretraining": 15},
}
COLUMNS = ("method", "seed", "accuracy", "nmi", "ari", "seconds")


def measure(seed: int) -> list[dict[str, Any]]:
    """A line for the model, and one for k-means on the pixels."""
    recipe = Recipe(**RECIPE, seed=seed)
    folder = RunFolder(Path("runs/quality") / f"clusters-{seed}")
    model = runs.train(recipe, folder, resume=folder.exists())
    train, test = recipe.load("train"), recipe.load("test")
    flat, judged = (data.x.reshape(len(data), -1) for data in (train, test))
    baseline = KMeans(10, n_init=3, random_state=seed).fit(flat)
    found = {RECIPE["model"]: (model.cluster(test.x), folder.seconds()), "k-means": (baseline.predict(judged), 0)}
    return [
        {
            "method": name,
            "seed": seed,
            **{key: round(value, 4) for key, value in clustering(test.y, clusters)._asdict().items()},
            "seconds": round(seconds),
        }
        for name, (clusters, seconds) in found.items()
    ]


def table(lines: list[dict[str, str]]) -> list[str]:
    """Means and deviations over the seeds."""
    rows = ["| MNIST, test | accuracy | NMI | ARI | seeds |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(line["method"] for line in lines):
        of_name = [line for line in lines if line["method"] == name]
        cells = []
        for column in ("accuracy", "nmi", "ari"):
            values = [float(line[column]) for line in of_name]
            deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{deviation}")
        rows.append(f"| {name} | {' | '.join(cells)} | {len(of_name)} |")
    return rows


def main() -> None:
    """Measures some seeds; what was measured of others stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for seed in parser.parse_args().seeds:
        lines = [line for line in page.read(RESULTS) if int(line["seed"]) != seed] + measure(seed)
        with open(RESULTS, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(lines, key=lambda line: (line["method"], int(line["seed"]))))
        page.replace(PAGE, "clusters", table(page.read(RESULTS)))
        print(*table(page.read(RESULTS)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
