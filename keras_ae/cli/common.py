"""What the commands share; importing it loads no backend."""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_ae import onednn
from keras_ae.errors import check_backend

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `keras-ae train` wrote.")]
OutputArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Ends in .npz (arrays), .png (a grid) or .txt (text).")
]
SplitOption = Annotated[str, typer.Option("--split", help="Split of the data.")]


def import_keras(run: Path | None = None) -> None:
    """Imports the backend without what TensorFlow's libraries write to the terminal before they can be configured.

    Args:
        run: folder of a training, which goes on with the operations that it was started with.
    """
    check_backend()
    started_with = _uses_onednn(run)
    if isinstance(started_with, bool):
        onednn.prefer(started_with)
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras  # noqa: F401
        except BaseException:
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns where many functions are compiled


def _uses_onednn(run: Path | None) -> Any:
    """What a run folder says of it; True for a new run, and None, TensorFlow's own choice, for one that is older than
    the setting."""
    if run is None or not (run / "config.json").is_file():
        return True
    try:
        return json.loads((run / "config.json").read_text()).get("onednn")
    except (ValueError, AttributeError):
        return None  # damaged, as the command itself will say
