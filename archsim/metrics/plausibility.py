"""Is this number plausible? Figures of merit beside the bands that published chips span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archsim.hardware.chip import Chip
from archsim.mapping.plan import Mapping
from archsim.mapping.stages import Stage
from archsim.metrics.energy import LEAKAGE, EnergyRow
from archsim.sim.log import RunLog
from archsim.workload.trace import Conv, Linear, Weights

MACRO = (
    "crossbar", "row_driver", "column_mux", "sample_hold", "converter", "decoder", "parity", "shift_add", "accumulator",
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A figure of merit and the band it should lie in. `basis` says what the band rests on."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    basis: str

    @property
    def plausible(self) -> bool:
        """Whether the value lies in the band."""
        return self.low <= self.value <= self.high


def macs_per_pass(mapping: Mapping) -> int:
    """Return the multiply-accumulates of one pass, padding included."""
    return sum(s.positions * _weights(s).values.size for s in mapping.graph.stages)


def plausibility(mapping: Mapping, log: RunLog, rows: Iterable[EnergyRow]) -> tuple[Check, ...]:
    """Return energy a MAC and a conversion, efficiency, power, area and power density, each with its band.

    The macro (arrays, drivers, converters, adders) is compared with published MRAM compute-in-memory macros, of which
    1 MAC counts as 2 operations; multi-bit layers are counted as 1 bit x 1 bit, as the macros normalise theirs.
    """
    chip = mapping.chip
    table = list(rows)
    dynamic = [r for r in table if r.action != LEAKAGE]
    macro_j = sum(r.value for r in dynamic if r.part in MACRO)
    bit_macs = log.images * log.passes * sum(_bit_macs(s) for s in mapping.graph.stages)
    conversions = sum(r.count for r in dynamic if r.part == "converter")
    converter_j = sum(r.value for r in dynamic if r.part == "converter")
    watts = sum(r.value for r in table if r.part != "memory") / (log.total_ps * 1e-12)
    area_mm2 = chip.area().value * 1e6
    return (
        *_macro_checks(chip, macro_j / bit_macs * 1e15),
        Check(
            "energy a conversion", "pJ", converter_j / conversions * 1e12, 0.0016, 10.0,
            "1.6 fJ sense amplifier (MNSIM) to 10 pJ (8-bit flash, ADC survey)",
        ),
        Check("average power", "W", watts, 1e-5, 10.0, "ASSUMED: an edge chip"),
        Check("chip area", "mm2", area_mm2, 0.01, 900.0, "ASSUMED: up to a reticle"),
        Check("power density", "W/mm2", watts / area_mm2, 1e-7, 1.0, "ASSUMED: what passive cooling takes away"),
    )  # fmt: skip


def _weights(stage: Stage) -> Weights:
    assert isinstance(stage.node.op, Linear | Conv)
    return stage.node.op.weights


def _bit_macs(stage: Stage) -> int:
    return stage.positions * _weights(stage).values.size * _weights(stage).bits * stage.input_bits


def _macro_checks(chip: Chip, per_mac: float) -> tuple[Check, ...]:
    """Return the comparison with the macros that the component library knows; none if it knows none."""
    macros = chip.library.published_macros
    if not macros:
        return ()
    low = min(m.tops_per_watt[0] for m in macros.values())
    high = max(m.tops_per_watt[1] for m in macros.values())
    return (
        Check(
            "macro energy a 1-bit MAC", "fJ", per_mac, 2e3 / high, 2e3 / low, f"published macros: {', '.join(macros)}"
        ),
        Check("macro efficiency", "TOPS/W", 2e3 / per_mac, low, high, "the same macros"),
    )
