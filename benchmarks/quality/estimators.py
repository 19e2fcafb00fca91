"""Do the estimators of log p(x) agree on a trained model? And where does its bound lose?

    python benchmarks/quality/estimators.py [PRESET]

On the first test images: the ELBO, the importance-weighted bound from the encoder's and from optimised posteriors,
annealed importance sampling, the naive estimate from the prior; and the error of annealing on as many simulated images.
Written to estimators.csv and docs/evaluation.md; what the file holds already is not measured again. Exit code 1 where
annealing is lower than the importance-weighted bound by more than two standard errors of their difference.
"""

import argparse
import csv
import functools
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import page

import keras_ae
from keras_ae import evaluation
from keras_ae.zoo import presets


def estimates(model: keras_ae.Variational, x: np.ndarray, options: argparse.Namespace) -> dict[str, Callable]:
    """Name of each estimate -> its values, standard error of their mean and effective samples; None: not known."""
    posteriors = functools.cache(lambda: evaluation.optimise_posterior(model, x, steps=options.steps))

    def monte_carlo(*arguments: Any, **keywords: Any) -> tuple[np.ndarray, float, float]:
        found = evaluation.log_likelihood(model, x, *arguments, **keywords)
        error = float(np.sqrt(np.square(found.standard_error).sum()) / len(x))
        return found.log_prob, error, float(found.effective_sample_size.mean())

    def gap() -> np.ndarray:
        both = evaluation.bidirectional(model, len(x), options.chains, options.temperatures)
        return both.upper - both.lower

    k = options.samples
    return {
        "ELBO": lambda: (evaluation.elbo(model, x, samples=1000).elbo, None, None),
        f"importance, K={k}": lambda: monte_carlo(samples=k),
        f"ELBO of optimised posteriors, {options.steps} steps": lambda: (posteriors().elbo, None, None),
        f"importance from optimised posteriors, K={k}": lambda: monte_carlo(
            samples=k, proposal=posteriors().distribution
        ),
        f"AIS, {options.chains} chains, {options.temperatures} temperatures": lambda: monte_carlo(
            "ais", samples=options.chains, steps=options.temperatures
        ),
        f"prior, K={k}": lambda: monte_carlo("prior", k),
        "bidirectional gap on simulated images": lambda: (gap(), None, None),
    }


def main() -> int:
    """Measures what is missing, and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="vae_binarized_mnist", help="a variational one (%(default)s)")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--samples", type=int, default=5000, help="importance samples")
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--temperatures", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=500, help="of the optimised posteriors")
    options = parser.parse_args()
    model = keras_ae.from_preset(options.preset)
    x = presets.preset(options.preset).recipe.evaluation_data("test")[: options.examples]

    about = {"preset": options.preset, "examples": str(len(x))}
    found = {row["estimate"]: row for row in page.read(page.ESTIMATORS) if about.items() <= row.items()}
    asked = estimates(model, x, options)
    for name, estimate in asked.items():
        if name not in found:
            begin = time.perf_counter()
            values, error, effective = estimate()
            found[name] = {
                "estimate": name,
                "nats": f"{np.mean(values):.3f}",
                "standard_error": "" if error is None else f"{error:.3f}",
                "effective_sample_size": "" if effective is None else f"{effective:.1f}",
                **about,
                "seconds": str(round(time.perf_counter() - begin)),
            }
            with open(page.ESTIMATORS, "w", newline="") as file:
                writer = csv.DictWriter(file, list(found[name]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(found.values())
        print(found[name], flush=True)
    page.main()
    importance, annealed = (found[next(n for n in asked if n.startswith(kind))] for kind in ("importance, K", "AIS"))
    difference = float(annealed["nats"]) - float(importance["nats"])
    error = np.hypot(float(annealed["standard_error"]), float(importance["standard_error"]))
    print(f"AIS - importance: {difference:.3f} +- {error:.3f} nats")
    return int(difference < -2 * error)


if __name__ == "__main__":
    sys.exit(main())
