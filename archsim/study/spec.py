"""What a study file says: a chip, a network, what is varied, what is computed, and what is looked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, model_validator

from archsim.config import Document, Model, override, read_yaml, validate
from archsim.config.yaml_file import load_text
from archsim.errors import ConfigError
from archsim.study.axis import AxisValues

Goal = Literal["min", "max"]
SETTINGS = ("passes", "images", "seed", "chip", "schedule", "grain", "stopping", "baseline")
FILES = ("arch", "workload")
BY_PATH = ("axes", "overrides", "derive")  # sections whose keys are paths


class Grid(Model):
    """Every combination of all values."""

    kind: Literal["grid"] = "grid"


class Sampled(Model):
    """So many combinations: independent ones, a scrambled Sobol sequence, or a Latin hypercube."""

    kind: Literal["random", "sobol", "latin_hypercube"]
    points: int = Field(ge=1, le=10_000_000)
    seed: int = Field(0, ge=0)


class OneAtATime(Model):
    """The base point, and for every axis its first and its last value with all others at the base: which axes count?"""

    kind: Literal["one_at_a_time"]


class Saltelli(Model):
    """What Sobol indices are computed from: `points` x (axes + 2) combinations (Saltelli et al. 2010).

    `points`: a power of two.
    """

    kind: Literal["saltelli"]
    points: int = Field(ge=2, le=2**20)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _is_a_power_of_two(self) -> Saltelli:
        if self.points & (self.points - 1):
            raise ValueError(f"points: a Sobol sequence is balanced at powers of two; {self.points} is none")
        return self


Sampling = Annotated[Grid | Sampled | OneAtATime | Saltelli, Field(discriminator="kind")]


class Limit(Model):
    """What a figure may be, in its SI unit."""

    at_least: float | None = None
    at_most: float | None = None


class Search(Model):
    """A search for the best points: so many are tried, chosen by what was found before, `batch` at a time.

    Which points are tried depends on the seed and on `batch`, never on how many workers there are.
    """

    trials: int = Field(ge=1, le=1_000_000)
    sampler: Literal["nsga2", "tpe", "random"] = "nsga2"
    batch: int = Field(32, ge=1, le=10_000)
    seed: int = Field(0, ge=0)


class StudyConfig(Document):
    """A study. Paths to files are relative to the study's own file.

    `axes`: settings by path: of the architecture (`crossbar.rows`), of the workload (`workload.dataset.split`), of the
    component library (`library.peripheral.sense_amp.energy`), of the run (passes, images, seed, chip, schedule, grain,
    stopping, baseline), or whole files (arch, workload); or names, each of which stands for several settings.
    `zipped`: axes that go together, value by value. `ranges`: entries of the library, each varied over its range, or
    all that the chip is built from. `derive`: settings that follow from others. `keep`: conditions that points must
    meet, as formulas of axes; `skip`: combinations to be left out. `quality`: False for timing and energy alone; `ood`:
    sets of images to be told from known ones. `average`: axes over which points are averaged before they are compared.
    """

    SCHEMA: ClassVar[str] = "archsim/study@1"

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    description: str = ""
    arch: str
    workload: str
    overrides: dict[str, Any] = Field({}, description="settings of every point, by path")
    passes: int | None = Field(None, ge=1)
    images: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    quality: bool = True
    ood: list[str] = Field([])
    axes: dict[str, AxisValues] = Field({})
    zipped: list[dict[str, AxisValues]] = Field([])
    ranges: list[str] | Literal["all"] = Field([])
    derive: dict[str, str] = Field({})
    keep: list[str] = Field([])
    skip: list[dict[str, Any]] = Field([])
    sampling: Sampling = Grid()
    average: list[str] = Field([])
    objectives: dict[str, Goal] = Field({})
    limits: dict[str, Limit] = Field({})
    search: Search | None = None

    _folder: Path = PrivateAttr(default=Path())

    def file(self, name: str) -> Path:
        """Return a file that the study names, relative to the study's own."""
        return self._folder / name


def load_study_file(path: Path | str, overrides: Iterable[str] = ()) -> StudyConfig:
    """Read a study file, with `path.to.key=value` overrides; ConfigError holds every problem in it.

    In `axes`, `overrides` and `derive`, whose keys are paths themselves, a key is all that follows:
    `axes.crossbar.rows=[64, 128]`.
    """
    data = read_yaml(path)
    for setting in overrides:
        section, _, rest = setting.partition(".")
        entries = data.get(section, {}) if section in BY_PATH else None
        data = {**data, section: _entered(entries, rest)} if isinstance(entries, dict) else override(data, [setting])
    config = validate(StudyConfig, data, str(path))
    config._folder = Path(path).parent
    return config


def _entered(entries: dict[str, Any], setting: str) -> dict[str, Any]:
    """Return entries with one set, or something inside one of them."""
    path, equals, text = setting.partition("=")
    path = path.strip()
    if not equals or not path:
        raise ConfigError(f"--set {setting}: expected path.to.key=value")
    inside = [key for key in entries if path.startswith(f"{key}.") and isinstance(entries[key], dict)]
    if inside and path not in entries:
        key = max(inside, key=len)
        return {**entries, key: override(entries[key], [setting.removeprefix(f"{key}.")])}
    return {**entries, path: load_text(text, f"--set {setting}")}
