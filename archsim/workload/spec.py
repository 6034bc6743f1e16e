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

MODULE_AND_CLASS = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
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


class Injection(Model):
    """A chip to train for: each batch sees binary layers on cells of its own, sampled as those of the chip are."""

    arch: str = Field(description="architecture file, relative to this file, whose 'imperfections' count")
    overrides: list[str] = Field(default_factory=list, description="path.to.key=value, applied to it")


class Training(Model):
    """How the checkpoint is made: Adam with a cosine schedule.

    The loss is the task's (cross-entropy; for regression the squared error), plus `kl_weight` times the divergence of
    the weights' posteriors from their priors for each training image, plus `regulariser_weight` times the
    regularisers of the layers.
    """

    epochs: Positive
    batch_size: Positive = 64
    learning_rate: float = Field(5e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0)
    kl_weight: float = Field(1.0, ge=0, description="1 is the evidence lower bound; less is a tempered posterior")
    regulariser_weight: float = Field(1e-3, ge=0)
    seed: int = 0
    images: Positive | None = Field(None, description="train on the first so many images only")
    inject: Injection | None = Field(None, description="train on imperfect cells")


class Trained(Model):
    """What was measured when the committed checkpoint was made."""

    epochs: Positive
    seconds: float = Field(gt=0, description="wall time of the training, one thread")
    accuracy: float | None = Field(None, ge=0, le=1, description="on test images, from the mean of the passes' softmax")
    error: float | None = Field(
        None, ge=0, description="regression: root mean squared error of the passes' mean, of standardised targets"
    )
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
        pattern=MODULE_AND_CLASS,
        description="module:class, found beside this file, in the folder above it, or shipped with archsim",
    )
    arguments: dict[str, Argument] = Field(default_factory=dict, description="keyword arguments of the class")
    checkpoint: str | None = Field(
        description="safetensors file, relative to this file; null: untrained, fit for costs only"
    )
    members: list[str] = Field(
        default_factory=list, description="checkpoints of further networks, trained from other seeds: a deep ensemble"
    )
    operations: list[Annotated[str, Field(pattern=MODULE_AND_CLASS)]] = Field(
        default_factory=list, description="module:class of operations of one's own, found as the model is"
    )
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
        """Where the trained weights are, relative to the file that names them.

        Raises `DataError` for a workload without a checkpoint.
        """
        if self.config.checkpoint is None:
            raise DataError(
                f"{self.path}: its network is untrained (checkpoint: null), fit for costs only; name a checkpoint and"
                f" make it: archsim train {self.path}"
            )
        return origin(self.path, "checkpoint").parent / self.config.checkpoint

    @property
    def is_trained(self) -> bool:
        """Whether the workload has trained weights; without, those of its seed serve for costs."""
        return self.config.checkpoint is not None

    def ensemble(self) -> tuple[Workload, ...]:
        """Return each member of a deep ensemble as a workload of its own; the first has this workload's checkpoint."""
        seed = self.config.training.seed
        single = self.config.model_copy(update={"members": []})
        recipes = [
            self.config.training.model_copy(update={"seed": seed + i}) for i in range(len(self.config.members) + 1)
        ]
        checkpoints = [self.config.checkpoint, *self.config.members]
        return tuple(
            Workload(single.model_copy(update={"checkpoint": c, "training": r}), self.path)
            for c, r in zip(checkpoints, recipes, strict=True)
        )

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
        return self.source_file(self.config.model, "model")

    def source_file(self, reference: str, field: str) -> Path:
        """Return the Python file of a "module:class" of the workload; `field` names where it stands, for messages."""
        relative = Path(*reference.partition(":")[0].split("."))
        installed = Path(__file__).resolve().parents[2]  # the folder that holds the packages archsim and workloads
        here = self.path.resolve().parent
        for folder in (here, here.parent, installed):
            for candidate in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
                if candidate.is_file():
                    return candidate
        raise ConfigError(
            f"{self.path}: {field}: there is no '{relative.with_suffix('.py')}' beside this file or in the folder above"
        )

    def require_checkpoint(self) -> Path:
        """Return the checkpoint's path; `DataError` that says how to make one where it is missing."""
        path = self.checkpoint_path
        if not path.is_file():
            raise DataError(f"{self.path}: no checkpoint {path}; make one: archsim train {self.path}")
        return path


def load_workload(path: Path | str, overrides: tuple[str, ...] = ()) -> Workload:
    """Read a workload file, with `path.to.key=value` overrides; `ConfigError` holds every problem in it."""
    return Workload(load(WorkloadConfig, path, overrides), Path(path))


def write_schema(path: Path) -> None:
    """Write the JSON Schema of workload files, for editors."""
    path.write_text(json.dumps(json_schema(WorkloadConfig), indent=1) + "\n")


if __name__ == "__main__":
    write_schema(Path(sys.argv[1]))
