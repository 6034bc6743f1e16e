"""What a workload file says: which network, trained how, on which data, evaluated with how many passes. No torch.

`python -m archsim.workload.spec FILE` writes the JSON Schema of workload files.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.config import Document, Model, json_schema, load, origin
from archsim.errors import ConfigError, DataError
from archsim.workload.data import DATASETS, ImageSet, Task, load_dataset

Positive = Annotated[int, Field(ge=1)]
Argument = bool | int | float | str | list[int] | list[float] | list[str]


class DatasetChoice(Model):
    """Which images, signals or features the network is evaluated on."""

    name: Literal["digits", "mnist", "cifar10", "ecg5000", "diabetes", "gap"]
    split: Literal["train", "test"] = "test"
    preprocessing: Literal["unit", "centred"] = Field(
        "unit", description="inputs in [0, 1], or in [-1, 1], which suits signals and features"
    )


class QuantizationChoice(Model):
    """How the layers of a plain torch network become multi-bit ones."""

    weight_bits: int = Field(4, ge=1, le=8)
    input_bits: int = Field(4, ge=1, le=8)
    calibration_images: Positive = Field(256, description="training images from which the scales are chosen")


class Training(Model):
    """How the checkpoint is made: Adam with a cosine schedule on the cross-entropy."""

    epochs: Positive
    batch_size: Positive = 64
    learning_rate: float = Field(5e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0)
    seed: int = 0
    images: Positive | None = Field(None, description="train on the first so many images only")


class Trained(Model):
    """What was measured when the committed checkpoint was made."""

    epochs: Positive
    seconds: float = Field(gt=0, description="wall time of the training, one thread")
    accuracy: float = Field(ge=0, le=1, description="on test images, from the mean of the passes' softmax")
    passes: Positive
    images: Positive = Field(description="test images evaluated")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    note: str = ""


class WorkloadConfig(Document):
    """A workload file: a network, its checkpoint, its data, and how it is evaluated."""

    SCHEMA: ClassVar[str] = "archsim/workload@1"
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    description: str
    model: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="module:class, found beside this file, in the folder above it, or shipped with archsim",
    )
    arguments: dict[str, Argument] = Field(default_factory=dict, description="keyword arguments of the class")
    checkpoint: str = Field(description="safetensors file, relative to this file")
    dataset: DatasetChoice
    quantization: QuantizationChoice | None = Field(None, description="for networks of plain torch layers")
    passes: Positive = Field(20, description="Monte-Carlo passes of each image")
    images: Positive = Field(1000, description="test images evaluated by default, or all if there are fewer")
    training: Training
    trained: Trained | None = None


@dataclass(frozen=True)
class Workload:
    """A workload file that has been read, and where it lies."""

    config: WorkloadConfig
    path: Path

    @property
    def checkpoint_path(self) -> Path:
        """Where the trained weights are, relative to the file that names them."""
        return origin(self.path, "checkpoint").parent / self.config.checkpoint

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: an image (C, H, W), a signal (C, L) or features (F,)."""
        return DATASETS[self.config.dataset.name].shape

    @property
    def task(self) -> Task:
        """What the network is for, as its data set says."""
        return DATASETS[self.config.dataset.name].task

    def data(self, count: int | None = None, *, split: str | None = None, exact: bool = True) -> ImageSet:
        """Return images of the workload's data set, prepared as its network wants them; see `load_dataset`."""
        choice = self.config.dataset
        centred = choice.preprocessing == "centred"
        return load_dataset(choice.name, split or choice.split, count=count, centred=centred, exact=exact)

    def model_file(self) -> Path:
        """Return the Python file that defines the network.

        Raises `ConfigError` when there is none beside the workload file, in the folder above, or beside archsim.
        """
        module = self.config.model.partition(":")[0]
        relative = Path(*module.split("."))
        installed = Path(__file__).resolve().parents[2]  # the folder that holds the packages archsim and workloads
        here = self.path.resolve().parent
        for folder in (here, here.parent, installed):
            for candidate in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
                if candidate.is_file():
                    return candidate
        raise ConfigError(
            f"{self.path}: model: there is no '{relative.with_suffix('.py')}' beside this file or in the folder above"
        )

    def require_checkpoint(self) -> Path:
        """Return the checkpoint's path; `DataError` that says how to make one where it is missing."""
        if not self.checkpoint_path.is_file():
            raise DataError(f"{self.path}: no checkpoint {self.checkpoint_path}; make one: archsim train {self.path}")
        return self.checkpoint_path


def load_workload(path: Path | str, overrides: tuple[str, ...] = ()) -> Workload:
    """Read a workload file, with `path.to.key=value` overrides; `ConfigError` holds every problem in it."""
    return Workload(load(WorkloadConfig, path, overrides), Path(path))


def write_schema(path: Path) -> None:
    """Write the JSON Schema of workload files, for editors."""
    path.write_text(json.dumps(json_schema(WorkloadConfig), indent=1) + "\n")


if __name__ == "__main__":
    write_schema(Path(sys.argv[1]))
