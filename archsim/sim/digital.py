"""What the digital units of a layer's tiles do in each sweep over its maps: counts, costs, times."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import ceil

import numpy as np

from archsim.hardware.chip import Chip
from archsim.hardware.parts.logic import LANE
from archsim.mapping.digital import ACCUMULATE, FINISH, node_actions, statistics
from archsim.mapping.geometry import Counts
from archsim.mapping.layout import blocks_at_work
from archsim.mapping.parameters import PARAMETER_BITS, is_scaled, read_parameters
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed
from archsim.sim.operations import shifts, sums
from archsim.sim.timing import NO_DELAY, Actions, action_ps, cycle_ps, split
from archsim.workload.trace import Conv, Linear

PARAMETERS = "parameter_memory"


def digital_counts(placed: Placed, sweep: int = 0) -> dict[str, float]:
    """Return how often a sweep of a layer's digital work uses each unit in a pass.

    The sums for the statistics of a map are taken in the sweep before the one that they start.
    """
    stage = placed.stage
    op = stage.node.op
    assert isinstance(op, Linear | Conv)
    counts: dict[str, float] = defaultdict(float)
    if sweep == 0 and (op.bias is not None or is_scaled(op)):
        counts["affine.apply"] += placed.outputs * stage.positions
    for node in stage.digital:
        for name, count in node_actions(node).items():
            if stage.sweep_of[node.name] - (name == ACCUMULATE) == sweep:
                counts[name] += count * placed.fraction
    return dict(counts)


def parameter_bits(placed: Placed, sweep: int) -> float:
    """Return the bits of parameters that a sweep reads in a pass."""
    nodes = placed.stage.sweeps[sweep].nodes
    own = (placed.stage.node,) if sweep == 0 else ()
    return sum(read_parameters(node) for node in (*own, *nodes)) * placed.fraction * PARAMETER_BITS


def digital_actions(placed: Placed, sweep: int = 0) -> Actions:
    """Return the actions of a sweep on one position of its map, averaged over the map.

    The first one takes results of the layer out of the output buffers; maps that wait for a later sweep go in again.
    """
    this = placed.stage.sweeps[sweep]
    share = placed.fraction / this.positions
    results = placed.outputs * ACCUMULATOR_BITS if sweep == 0 else 0
    return [
        *((*split(name), count / this.positions) for name, count in digital_counts(placed, sweep).items()),
        (PARAMETERS, "read", parameter_bits(placed, sweep) / this.positions),
        ("output_buffer", "read", results + this.read_bits * share),
        ("output_buffer", "write", this.written_bits * share),
    ]


def digital_ps(chip: Chip, placed: Placed, ends: Counts, sweep: int = 0) -> list[Counts]:
    """Return how long the digital units of each tile at work take for the first so many positions of a sweep.

    Shifting, adding over groups, the lanes, pooling, sums for statistics, softmax and the port of the parameter memory
    are pipelined, so the slowest of them counts, in whole clock cycles and at least one. A unit is busy for the latency
    of each action. The tiles of the layer share the work as they share the crossbars of a copy. A sweep starts when its
    statistics are finished.
    """
    cycle = cycle_ps(chip)
    organisation = chip.arch.organisation
    total = placed.layout.crossbars // placed.layout.copies
    cores = Counter(
        core // organisation.cores_per_tile for core in blocks_at_work(placed.layout, organisation.crossbars_per_core)
    )
    known: dict[tuple[int, int], Counts] = {}
    out = []
    for tile, crossbars in blocks_at_work(placed.layout, organisation.crossbars_per_tile).items():
        key = (crossbars, cores[tile])
        if key not in known:
            share = crossbars / total
            slowest = max(_busy_ps(chip, placed, sweep, share, cores[tile]).values())
            spent = np.maximum(np.ceil(ends * (slowest / cycle) - NO_DELAY), 1).astype(np.int64) * cycle
            known[key] = spent + _statistics_ps(chip, placed, sweep, share)
        out.append(known[key])
    return out


def _busy_ps(chip: Chip, placed: Placed, sweep: int, share: float, cores: int) -> dict[str, float]:
    """Return the time that one position takes on each kind of digital unit of a tile with some cores."""
    arch = chip.arch
    lanes = arch.digital.lanes
    units = {
        "shift_add": arch.shift_add.per_core * cores,
        "accumulator": arch.accumulator.per_tile,
        "lanes": lanes,
        "pool": lanes,
        "statistics": lanes,
        PARAMETERS: arch.parameter_memory.width,
    }
    positions = placed.stage.sweeps[sweep].positions
    busy: dict[str, float] = defaultdict(float)
    if sweep == 0:
        busy["shift_add"] = shifts(placed) * action_ps(chip, "shift_add.apply")
        busy["accumulator"] = sums(placed) * action_ps(chip, "accumulator.add")
    busy[PARAMETERS] = parameter_bits(placed, sweep) / positions * action_ps(chip, f"{PARAMETERS}.read")
    for name, count in digital_counts(placed, sweep).items():
        unit, _ = split(name)
        if name != FINISH:
            busy["lanes" if unit in LANE else unit] += count / positions * action_ps(chip, name)
    softmax = busy.pop("softmax", 0.0)  # one unit on the chip
    return {"softmax": softmax} | {name: ps * share / units[name] for name, ps in busy.items()}


def _statistics_ps(chip: Chip, placed: Placed, sweep: int, share: float) -> int:
    """Return how long a tile takes to finish its part of the statistics that a sweep waits for, all lanes at once."""
    count = sum(statistics(node) for node in placed.stage.sweeps[sweep].barriers) * placed.fraction
    if not count:
        return 0
    return ceil(count * share / chip.arch.digital.lanes) * action_ps(chip, FINISH)
