"""What a study file says: a chip, a network, what is varied, what is computed, and what is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from archsim.config import Document, Model, load
from archsim.study.axis import AxisValues

Goal = Literal["min", "max"]
SETTINGS = ("passes", "images", "seed", "chip", "schedule", "grain")
FILES = ("arch", "workload")
WORKLOAD = "workload."


class Grid(Model):
    """Every combination of all values."""

    kind: Literal["grid"] = "grid"


class Sampled(Model):
    """So many combinations: independent ones, a scrambled Sobol sequence, or a Latin hypercube."""

    kind: Literal["random", "sobol", "latin_hypercube"]
    points: int = Field(ge=1, le=10_000_000)
    seed: int = Field(0, ge=0)


Sampling = Annotated[Grid | Sampled, Field(discriminator="kind")]


class Limit(Model):
    """What a figure may be, in its SI unit."""

    at_least: float | None = None
    at_most: float | None = None


class Search(Model):
    """A search for the best points: so many are tried, chosen by what was found before."""

    trials: int = Field(ge=1, le=1_000_000)
    sampler: Literal["nsga2", "tpe", "random"] = "nsga2"
    seed: int = Field(0, ge=0)


class StudyConfig(Document):
    """A study. Paths to files are relative to the study's own file.

    `axes`: settings by path: of the architecture (`crossbar.rows`), of the workload (`workload.dataset.split`), of the
    run (passes, images, seed, chip, schedule, grain), or whole files (arch, workload). `zipped`: axes that go together,
    value by value. `derive`: settings that follow from others. `keep`: conditions that points must meet, as formulas of
    axes; `skip`: combinations to be left out. `quality`: False for timing and energy alone.
    """

    SCHEMA: ClassVar[str] = "archsim/study@1"

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    description: str = ""
    arch: str
    workload: str
    passes: int | None = Field(None, ge=1)
    images: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    quality: bool = True
    axes: dict[str, AxisValues] = Field({})
    zipped: list[dict[str, AxisValues]] = Field([])
    derive: dict[str, str] = Field({})
    keep: list[str] = Field([])
    skip: list[dict[str, Any]] = Field([])
    sampling: Sampling = Grid()
    objectives: dict[str, Goal] = Field({})
    limits: dict[str, Limit] = Field({})
    search: Search | None = None

    _folder: Path = PrivateAttr(default=Path())

    def file(self, name: str) -> Path:
        """Return a file that the study names, relative to the study's own."""
        return self._folder / name


def load_study_file(path: Path | str) -> StudyConfig:
    """Read a study file; ConfigError holds every problem in it."""
    config = load(StudyConfig, path)
    config._folder = Path(path).parent
    return config
