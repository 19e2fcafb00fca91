"""Do the estimators of log p(x) agree on a trained model? And where does its bound lose?

    python benchmarks/quality/estimators.py [PRESET]

On the first test images: the ELBO, the importance-weighted bound from the encoder's and from optimised posteriors,
annealed importance sampling, the naive estimate from the prior; and the error of annealing on as many simulated images.
Written to estimators.csv and docs/evaluation.md. Exit code 1 where annealing is lower than the importance-weighted
bound by more than two standard errors of their difference.
"""

import argparse
import csv
import sys
import time

import numpy as np
import page

import keras_ae
from keras_ae import evaluation
from keras_ae.zoo import presets


def main() -> int:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="vae_binarized_mnist", help="a variational one (%(default)s)")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--samples", type=int, default=5000, help="importance samples")
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--temperatures", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=500, help="of the optimised posteriors")
    arguments = parser.parse_args()
    model = keras_ae.from_preset(arguments.preset)
    x = presets.preset(arguments.preset).recipe.evaluation_data("test")[: arguments.examples]

    rows, begin = [], time.perf_counter()

    def add(name: str, values: np.ndarray, error: float, effective: float | str = "") -> None:
        nonlocal begin
        seconds, begin = time.perf_counter() - begin, time.perf_counter()
        row = {
            "estimate": name,
            "nats": round(float(np.mean(values)), 3),
            "standard_error": round(error, 3),
            "effective_sample_size": effective if effective == "" else round(float(effective), 1),
            "examples": len(values),
            "seconds": round(seconds),
        }
        print(row, flush=True)
        rows.append(row)

    def monte_carlo(found: evaluation.LogLikelihood) -> tuple[np.ndarray, float, float]:
        """Values, standard error of their mean for these examples, and effective sample size."""
        error = float(np.sqrt(np.square(found.standard_error).sum()) / len(x))
        return found.log_prob, error, float(found.effective_sample_size.mean())

    add("ELBO", evaluation.elbo(model, x, samples=1000).elbo, 0.0)
    importance = evaluation.log_likelihood(model, x, samples=arguments.samples)
    add(f"importance, K={arguments.samples}", *monte_carlo(importance))
    best = evaluation.optimise_posterior(model, x, steps=arguments.steps)
    add(f"ELBO of optimised posteriors, {arguments.steps} steps", best.elbo, 0.0)
    optimised = evaluation.log_likelihood(model, x, samples=arguments.samples, proposal=best.distribution)
    add(f"importance from optimised posteriors, K={arguments.samples}", *monte_carlo(optimised))
    annealed = evaluation.log_likelihood(model, x, "ais", samples=arguments.chains, steps=arguments.temperatures)
    add(f"AIS, {arguments.chains} chains, {arguments.temperatures} temperatures", *monte_carlo(annealed))
    add(f"prior, K={arguments.samples}", *monte_carlo(evaluation.log_likelihood(model, x, "prior", arguments.samples)))
    both = evaluation.bidirectional(model, len(x), arguments.chains, arguments.temperatures)
    add("bidirectional gap on simulated images", both.upper - both.lower, 0.0)

    with open(page.ESTIMATORS, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page.main()
    difference = annealed.log_prob - importance.log_prob
    error = np.hypot(annealed.standard_error, importance.standard_error)
    print(f"AIS - importance: {difference.mean():.3f} +- {np.sqrt(np.square(error).sum()) / len(x):.3f} nats")
    return int(difference.mean() < -2 * np.sqrt(np.square(error).sum()) / len(x))


if __name__ == "__main__":
    sys.exit(main())
