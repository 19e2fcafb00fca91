"""What the commands print and write."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ae import errors
from keras_ae.evaluation import Report
from keras_ae.models import files

ENDINGS = {".npz": "arrays", ".png": "a picture"}
TEXT = {".txt": "text"}


def check_target(path: Path, text: bool = False) -> None:
    """Raises InputError for an ending that says nothing, before anything is computed."""
    known = ENDINGS | TEXT if text else ENDINGS
    if path.suffix not in known:
        raise errors.InputError(
            f"{path} must end in {' or '.join(f'{ending} ({what})' for ending, what in known.items())}."
        )


def write_text(path: Path, model: Any, *columns: np.ndarray) -> None:
    """Writes sequences of tokens as lines of text, several columns with tabs between them."""
    if getattr(model, "tokenizer", None) is None:
        raise errors.InputError(f"{path}: {type(model).__name__} was not trained on text. Write .npz or .png.")
    texts = [model.tokenizer.decode(tokens) for tokens in columns]
    files.write_text(path, "".join("\t".join(line) + "\n" for line in zip(*texts, strict=True)))
    print(path)


def write(path: Path, **arrays: Any) -> None:
    """Writes arrays as .npz, or the first of them as a grid of images."""
    if path.suffix == ".npz":
        files.write(path, lambda temporary: np.savez_compressed(temporary, **arrays))
    else:
        from keras_ae import plots

        plots.save(plots.image_grid(next(iter(arrays.values()))), path)
    print(path)


def write_pairs(path: Path, originals: np.ndarray, reconstructions: np.ndarray) -> None:
    """Writes originals and reconstructions."""
    if path.suffix == ".npz":
        write(path, x=originals, reconstruction=reconstructions)
        return
    from keras_ae import plots

    plots.save(plots.side_by_side(originals, reconstructions), path)
    print(path)


def write_codes(path: Path, codes: np.ndarray, labels: np.ndarray | None) -> None:
    """Writes codes, with labels where there are any."""
    if path.suffix == ".npz":
        write(path, code=codes, **({} if labels is None else {"label": labels}))
        return
    from keras_ae import plots

    plots.save(plots.codes(codes, labels), path)
    print(path)


def print_report(report: Report, model: str, data: str) -> None:
    """The evaluation as a table."""
    from rich.console import Console
    from rich.table import Table

    units = "nats" if report.quantity != "cross-entropy" else "nats; grey levels: no log-probability"
    bound = f" ({report.estimator})" if report.estimator else ""
    table = Table(title=f"{model} on {data}, {report.examples} examples; means per example", title_justify="left")
    table.add_column("model")
    table.add_column("squared error", justify="right")
    table.add_column(f"{report.quantity} ({units})", justify="right")
    table.add_column("bits/dim", justify="right")
    rows: list[dict[str, Any]] = [
        {"name": f"{model}{bound}", "squared_error": report.squared_error, "log_prob": report.bound},
        *report.baselines,
    ]
    for row in rows:
        bits = report.bits(row["log_prob"])
        table.add_row(row["name"], _number(row["squared_error"], 3), _number(row["log_prob"], 2), _number(bits, 3))
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)
    for line in _findings(report):
        console.print(line, highlight=False)


def _findings(report: Report) -> list[str]:
    """What the table does not hold, a line each."""
    lines = ["terms of the loss: " + ", ".join(f"{name} {value:.3f}" for name, value in report.terms.items())]
    for row in report.probes:
        lines.append(f"{row['kind']} probe, {row['labels']} labels: accuracy {row['score']:.3f}")
    if report.perplexity is not None:
        lines.append(f"perplexity per token: {report.perplexity:.3f}")
    if report.classification is not None:
        lines.append(f"classification: accuracy {report.classification:.3f}")
    if report.clustering:
        figures = ", ".join(f"{name} {value:.3f}" for name, value in report.clustering.items())
        lines.append(f"clusters against labels: {figures}")
    if report.sample_quality:
        found = report.sample_quality
        names = ("precision", "recall", "density", "coverage", "frechet_distance")
        figures = ", ".join(f"{name.replace('_', ' ')} {found[name]:.3f}" for name in names)
        lines.append(f"samples in the feature space {found['feature_space']} (not Inception's): {figures}")
    if report.bound is None or report.distortion is None or report.rate is None:
        return lines
    lines += [
        f"standard error of log p(x) over examples {report.bound_standard_error:.2f} nats; "
        f"effective sample size {report.effective_sample_size:.1f}",
        f"ELBO {-report.distortion - report.rate:.3f} = -(distortion {report.distortion:.3f} + rate {report.rate:.3f})",
    ]
    if report.dimension_wise_kl is not None:
        lines.append(
            f"rate {report.rate:.3f} = mutual information {report.mutual_information:.3f} + total correlation "
            f"{report.total_correlation:.3f} + dimension-wise KL {report.dimension_wise_kl:.3f}"
        )
    if report.units:
        lines.append(f"active units: {report.active_units} of {report.units}")
    if report.gap:
        gap = report.gap
        lines.append(
            f"inference gap of {gap['examples']} examples {gap['total']:.3f} = "
            f"approximation {gap['approximation']:.3f} + amortisation {gap['amortisation']:.3f} "
            f"(log p(x): {gap['estimator']})"
        )
    return lines


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
