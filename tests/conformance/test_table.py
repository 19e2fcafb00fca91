"""The table of the conformance suite is complete."""

import keras_ae
from tests.conformance import table, test_data_forms, test_files, test_training

SUITES = (test_data_forms, test_files, test_training)


def test_every_registered_model_has_a_row():
    assert {row.split(":")[0] for row in table.TABLE} == set(keras_ae.list_models())


def test_exemptions_name_a_test_and_a_reason():
    names = {name for suite in SUITES for name in vars(suite) if name.startswith("test_")}
    for row in table.TABLE.values():
        assert set(row.exempt) <= names
        assert all(row.exempt.values())
