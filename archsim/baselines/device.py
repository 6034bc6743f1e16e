"""A GPU as a YAML file describes it: peaks, memory, power modes, and how much of that real networks reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from archsim import units
from archsim.baselines.platform import Boundary
from archsim.config import Document, Model
from archsim.errors import ConfigError, nearest
from archsim.hardware.entry import Entry, quantity

Precision = Literal["int8", "fp16", "fp32"]
Measured = Literal["latency", "energy"]
NARROWEST: tuple[Precision, ...] = ("int8", "fp16", "fp32")
VALUE_BITS: Mapping[Precision, int] = {"int8": 8, "fp16": 16, "fp32": 32}


def _is(dimension: str, unit: str | None = None, lowest: float = 0.0, highest: float = float("inf")) -> Any:
    """Return the check that an entry is of a dimension (a plain number: that it counts `unit`) and within limits."""

    def check(entry: Entry) -> Entry:
        percent = unit == "ratio" and entry.unit is None  # a ratio may also be written as "20 %"
        if entry.dimension != dimension or not (entry.unit == unit or percent):
            wanted = f"a number with `unit: {unit}`" if unit else f"'{units.dimension_named(dimension).example}'"
            raise ValueError(f"expected {dimension} (like {wanted}), got '{entry.value}'")
        low, high = (quantity(end).value for end in entry.range)
        if not lowest <= low <= high <= highest:
            raise ValueError(f"must {_limits(lowest, highest)}, its whole range; got {list(entry.range)}")
        return entry

    return AfterValidator(check)


def _limits(lowest: float, highest: float) -> str:
    if highest < float("inf"):
        return f"be positive, up to {highest:g}" if lowest == _LEAST else f"lie between {lowest:g} and {highest:g}"
    return {0.0: "not be negative", _LEAST: "be positive"}.get(lowest, f"be at least {lowest:g}")


_LEAST = 1e-30  # zero, for what must be positive
Rate = Annotated[Entry, _is("ratio", "op/s", _LEAST)]
Share = Annotated[Entry, _is("ratio", "ratio", 0, 1)]
Part = Annotated[Entry, _is("ratio", "ratio", _LEAST, 1)]
Scale = Annotated[Entry, _is("ratio", "ratio", _LEAST)]
Band = Annotated[Entry, _is("ratio", "ratio", 1)]
Watts = Annotated[Entry, _is("power")]
Seconds = Annotated[Entry, _is("time")]
Joules = Annotated[Entry, _is("energy")]
Bits = Annotated[Entry, _is("data")]
BitRate = Annotated[Entry, _is("bandwidth", lowest=_LEAST)]
JoulesPerBit = Annotated[Entry, _is("energy_per_bit")]


class Memory(Model):
    """The memory beside the processor, and the last cache before it."""

    kind: str = Field(description="as its makers name it, e.g. LPDDR5")
    capacity: Bits
    bandwidth: BitRate
    energy: JoulesPerBit = Field(description="reading or writing it, the memory and its interface")
    cache: Bits = Field(description="last-level cache of the GPU")


class Calibration(Model):
    """What real networks reach, fitted to measurements or taken from devices alike.

    A family file gives what its devices have in common; a power mode may state what was measured in that mode.
    """

    utilisation: dict[Precision, Part] = Field({}, description="share of the peak that a large batch reaches")
    memory_share: Part | None = Field(None, description="share of the memory bandwidth that is reached")
    floor: Seconds | None = Field(None, description="least time of a kernel, however small: launch, fill and drain")
    idle: Watts | None = Field(None, description="power while nothing runs")
    active: Watts | None = Field(None, description="power above idle while kernels run, whatever they do")
    operation: dict[Precision, Joules] = Field({}, description="energy of one operation, above idle and active power")
    idle_share: Share | None = Field(None, description="idle power as a share of the power limit, where not stated")
    active_share: Share | None = Field(None, description="active power likewise; operations at full use take the rest")
    measured: dict[Precision, tuple[Measured, ...]] = Field(
        {}, description="what was fitted to measurements of this very device, and so has the narrow bands"
    )


class PowerMode(Model):
    """A preset of clocks and power. Factors are relative to the clocks that peaks and bandwidth are stated for."""

    limit: Watts = Field(description="most power that the module or board may draw")
    clock: Scale | None = Field(None, description="factor on the clock of the GPU [1]")
    units: Part | None = Field(None, description="share of the GPU's processors that are on [1]")
    memory_clock: Scale | None = Field(None, description="factor on the clock of the memory [1]")
    calibration: Calibration = Field(Calibration(), description="as measured in this mode: not scaled any more")
    note: str = ""


class Bands(Model):
    """How far a prediction may be off, as factors: the value divided by the factor, to the value times it."""

    floor: Band = Field(description="of the time that kernels take at least")
    work: Band = Field(description="of the time for operations and memory traffic")
    energy: Band


class BandKinds(Model):
    """The bands of what was fitted to measurements of the device itself in that mode and precision, and of all else."""

    calibrated: Bands
    default: Bands


class Family(Document):
    """What devices of a family have in common; their files are based on it."""

    SCHEMA: ClassVar[str] = "archsim/gpu_family@1"
    description: str = ""
    family: Literal["jetson", "discrete"]
    limit_boundary: Boundary = Field(description="where power limits are stated")
    calibration: Calibration
    bands: BandKinds
    sources: dict[str, str]

    @model_validator(mode="after")
    def _cites_known_sources(self) -> Family:
        problems = [
            f"{path}.source: unknown source '{key}'{nearest(key, self.sources)}"
            for path, entry in self.entries()
            for key in entry.source
            if key not in self.sources
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Iterate over every number of the file with its path."""
        return _entries(self, "")


