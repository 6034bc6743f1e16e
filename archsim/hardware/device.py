"""The junctions of a chip: what the component library says about one kind of MTJ, with the physics on top."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.hardware import mtj
from archsim.hardware.component import Figure
from archsim.hardware.figures import constant
from archsim.hardware.library import Library

KINDS = ("stt_mtj", "sot_mtj")


@dataclass(frozen=True)
class MtjDevice:
    """One kind of MTJ cell; SI units, magnetic values at 300 K.

    `series`: the access transistor in the read path. `delta` is the thermal stability of a storage cell,
    `delta_random` that of a cell built to switch at random. `critical` is the critical current I_c0 (for SOT the
    write current in the heavy metal). The three sigmas are relative device-to-device spreads.
    """

    kind: str
    parallel: Figure
    series: Figure
    tmr: Figure
    half_voltage: Figure
    delta: Figure
    delta_random: Figure
    critical: Figure
    attempt_time: Figure
    sigma_resistance: Figure
    sigma_tmr: Figure
    sigma_critical: Figure
    sigma_delta: Figure

    @classmethod
    def from_library(cls, library: Library, kind: str) -> MtjDevice:
        """Return the device of that kind. What the library has for STT cells only is taken over for SOT cells."""
        stt, own = "devices.stt_mtj", f"devices.{kind}"
        spin_orbit = kind == "sot_mtj"
        return cls(
            kind=kind,
            parallel=library.figure(f"{own}.{'R_P_cim' if spin_orbit else 'R_P'}", "resistance"),
            series=library.figure(f"{stt}.R_access", "resistance"),
            tmr=library.number(f"{own}.TMR0"),
            half_voltage=library.figure(f"{stt}.V_h", "voltage"),
            delta=library.number(f"{own}.{'Delta' if spin_orbit else 'Delta_storage'}"),
            delta_random=library.number(f"{stt}.Delta_rng"),
            critical=library.figure(f"{own}.{'write_current' if spin_orbit else 'Ic0'}", "current"),
            attempt_time=library.figure(f"{stt}.tau0", "time"),
            sigma_resistance=library.number(f"{own}.sigma_R_P"),
            sigma_tmr=library.number(f"{stt}.sigma_TMR"),
            sigma_critical=library.number(f"{stt}.sigma_Ic0"),
            sigma_delta=library.number(f"{stt}.sigma_Delta"),
        )

    def resistances(self, voltage: float, temperature: float) -> tuple[float, float]:
        """Return R_P and R_AP of the junction, in ohms, without its access transistor."""
        tmr = mtj.tunnel_magnetoresistance(self.tmr.value, voltage, temperature, self.half_voltage.value)
        return self.parallel.value, float(mtj.antiparallel_resistance(self.parallel.value, tmr))

    @property
    def disturbed_by_reads(self) -> bool:
        """Whether a read current takes the path of a write; not in SOT cells, which have a path for each."""
        return self.kind != "sot_mtj"

    def conductances(
        self, voltage: float, temperature: float, resistance: mtj.Real = 1.0, tmr: mtj.Real = 1.0
    ) -> tuple[mtj.Real, mtj.Real]:
        """Return the conductances of a parallel and of an antiparallel cell, its access transistor included, in S.

        `resistance`, `tmr`: factors on R_P and on the TMR, for cells that are not nominal. The whole voltage counts
        as the junction's bias, as in `resistances`.
        """
        parallel = self.parallel.value * resistance
        ratio = mtj.tunnel_magnetoresistance(self.tmr.value * tmr, voltage, temperature, self.half_voltage.value)
        series = self.series.value
        return 1 / (parallel + series), 1 / (mtj.antiparallel_resistance(parallel, ratio) + series)

    def mean_conductance(self, voltage: float, temperature: float) -> Figure:
        """Return the mean conductance of a conducting cell, half of them low- and half high-resistive, in siemens.

        The range comes from the resistance, the access transistor and the TMR, each at its worst end.
        """

        def mean(parallel: float, series: float, tmr: float, half_voltage: float) -> float:
            bias = mtj.tunnel_magnetoresistance(tmr, voltage, temperature, half_voltage)
            high = float(mtj.antiparallel_resistance(parallel, bias))
            return (1 / (parallel + series) + 1 / (high + series)) / 2

        p, s, t, v = self.parallel, self.series, self.tmr, self.half_voltage
        origin = p + s + constant(0.0, t.grade, t.sources) + constant(0.0, v.grade, v.sources)
        return Figure(
            mean(p.value, s.value, t.value, v.value),
            mean(p.high, s.high, t.high, v.high),
            mean(p.low, s.low, t.low, v.low),
            origin.grade,
            origin.sources,
        )
