"""Where data files lie: a folder that the user names, and what scikit-learn bundles."""

from __future__ import annotations

import gzip
import importlib.util
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError

ENVIRONMENT_VARIABLE = "ARCHSIM_DATA"


def data_folder() -> Path:
    """Return where data sets lie: $ARCHSIM_DATA, else ./data, else ../shared/data."""
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen)
    candidates = [Path("data"), Path("..") / "shared" / "data"]
    return next((c for c in candidates if c.is_dir()), candidates[0])


def data_file(name: str, relative: str) -> Path:
    """Return the path of a file of the data set `name`; `DataError` that says what to do where it is missing."""
    path = data_folder() / relative
    if not path.is_file():
        raise DataError(
            f"data set '{name}' needs the file {relative}, which is not in {data_folder()}; set {ENVIRONMENT_VARIABLE}"
            " to the folder that holds it (the data sets 'digits', 'diabetes' and 'gap' need no files)"
        )
    return path


def bundled_table(name: str, file: str, delimiter: str | None) -> npt.NDArray[np.float64]:
    """Return a gzipped text table that comes with scikit-learn, without importing it (that takes a second).

    Raises `DataError` when scikit-learn, or the file, is missing or damaged.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError(f"data set '{name}' comes with scikit-learn, which is not installed")
    path = Path(package.origin).parent / "datasets" / "data" / file
    try:
        with gzip.open(path, "rt") as text:
            return np.loadtxt(text, delimiter=delimiter)
    except (OSError, ValueError) as error:
        raise DataError(f"data set '{name}': cannot read {path} ({error})") from error
