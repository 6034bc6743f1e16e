"""Readers of image data sets: scikit-learn's digits, MNIST, CIFAR-10."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError
from archsim.workload.data.files import bundled_table, data_file
from archsim.workload.data.sets import Raw

DIGITS_TRAIN = 1437  # of 1797; the remaining 360 are the test split


def read_digits(split: str, count: int | None) -> Raw:
    """Return the 8x8 digits that scikit-learn bundles, shuffled once."""
    del count  # the file is small and is shuffled as a whole
    table = bundled_table("digits", "digits.csv.gz", ",")
    table = table[np.random.default_rng(0).permutation(len(table))]
    part = table[:DIGITS_TRAIN] if split == "train" else table[DIGITS_TRAIN:]
    return Raw(part[:, :-1], part[:, -1])


def read_mnist(split: str, count: int | None) -> Raw:
    """Return MNIST from its four gzipped IDX files, in file order."""
    stem = {"train": "train", "test": "t10k"}[split]
    images = _idx(data_file("mnist", f"MNIST/raw/{stem}-images-idx3-ubyte.gz"), count)
    return Raw(images, _idx(data_file("mnist", f"MNIST/raw/{stem}-labels-idx1-ubyte.gz"), count))


def _idx(path: Path, count: int | None) -> npt.NDArray[np.uint8]:
    """Read unsigned bytes in the IDX format: 2 zero bytes, type 8, rank, then big-endian 32-bit sizes, then data."""
    try:
        with gzip.open(path) as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\x00\x00\x08":
                raise DataError(f"{path}: not an IDX file of unsigned bytes")
            sizes = np.frombuffer(file.read(4 * head[3]), ">u4").astype(int)
            wanted = min(int(sizes[0]), int(sizes[0]) if count is None else count)
            item = int(np.prod(sizes[1:]))
            content = np.frombuffer(file.read(wanted * item), np.uint8)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: damaged file ({error})") from error
    if content.size != wanted * item:
        raise DataError(f"{path}: truncated, {content.size} bytes of {wanted * item}")
    return content.reshape(wanted, *sizes[1:])


def read_cifar10(split: str, count: int | None) -> Raw:
    """Return CIFAR-10 from Parquet files of encoded images (`img` = {bytes, path}, `label`), in file order."""
    import pyarrow.parquet as parquet  # loads slowly; only this data set needs it
    from PIL import Image

    path = data_file("cifar10", f"cifar10/{split}-00000-of-00001.parquet")
    try:
        file = parquet.ParquetFile(path)
        rows: list[dict[str, object]] = []
        for batch in file.iter_batches(batch_size=1024, columns=["img", "label"]):
            rows += batch.to_pylist()
            if count is not None and len(rows) >= count:
                break
        rows = rows[:count]
        images = [np.asarray(Image.open(io.BytesIO(row["img"]["bytes"])).convert("RGB")) for row in rows]  # type: ignore[index]
        labels = np.array([row["label"] for row in rows])
        return Raw(np.stack(images).transpose(0, 3, 1, 2), labels)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's and pillow's errors are among these
        raise DataError(f"{path}: damaged file ({error})") from error