class Device(Family):
    """A GPU: what its makers state, and what networks reach on it.

    `boundary` is that of idle and active power and of the energy of operations. `standard_mode` is the power mode
    that `calibration` holds for.
    """

    SCHEMA: ClassVar[str] = "archsim/gpu@1"
    name: str
    boundary: Boundary
    memory: Memory
    peak: dict[Precision, Rate] = Field(description="operations a second of dense matrices; a MAC counts two")
    standard_mode: str
    modes: dict[str, PowerMode] = Field(min_length=1)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Device:
        problems = [*self._missing(), *self._out_of_place()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it computes in, the narrowest first."""
        return tuple(p for p in NARROWEST if p in self.peak)

    def precision(self, wanted: str | None = None) -> Precision:
        """Return a precision that it has, the narrowest by default; ConfigError with the nearest where it has not."""
        if wanted is None:
            return self.precisions[0]
        for precision in self.precisions:
            if precision == wanted:
                return precision
        raise ConfigError(f"{self.name}: it does not compute in '{wanted}'{nearest(wanted, self.precisions)}")

    def mode(self, wanted: str | None = None) -> str:
        """Return the name of a power mode, the standard one by default; ConfigError with the nearest where unknown.

        Case does not matter.
        """
        by_name = {name.lower(): name for name in self.modes}
        name = self.standard_mode if wanted is None else wanted
        if name.lower() not in by_name:
            raise ConfigError(f"{self.name}: it has no power mode '{name}'{nearest(name, self.modes)}")
        return by_name[name.lower()]

    def _missing(self) -> Iterator[str]:
        if not self.peak:
            yield "peak: is missing"
            return
        if self.standard_mode not in self.modes:
            yield f"standard_mode: no such mode '{self.standard_mode}'{nearest(self.standard_mode, self.modes)}"
        given = self.calibration
        for precision in self.precisions:
            if precision not in given.utilisation:
                yield f"calibration.utilisation.{precision}: is missing"
        for field in ("memory_share", "floor"):
            if getattr(given, field) is None:
                yield f"calibration.{field}: is missing"
        powers = given.idle is not None and given.active is not None and bool(given.operation)
        shares = [share.figure.value for share in (given.idle_share, given.active_share) if share is not None]
        if sum(shares) >= 1:
            yield "calibration: idle_share and active_share leave nothing of the power limit for operations"
        if not powers and len(shares) < 2:
            yield "calibration: needs idle, active and operation, or the shares of the power limit"
        if not powers and self.boundary != self.limit_boundary:
            yield (
                f"boundary: is '{self.boundary}', but shares of a power limit hold for the '{self.limit_boundary}';"
                " give idle, active and operation"
            )

    def _out_of_place(self) -> Iterator[str]:
        for place, given in self._calibrations():
            for field in ("operation", "measured"):
                for precision in getattr(given, field):
                    if precision not in self.peak:
                        yield f"{place}.{field}: the device has no peak for {precision}"
        standard = self.modes.get(self.standard_mode)
        if standard is not None and standard.calibration != Calibration():
            yield f"modes.{self.standard_mode}.calibration: is the standard mode; state it under calibration"

    def _calibrations(self) -> Iterator[tuple[str, Calibration]]:
        yield "calibration", self.calibration
        for name, mode in self.modes.items():
            yield f"modes.{name}.calibration", mode.calibration


def _entries(node: Any, path: str) -> Iterator[tuple[str, Entry]]:
    if isinstance(node, Entry):
        yield path, node
        return
    children: Mapping[str, Any] = {}
    if isinstance(node, Model):
        children = {name: getattr(node, name) for name in type(node).model_fields}
    elif isinstance(node, Mapping):
        children = node
    for name, child in children.items():
        yield from _entries(child, f"{path}.{name}" if path else str(name))
