"""Real data sets as NumPy arrays: images (N, C, H, W) in [0, 1] and integer labels. Nothing is ever downloaded."""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError, nearest

ENVIRONMENT_VARIABLE = "ARCHSIM_DATA"
SPLITS = ("train", "test")
DIGITS_TRAIN = 1437  # of 1797; the remaining 360 are the test split

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageSet:
    """Images (N, C, H, W), float32, and their labels (N,) in [0, `classes`)."""

    name: str
    images: Images
    labels: Labels
    classes: int

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Source:
    """How one data set is read. `read(split, count)` returns raw images and labels; `peak` is the brightest value."""

    shape: tuple[int, int, int]
    classes: int
    peak: float
    read: Callable[[str, int | None], tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]]


def load_dataset(
    name: str, split: str = "test", *, count: int | None = None, centred: bool = False, exact: bool = True
) -> ImageSet:
    """Return the first `count` images of a split (all by default), scaled to [0, 1], or to [-1, 1] if `centred`.

    `exact` = False takes as many as there are, where there are fewer.

    Raises `DataError` for an unknown data set or split, for missing or damaged files, and when `count` images
    do not exist.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'{nearest(name, DATASETS)}")
    if split not in SPLITS:
        raise DataError(f"data set '{name}' has no split '{split}'{nearest(split, SPLITS)}")
    if count is not None and count < 1:
        raise DataError(f"data set '{name}': at least one image is needed, got {count}")
    source = DATASETS[name]
    raw, labels = source.read(split, count)
    if count is not None and len(labels) < count and exact:
        raise DataError(f"data set '{name}' has {len(labels)} {split} images, {count} were asked for")
    images = (raw[:count].astype(np.float32) / np.float32(source.peak)).reshape(-1, *source.shape)
    if centred:
        images = images * 2 - 1
    return ImageSet(name, images.astype(np.float32), labels[:count].astype(np.int64), source.classes)


def data_folder() -> Path:
    """Return where data sets lie: $ARCHSIM_DATA, else ./data, else ../shared/data."""
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen)
    candidates = [Path("data"), Path("..") / "shared" / "data"]
    return next((c for c in candidates if c.is_dir()), candidates[0])


def _file(name: str, relative: str) -> Path:
    path = data_folder() / relative
    if not path.is_file():
        raise DataError(
            f"data set '{name}' needs the file {relative}, which is not in {data_folder()}; set {ENVIRONMENT_VARIABLE}"
            " to the folder that holds it (the data set 'digits' needs no files)"
        )
    return path


def _digits(split: str, count: int | None) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    """Read the 8x8 digits that scikit-learn bundles, without importing it (that takes a second), shuffled once."""
    del count  # the file is small and is shuffled as a whole
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("data set 'digits' comes with scikit-learn, which is not installed")
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"data set 'digits': cannot read {path} ({error})") from error
    table = table[np.random.default_rng(0).permutation(len(table))]
    part = table[:DIGITS_TRAIN] if split == "train" else table[DIGITS_TRAIN:]
    return part[:, :-1], part[:, -1]


def _mnist(split: str, count: int | None) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    stem = {"train": "train", "test": "t10k"}[split]
    images = _idx(_file("mnist", f"MNIST/raw/{stem}-images-idx3-ubyte.gz"), count)
    return images, _idx(_file("mnist", f"MNIST/raw/{stem}-labels-idx1-ubyte.gz"), count)


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


def _cifar10(split: str, count: int | None) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    import pyarrow.parquet as parquet  # loads slowly; only this data set needs it
    from PIL import Image

    path = _file("cifar10", f"cifar10/{split}-00000-of-00001.parquet")
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
        return np.stack(images).transpose(0, 3, 1, 2), labels
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's and pillow's errors are among these
        raise DataError(f"{path}: damaged file ({error})") from error


DATASETS: dict[str, Source] = {
    "digits": Source((1, 8, 8), 10, 16.0, _digits),
    "mnist": Source((1, 28, 28), 10, 255.0, _mnist),
    "cifar10": Source((3, 32, 32), 10, 255.0, _cifar10),
}
