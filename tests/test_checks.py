"""Arguments checked by their annotations."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from keras_ae import checks
from keras_ae.checks import Activation, Count, Natural, Positive, Seed, Shape, Share, Tensor, checked
from keras_ae.errors import InputError

TAKEN = [
    (Count, np.int64(3), 3),
    (Natural, 0, 0),
    (Seed, 2**32 - 1, 2**32 - 1),
    (Positive, np.float32(0.5), 0.5),
    (float, 2, 2),
    (bool, np.True_, True),
    (bool, 0, False),
    (str, "x", "x"),
    (Literal["a", "b"], "b", "b"),
    (str | Path, Path("x"), Path("x")),
    (Path, "x", Path("x")),
    (Sequence[Count], np.array([1, 2]), (1, 2)),
    (Sequence[int | None], [None, 1], (None, 1)),
    (Shape, 3, (3,)),
    (Shape, [3, np.int32(4)], (3, 4)),
    (int | tuple[int, ...], (3, 4), (3, 4)),
    (float | Literal["learned"], "learned", "learned"),
    (dict[str, Any] | None, None, None),
    (Mapping[int, Count], {1: 2}, {1: 2}),
    (Any, object, object),
]
REFUSED = [
    (Count, 0, "k must be a whole number of at least 1. Received: k=0."),
    (Count, True, "k must be a whole number of at least 1. Received: k=True."),
    (Count, "3", "k must be a whole number of at least 1. Received: k='3'."),
    (Count, 10**30, "at most 2147483647"),
    (Count, np.array([1, 2]), "Received: k=ndarray of shape (2,) and dtype int64."),
    (Seed, -1, "k must be a whole number of at least 0 and at most 4294967295. Received: k=-1."),
    (Positive, float("nan"), "k must be a number above 0. Received: k=nan."),
    (Share, 1.5, "k must be a number in [0, 1]. Received: k=1.5."),
    (float, 1j, "k must be a number"),
    (bool, "false", "k must be True or False. Received: k='false'."),
    (Literal["linear", "sphere"], "liner", "Unknown k: 'liner'. Did you mean 'linear'? Known: linear, sphere."),
    (Literal["linear"], ["linear"], "Unknown k: ['linear']"),
    (str | Path, "", "k must be a path. Received: k=''."),
    (Sequence[Count], "12", "k must be a list (each item a whole number of at least 1). Received: k='12'."),
    (Sequence[Count], [1, -1], "k[1] must be a whole number of at least 1. Received: k[1]=-1."),
    (Sequence[float], {1.0: 2.0}, "k must be a list"),
    (tuple[int, int], (1, 2, 3), "k must be a list of 2 items. Received: k=(1, 2, 3)."),
    (int | tuple[int, ...], "x", "k must be a whole number or a list (each item a whole number). Received: k='x'."),
    (Callable, 3, "k must be a function. Received: k=3."),
    (Mapping[str, Count], {"a": 0}, "k['a'] must be a whole number of at least 1. Received: k['a']=0."),
    (dict[str, Any], {1: 2}, "a key of k must be text. Received: a key of k=1."),
    (Path, 3, "k must be a path. Received: k=3."),
    (InputError, "x", "k must be an InputError of keras_ae. Received: k='x'."),
    (Activation, "rely", "k must be an activation of Keras: a name, a function or None. Received: k='rely'."),
    (np.ndarray, [["a"]], "of dtype <U1"),
    (np.ndarray, [[1], [1, 2]], "its rows differ in shape"),
    (np.ndarray, scipy.sparse.eye(2), "k must be a dense array, not a sparse one. Received: k=dia_matrix"),
    (np.ndarray, pd.DataFrame({"kind": ["x"]}), "k has columns that hold no numbers: 'kind'"),
    (Tensor, np.array([1j]), "k must be a tensor of real numbers. Received: k=ndarray of shape (1,) and dtype complex"),
]


@pytest.mark.parametrize("kind, value, expected", TAKEN)
def test_what_is_taken(kind, value, expected):
    found = checks.argument(kind, "k", value)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("kind, value, message", REFUSED)
def test_what_is_refused(kind, value, message):
    with pytest.raises(InputError) as error:
        checks.argument(kind, "k", value)
    assert message in str(error.value)


def test_missing_values_of_tables_and_masked_arrays_become_nan():
    table = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [True, False]})
    np.testing.assert_array_equal(checks.numbers("k", table), [[1, 1], [np.nan, 0]])
    np.testing.assert_array_equal(checks.numbers("k", np.ma.masked_equal([1, 2], 2)), [1, np.nan])


def test_a_function_that_is_checked():
    @checked
    def function(a: Count, *rest: Any, b: Share | None = None, c: Annotated[int, "[2, 5]"] = 9, **more: int) -> tuple:
        """It has a docstring."""
        return a, rest, b, c, more

    assert function(np.int8(1), "x", b=1, d="y") == (1, ("x",), 1, 9, {"d": "y"})  # a default passes as it is
    assert function.__doc__ == "It has a docstring." and function.__globals__ is globals()
    assert list(inspect.signature(function).parameters) == ["a", "rest", "b", "c", "more"]
    with pytest.raises(InputError, match="c must be a whole number of at least 2 and at most 5"):
        function(1, c=6)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        function()
