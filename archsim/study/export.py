"""What a study found, as files for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from archsim.errors import StoreError
from archsim.study.tables import read_study


def export(folder: Path | str) -> tuple[Path, ...]:
    """Write `points.parquet` and `points.csv` beside the stores: the frame of `load_study`; return where they are.

    Each appears whole or not at all. A column of numbers and words is text in the Parquet file, which knows no
    mixtures.

    Raises as `read_study`, and StoreError if the folder cannot be written.
    """
    folder = Path(folder)
    frame = read_study(folder).frame
    mixed = [name for name in frame.columns if frame[name].dtype == object]
    whole = frame.assign(**{name: frame[name].map(_text).astype("str") for name in mixed})
    return (
        appears(folder / "points.parquet", lambda path: whole.to_parquet(path)),
        appears(folder / "points.csv", lambda path: frame.to_csv(path)),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def appears(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under another name and then put it in its place, whole; StoreError where it cannot be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path
