"""An architecture as it is written: one YAML file, checked on reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from archsim.config import Document, Frequency, Model, Temperature, Voltage, dump, origin, override, read_yaml, validate
from archsim.hardware.imperfections import Imperfections
from archsim.hardware.parts.array import ColumnMux, Crossbar, Decoder, ParityTree, RowDriver
from archsim.hardware.parts.buffer import Buffer, OffChipMemory
from archsim.hardware.parts.converter import Adc, SenseAmplifier
from archsim.hardware.parts.interconnect import Interconnect
from archsim.hardware.parts.logic import Accumulator, Controller, Digital, ShiftAdd
from archsim.hardware.parts.stochastic import Stochastic

Converter = Annotated[Adc | SenseAmplifier, Field(discriminator="kind")]
MAX_TILES = 65536
# Thresholds, scales and shifts beside the digital units of each tile; a word holds 16 of them, one for each of 16 lanes
# (ASSUMED; the smallest memory that holds those of nine crossbars of 128 columns).
PARAMETER_MEMORY = Buffer(capacity="4 KiB", width="256 bit")  # type: ignore[arg-type]  # read as in a file


class Organisation(Model):
    """A chip is a grid of tiles, a tile holds cores, a core holds crossbars."""

    columns: int = Field(ge=1, le=1024)
    rows: int = Field(ge=1, le=1024)
    cores_per_tile: int = Field(default=1, ge=1, le=1024)
    crossbars_per_core: int = Field(default=1, ge=1, le=4096)

    @model_validator(mode="after")
    def _size(self) -> Self:
        if self.tiles > MAX_TILES:
            raise ValueError(f"{self.columns} x {self.rows} tiles are more than {MAX_TILES}")
        return self

    @property
    def tiles(self) -> int:
        """Tiles on the chip."""
        return self.columns * self.rows

    @property
    def crossbars_per_tile(self) -> int:
        """Crossbars in one tile."""
        return self.cores_per_tile * self.crossbars_per_core

    @property
    def crossbars(self) -> int:
        """Crossbars on the chip."""
        return self.tiles * self.crossbars_per_tile


class MappingRules(Model):
    """How networks are laid out on the chip.

    `strategy`: one column for each unrolled kernel, or one sub-array for each kernel position. `replication`: copies
    of busy layers. `overflow`: what to do with a network that is larger than the chip.
    """

    strategy: Literal["unrolled", "subarrays"] = "unrolled"
    replication: Literal["none", "balanced"] = "none"
    placement: Literal["packed", "tile_per_layer"] = "packed"
    overflow: Literal["refuse", "reprogram"] = "refuse"


class ArchConfig(Document):
    """One chip. Parts that are left out cost what the component library says."""

    SCHEMA: ClassVar[str] = "archsim/arch@1"

    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    library: str = Field(description="component library, relative to this file")
    corner: str = "nominal"
    supply: Voltage = Field(default=0.9, gt=0)
    temperature: Temperature = Field(default=300.0, ge=233.15, le=423.15)
    clock: Frequency = Field(ge=1e6, le=5e9)
    organisation: Organisation
    crossbar: Crossbar
    converter: Converter
    row_driver: RowDriver = RowDriver()
    column_mux: ColumnMux = ColumnMux()
    decoder: Decoder = Decoder()
    parity: ParityTree = ParityTree()
    shift_add: ShiftAdd
    accumulator: Accumulator
    input_buffer: Buffer
    output_buffer: Buffer
    global_buffer: Buffer
    parameter_memory: Buffer = PARAMETER_MEMORY
    interconnect: Interconnect
    stochastic: Stochastic | None
    digital: Digital
    controller: Controller = Controller()
    memory: OffChipMemory | None
    mapping: MappingRules = MappingRules()
    schedule: Literal["layer_by_layer", "pipelined_layers", "pipelined_passes"] = "pipelined_passes"
    grain: Literal["position", "row", "map"] = "row"
    imperfections: Imperfections = Imperfections()

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.converter.kind == "sense_amplifier" and not self.crossbar.digital:
            raise ValueError(
                f"a sense amplifier tells one bit, but crossbar.parallel_rows is {self.crossbar.parallel_rows};"
                " set it to 1, or take an adc"
            )
        if self.converter.kind == "sense_amplifier" and self.crossbar.bits_per_cell > 1:
            raise ValueError("a sense amplifier tells one bit, but crossbar.bits_per_cell is more; take an adc")
        return self

    @property
    def library_path(self) -> Path:
        """Where the component library lies."""
        return self._folder / self.library

    @property
    def lsb_cells(self) -> int:
        """How many cells one converter step is worth: 1, 2, 4, ..."""
        return self.converter.step(self.crossbar)

    @property
    def lossless(self) -> bool:
        """Whether every possible sum of a group is converted exactly (see DESIGN.md)."""
        span = self.crossbar.parallel_rows * (2**self.crossbar.bits_per_cell - 1)
        top = 2 ** (self.converter.bits - 1)
        return self.lsb_cells == 1 and span // 2 <= top - 1 and (span + 1) // 2 <= top


@dataclass(frozen=True)
class ArchFile:
    """An architecture file that has been read, its `base:` merged; many architectures may be made of it.

    `data`: what it says. `folder`: which the name of its component library is relative to.
    """

    path: Path
    data: Mapping[str, Any]
    folder: Path

    @staticmethod
    def of(arch: ArchConfig) -> ArchFile:
        """Return an architecture as the file that would be read as it; its name stands for the file's in messages."""
        return ArchFile(Path(arch.name), dump(arch), arch._folder)

    def arch(self, overrides: Iterable[str] = ()) -> ArchConfig:
        """Return the architecture with `path.to.key=value` overrides applied; ConfigError holds every problem."""
        arch = validate(ArchConfig, override(self.data, overrides), str(self.path))
        arch._folder = self.folder
        return arch


def read_arch(path: Path | str) -> ArchFile:
    """Read an architecture file without checking it; ConfigError where it cannot be read."""
    return ArchFile(Path(path), read_yaml(path), origin(path, "library").parent)


def load_arch(path: Path | str, overrides: Iterable[str] = ()) -> ArchConfig:
    """Return the architecture in a YAML file, its `base:` merged and `path.to.key=value` overrides applied.

    Raises:
        ConfigError: every problem of the file, each with its place.
    """
    return read_arch(path).arch(overrides)
