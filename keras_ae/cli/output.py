"""What the commands print and write."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ae import errors
from keras_ae.evaluation import Report
from keras_ae.models import files

ENDINGS = (".npz", ".png")


def check_target(path: Path) -> None:
    """Raises InputError for an ending that says nothing, before anything is computed."""
    if path.suffix not in ENDINGS:
        raise errors.InputError(f"{path} must end in .npz (arrays) or .png (a picture).")


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

    bound = f"{report.quantity} bound, K={report.samples}" if report.samples else report.quantity
    units = "nats" if report.quantity != "cross-entropy" else "nats, grey levels: no log-probability"
    table = Table(title=f"{model} on {data}, {report.examples} examples; means per example", title_justify="left")
    table.add_column("model")
    table.add_column("squared error", justify="right")
    table.add_column(f"{bound} ({units})", justify="right")
    table.add_column("bits/dim", justify="right")
    rows: list[dict[str, Any]] = [
        {"name": model, "squared_error": report.squared_error, "log_prob": report.bound},
        *report.baselines,
    ]
    for row in rows:
        error = f" ± {report.bound_standard_error:.2f}" if row["name"] == model and report.bound is not None else ""
        log_prob = "-" if row["log_prob"] is None else f"{row['log_prob']:.2f}{error}"
        bits = f"{report.bits(row['log_prob']):.3f}" if report.bits(row["log_prob"]) is not None else "-"
        table.add_row(row["name"], f"{row['squared_error']:.3f}", log_prob, bits)
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)
    console.print("terms: " + ", ".join(f"{name} {value:.3f}" for name, value in report.terms.items()))
