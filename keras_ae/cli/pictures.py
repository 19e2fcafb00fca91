"""The pictures of a run."""

from pathlib import Path

from keras_ae import errors, models, plots
from keras_ae.cli import arguments
from keras_ae.training import RunFolder

MOST_CODES = 5000


def draw(folder: RunFolder) -> list[Path]:
    """Draws every picture that makes sense for the run's model and data into `RUN/pictures`; returns their paths."""
    recipe = arguments.recipe(folder)
    model = folder.load_model()
    test = recipe.load("test")
    x = recipe.evaluation_data("test")[:MOST_CODES]
    figures = {}
    if history := folder.history():
        columns = {name: [row[name] for row in history] for name in history[0] if name != "epoch"}
        unit = "squared error" if isinstance(model, models.LinearAE) else "nats"
        figures["learning-curves"] = plots.learning_curves(columns, unit=unit)
    labels = None if test.y is None else test.y[:MOST_CODES]
    figures["codes"] = plots.codes(model.encode(x, condition=labels if model.conditional else None), labels)
    if len(model.event_shape) == 3:
        snapshots = folder.snapshots()
        if 0 in snapshots:
            originals = snapshots.pop(0)
            figures["reconstructions"] = plots.reconstructions(originals, snapshots)
        if model.has_prior:
            figures["samples"] = plots.samples(model)
        if model.latent_shape == (2,) and not model.conditional:
            figures["manifold"] = plots.manifold(model)
        if isinstance(model, models.LinearAE):
            figures["components"] = plots.components(model, x)
    paths = []
    for name, figure in figures.items():
        paths.append(folder.pictures / f"{name}.png")
        plots.save(figure, paths[-1])
    try:
        plots.network(model, folder.pictures / "network")
    except errors.InputError as error:
        print(f"no picture of the networks: {error}")
    return paths
