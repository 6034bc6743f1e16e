"""Which data sets are at hand, for tests that need files which do not come with archsim."""

from __future__ import annotations

import pytest

from archsim.errors import DataError
from archsim.workload.data import load_dataset


def _is_here(name: str) -> bool:
    try:
        load_dataset(name, "test", count=1)
    except DataError:
        return False
    return True


needs_mnist = pytest.mark.skipif(not _is_here("mnist"), reason="the files of MNIST are not at hand")
