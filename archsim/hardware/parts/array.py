"""The crossbar and the circuits around its rows and columns."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from archsim.config import Model, Voltage
from archsim.errors import ConfigError
from archsim.hardware.component import Component, Figure
from archsim.hardware.device import KINDS, MtjDevice
from archsim.hardware.figures import constant, inverse, product
from archsim.hardware.parts.costs import ComputeCosts, DecodeCosts, DriveCosts, ReadWriteCosts, SelectCosts
from archsim.hardware.parts.site import Action, Site, build

CELL_ASPECT = 3.0  # width over height of a cell, as the 4F x 12F cell of NeuroSim V1.4 (READ); ASSUMED for all
NANDS_PER_XOR, NANDS_DEEP = 4, 3  # the textbook XOR of NAND2 gates, and how many of them lie on its path
ACQUISITION = Figure(1e-9, 0.2e-9, 2e-9, "ASSUMED", ("puma",), "of a sample-and-hold circuit: one PUMA cycle")


class Crossbar(Model):
    """An array of `rows` word-line pairs (inputs) and `columns` bit lines (outputs).

    `parallel_rows` of the rows are driven and converted together: a group. `ir_drop_limit` is the largest part of the
    read voltage that the bit line may take away (ASSUMED; published arrays do not state theirs).
    `bits_per_cell`: an MTJ cell of several bits is so many junctions in series that are written one after the other,
    of resistances that make equal steps between the two states of a single one (ASSUMED; SpinBayes: several SOT
    junctions a cell, RECALLED); a memristor is one device.
    """

    rows: int = Field(ge=1, le=65536)
    columns: int = Field(ge=1, le=65536)
    device: Literal["stt_mtj", "sot_mtj", "memristor"]
    cells_per_weight: Literal[1, 2] = 2
    bits_per_cell: int = Field(default=1, ge=1, le=4)
    parallel_rows: int = Field(ge=1, le=65536)
    read_voltage: Voltage = Field(gt=0, le=1.0)
    reference_columns: int = Field(default=1, ge=0, le=64)
    ir_drop: Literal["refuse", "allow"] = "refuse"
    ir_drop_limit: float = Field(default=0.10, gt=0, le=1.0)
    costs: ReadWriteCosts = ReadWriteCosts()

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        if self.parallel_rows > self.rows:
            raise ValueError(f"parallel_rows ({self.parallel_rows}) must not exceed rows ({self.rows})")
        return self

    @property
    def lines(self) -> int:
        """Word lines, which is also the number of cells on a bit line."""
        return self.rows * self.cells_per_weight

    @property
    def bits(self) -> int:
        """Storage of one crossbar in bits of cells, reference columns included."""
        return self.lines * (self.columns + self.reference_columns) * self.bits_per_cell

    def writes(self, bits: int) -> int:
        """Return how many writes it takes to program a cell with so many bits: one for each junction."""
        return bits if self.device in KINDS else 1

    @property
    def digital(self) -> bool:
        """Whether rows are read one at a time, as in a memory."""
        return self.parallel_rows == 1

    def mtj(self, site: Site) -> MtjDevice | None:
        """Return the device of the cells, or None for one that archsim has no physics for."""
        return MtjDevice.from_library(site.library, self.device) if self.device in KINDS else None

    def component(self, site: Site, held: bool, conversion: Figure) -> Component:
        """Return the priced crossbar.

        The latency of a read runs from the driver's output to the moment when columns may be converted. A cell conducts
        all that time and, where no sample-and-hold circuit keeps the value (`held`), through the conversion as well:
        E = V^2 G t (DERIVED). Cells of reference columns conduct like the others and are to be counted with them.
        """
        own = f"devices.{self.device}"
        write = f"{own}.{'write_energy_with_driver' if self.device == 'sot_mtj' else 'write_energy_macro'}"
        actions = {
            "read": Action(
                lambda: self._read_energy(site, held, conversion),
                lambda: site.analog_latency(self.settling(site, held)),
            ),
            "write": Action(
                lambda: site.figure(write, "energy_per_bit"), lambda: site.figure(f"{own}.write_pulse", "time")
            ),
        }
        return build(
            site, "crossbar", self.costs, actions,
            area=lambda: self._weight_area(site) * (self.rows * (self.columns + self.reference_columns)),
            leakage=lambda: site.leaky(site.figure("devices.stt_mtj.cell_leakage", "power")) * self.bits,
        )  # fmt: skip

    def settling(self, site: Site, held: bool) -> Figure:
        """Return the nominal time from driving the rows until the columns can be converted or sensed.

        One row at a time: the measured read time of such a memory. Several: as many time constants of bit line and
        conducting cells as bring the error below a tenth of a cell (DERIVED), and the acquisition of the sample.
        """
        if self.digital:
            return site.figure("devices.stt_mtj.read_latency", "time")
        device = self._device(site)
        length = self._line_length(site)
        cells = inverse(device.mean_conductance(self.read_voltage, site.temperature) * self.parallel_rows)
        wire = product(site.figure("interconnect.wire_resistance_local", "resistance_per_length"), length) * 0.5
        load = product(site.figure("interconnect.wire_cap_local", "capacitance_per_length"), length)
        settled = product(cells + wire, load) * math.log(10 * self.parallel_rows)
        return settled + ACQUISITION if held else settled

    def ir_drop_ratio(self, site: Site) -> Figure | None:
        """Return which part of the read voltage is lost on the bit line, None for a device without physics.

        All rows of a group conduct at the mean conductance, at the middle of the line on average: n G R_line / 2
        (DERIVED; 128 rows of 6 kohm cells would lose 80 of 100 mV). The current that the reference column
        draws does not correct it, because the drop follows the data.
        """
        device = self.mtj(site)
        if device is None:
            return None
        conductance = device.mean_conductance(self.read_voltage, site.temperature)
        wire = site.figure("interconnect.wire_resistance_local", "resistance_per_length")
        return product(conductance, wire, self._line_length(site)) * (self.parallel_rows / 2)

    def _read_energy(self, site: Site, held: bool, conversion: Figure) -> Figure:
        on = self.settling(site, held) if held else self.settling(site, held) + conversion
        conductance = self._device(site).mean_conductance(self.read_voltage, site.temperature)
        return site.array_energy(product(conductance, on) * self.read_voltage**2)

    def _weight_area(self, site: Site) -> Figure:
        """Return the area of the cells behind one row and column.

        Of the two transistors of an SOT cell, further junctions share the one of the read path and bring their own for
        the write path (ASSUMED); STT junctions are stacked on one transistor.
        """
        squares = site.library.technology.feature_area
        if self.device == "sot_mtj":
            transistors = (1 + self.bits_per_cell) / 2
            return site.number("devices.sot_mtj.cell_area_2t1mtj") * (self.cells_per_weight * squares * transistors)
        pair = self.cells_per_weight == 2
        return site.number(f"devices.stt_mtj.cell_area_{'2t2mtj' if pair else '1t1mtj'}") * squares

    def _line_length(self, site: Site) -> Figure:
        """Return the length of a bit line: cells are three times as wide as they are high along it."""
        cell = self._weight_area(site) * (1 / self.cells_per_weight)
        low, value, high = (math.sqrt(a / CELL_ASPECT) * self.lines for a in (cell.low, cell.value, cell.high))
        return Figure(value, low, high, "ASSUMED", cell.sources)

    def _device(self, site: Site) -> MtjDevice:
        device = self.mtj(site)
        if device is None:
            known = ", ".join(KINDS)
            raise ConfigError(
                f"crossbar.device '{self.device}': archsim has no model of it; state the read's energy and latency"
                f" under crossbar.costs or in the library (peripheral.blocks.crossbar), or take one of {known}"
            )
        return device


class RowDriver(Model):
    """The drivers of all word-line pairs of one crossbar: +1 drives one line, -1 the other, a dropped input none."""

    costs: DriveCosts = DriveCosts()

    def component(self, site: Site, crossbar: Crossbar) -> Component:
        """Return the bank; a driven row costs 9.0 + 0.0927 columns fJ, a fit to NeuroSim at 28 nm (DERIVED)."""

        def energy() -> Figure:
            fixed = site.figure("models.row_driver.fixed", "energy")
            per_column = site.figure("models.row_driver.per_column", "energy")
            spread = site.number("models.row_driver.energy_multiplier")
            return site.analog_energy(product(fixed + per_column * crossbar.columns, spread))

        latency = partial(site.figure, "peripheral.row_driver.latency", "time")
        lines = crossbar.lines
        return build(
            site, "row_driver", self.costs, {"drive": Action(energy, lambda: site.analog_latency(latency()))},
            area=lambda: site.figure("peripheral.row_driver.area_per_row", "area") * lines,
            leakage=lambda: site.leaky(site.figure("peripheral.row_driver.leakage_per_row", "power")) * lines,
        )  # fmt: skip


class ColumnMux(Model):
    """Connects the columns of a crossbar to a converter, one after the other."""

    costs: SelectCosts = SelectCosts()

    def component(self, site: Site, crossbar: Crossbar, columns: int) -> Component:
        """Return the mux in front of one converter: 0.1 + 0.0461 word lines fJ, a fit to NeuroSim (DERIVED)."""

        def energy() -> Figure:
            fixed = site.figure("models.column_mux.fixed", "energy")
            per_line = site.figure("models.column_mux.per_row", "energy")
            spread = site.number("models.column_mux.energy_multiplier")
            return site.analog_energy(product(fixed + per_line * crossbar.lines, spread))

        delay = constant(0.1e-9, "RERUN", ("neurosim_run",), "8:1 and 16:1 multiplexer")

        def area() -> Figure:
            return site.figure("peripheral.column_mux.area_per_col_128", "area") * (columns * crossbar.lines / 128)

        return build(
            site, "column_mux", self.costs, {"select": Action(energy, lambda: site.analog_latency(delay))},
            area=area, leakage=lambda: site.logic_leakage(area()),
        )  # fmt: skip


class Decoder(Model):
    """Selects the rows of a group."""

    costs: DecodeCosts = DecodeCosts()

    def component(self, site: Site, crossbar: Crossbar) -> Component:
        """Return the decoder of one crossbar: from a 7-to-128 one, energy and delay by address bits, area by lines."""
        address = max(1.0, math.log2(crossbar.lines)) / 7

        def area() -> Figure:
            return site.figure("peripheral.decoder_7to128.area", "area") * (crossbar.lines / 128)

        action = Action(
            lambda: site.dynamic(site.figure("peripheral.decoder_7to128.energy", "energy")) * address,
            lambda: site.figure("peripheral.decoder_7to128.latency", "time") * address,
        )
        return build(
            site, "decoder", self.costs, {"decode": action},
            area=area, leakage=lambda: site.logic_leakage(area()),
        )  # fmt: skip


class ParityTree(Model):
    """Finds out whether the number of driven rows of a group is odd, for the last bit of the sum (see DESIGN.md)."""

    costs: ComputeCosts = ComputeCosts()

    def component(self, site: Site, crossbar: Crossbar) -> Component:
        """Return a tree of parallel_rows - 1 XOR gates, all of which toggle (ASSUMED, an upper bound)."""
        gates = max(1, crossbar.parallel_rows - 1) * NANDS_PER_XOR
        depth = max(1, math.ceil(math.log2(crossbar.parallel_rows))) * NANDS_DEEP

        def area() -> Figure:
            return site.figure("digital.nand2.area", "area") * gates

        action = Action(
            lambda: site.clocked(site.figure("digital.nand2.energy", "energy") * gates),
            lambda: site.figure("digital.nand2.delay", "time") * depth,
        )
        return build(
            site, "parity", self.costs, {"compute": action},
            area=area, leakage=lambda: site.logic_leakage(area()),
        )  # fmt: skip
