"""What runs in threads comes back in order, and not more of it than is asked for."""

import threading
import time

import pytest

from keras_ae.backend import in_parallel


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.05 if item == 0 else 0)
        return item**2

    assert list(in_parallel(slow_at_first, range(20), 3)) == [i**2 for i in range(20)]
    assert list(in_parallel(slow_at_first, [], 3)) == []


def test_several_at_a_time():
    together = threading.Barrier(3, timeout=10)
    assert len(list(in_parallel(lambda _: together.wait(), range(6), 3))) == 6


def test_few_results_wait_for_the_one_who_takes_them():
    begun = []
    results = in_parallel(begun.append, range(1000), 3)
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 4
    results.close()
    assert len(begun) <= 4


def test_an_error_ends_it():
    begun = []

    def fails(item):
        begun.append(item)
        raise MemoryError(item)

    with pytest.raises(MemoryError, match="0"):
        list(in_parallel(fails, range(1000), 3))
    assert len(begun) <= 4
