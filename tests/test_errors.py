"""Mistakes are answered by errors that name the argument and what was received: a quick part of benchmarks/errors."""

import importlib
import sys

import pytest

from tests.helpers import ROOT


@pytest.fixture(scope="module")
def harness():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks" / "errors"))
        yield importlib.import_module("run")
        for name in ("run", "values"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "wanted", ["layers.", "schedules.", "divergences.", "distributions.", "pipeline.", "networks.dense", "plots.tiled"]
)
def test_every_malformed_argument_is_named(harness, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = list(harness.rows([wanted]))
    assert found and [row for row in found if row[4] != "named"] == []
