"""Published compute-in-memory macros, set beside the same organisation built from the component library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.claims.bench import Bench
from archsim.claims.finding import Finding, by_ends
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import Result
from archsim.pipeline import evaluate
from archsim.units import show
from archsim.workload.trace import INPUT, Linear, Node, Sign, Trace, Weights

MACRO_PARTS = ("crossbar", "row_driver", "decoder", "parity", "column_mux", "sample_hold", "converter", "shift_add")
TO_22_NM = 1 / 1.661  # energy at 0.9 V: the library's own scaling.energy_to_28nm of 22 nm (RERUN, Stillmaker)
OPERATIONS = 2  # a multiplication and an addition


@dataclass(frozen=True)
class Macro:
    """How a macro is written as an architecture: a chip that ships, with overrides, and a factor on its energy."""

    base: str
    settings: tuple[str, ...]
    rows: int
    columns: int
    energy_factor: float = 1.0
    note: str = ""


ONE_CROSSBAR = ("organisation.columns=1", "organisation.rows=1", "organisation.crossbars_per_core=1", "stochastic=null",
                "mapping.replication=none")  # fmt: skip
MACROS = {
    "samsung_28": Macro(
        "spatial_spindrop_sot",
        (*ONE_CROSSBAR, "crossbar.rows=64", "crossbar.columns=64", "crossbar.parallel_rows=64", "converter.bits=3",
         "converter.lsb_cells=16", "converter.columns_per_converter=1"),
        64, 64,
        note="330 kohm SOT cells stand for the resistance sum, which archsim does not model; STT cells summing currents"
        " would lose the read voltage on the bit line",
    ),
    "princeton_22": Macro(
        "spindrop_stt",
        (*ONE_CROSSBAR, "crossbar.rows=128", "crossbar.columns=512", "crossbar.parallel_rows=128",
         "crossbar.ir_drop=allow", "converter.bits=6", "converter.columns_per_converter=4", "corner=silicon_like"),
        128, 512, TO_22_NM,
        note="the drop on the bit line, which the macro avoids by boosting resistances, is allowed here",
    ),
    "samsung_14": Macro(
        "spatial_spindrop_sot",
        (*ONE_CROSSBAR, "crossbar.rows=128", "crossbar.columns=128"),
        128, 128,
        note="at 28 nm; the library has no scaling to 14 nm",
    ),
}  # fmt: skip


def macro(name: str, bench: Bench) -> Finding:
    """Return the operations a joule of a macro's organisation, all rows driven: op/s/W."""
    this = MACROS[name]
    bench.say(f"macro {name}")
    result = evaluate(
        bench.chip(this.base, *this.settings), _one_layer(this), passes=1, images=1, seed=bench.seed, function=False
    )
    energy = _macro_energy(result)
    work = OPERATIONS * this.rows * this.columns / this.energy_factor
    per_mac = energy.value * this.energy_factor / (this.rows * this.columns)
    return Finding(
        Estimate(work / energy.value, work / energy.high, work / energy.low, "component ranges"),
        f"{this.rows} x {this.columns}, one vector",
        f"{show(per_mac, 'J')} a MAC; {this.note}",
    )


def _macro_energy(result: Result) -> Estimate:
    parts = [e for name, e in result.energy_by("part").items() if name in MACRO_PARTS]
    return by_ends(lambda end: sum(getattr(p, end) for p in parts), "component ranges")


def _one_layer(this: Macro) -> Trace:
    """Return a network that fills one array."""
    values = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (this.columns, this.rows))
    weights = Weights(values, 1, np.ones(1, np.float32))
    nodes = (
        Node("sign", Sign(), (INPUT,), (this.rows,)),
        Node("array", Linear(weights), ("sign",), (this.columns,)),
    )
    return Trace("macro", (this.rows,), nodes)
