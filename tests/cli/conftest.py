"""What the tests of the commands share."""

import sys

import pytest

from keras_ae.cli import main


@pytest.fixture
def command(monkeypatch, capsys):
    """A function that runs a command and returns what it printed, to stderr where its exit code is not 0."""

    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["keras-ae", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        assert exit_.value.code == code, captured
        return captured.out if code == 0 else captured.err

    return run
