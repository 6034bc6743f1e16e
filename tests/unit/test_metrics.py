"""Energy, memory and endurance of a run, against sums and hand counts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.mapping.plan import map_trace
from archsim.metrics.endurance import endurance_of
from archsim.metrics.energy import LEAKAGE, energy_rows, grouped, total
from archsim.metrics.memory import memory_of
from archsim.metrics.plausibility import macs_per_pass, plausibility
from archsim.sim.run import simulate
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run():
    chip = build_chip(load_arch(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"))
    mapping = map_trace(trace_of(load_workload(ROOT / "workloads" / "lenet5_digits.yaml")), chip)
    return mapping, simulate(mapping, images=3, passes=20)


def test_energy_by_part_by_layer_and_by_action_add_up_to_the_total(run) -> None:
    mapping, log = run
    rows = energy_rows(log, mapping.chip)
    whole = total(rows)
    for key in (lambda r: r.part, lambda r: r.layer, lambda r: (r.part, r.action)):
        parts = grouped(rows, key).values()
        for end in ("value", "low", "high"):
            assert math.isclose(sum(getattr(p, end) for p in parts), getattr(whole, end), rel_tol=1e-12)
    assert whole.low < whole.value < whole.high


def test_energy_is_counts_times_costs(run) -> None:
    mapping, log = run
    rows = {(r.layer, r.part, r.action): r for r in energy_rows(log, mapping.chip)}
    draws = rows["fc1", "stochastic", "draw"]
    assert draws.count == 3 * 20 * 16  # fc1 is fed by 16 feature maps, one bit each, in every pass
    assert math.isclose(draws.value, draws.count * mapping.chip.components["stochastic"].actions["draw"].energy.value)


def test_leakage_flows_for_the_whole_run(run) -> None:
    mapping, log = run
    leaked = total(r for r in energy_rows(log, mapping.chip) if r.action == LEAKAGE)
    assert math.isclose(leaked.value, mapping.chip.leakage().value * log.total_ps * 1e-12, rel_tol=1e-9)
    twice = total(r for r in energy_rows(replace(log, total_ps=2 * log.total_ps), mapping.chip) if r.action == LEAKAGE)
    assert math.isclose(twice.value, 2 * leaked.value)


def test_memory_counts_cells_and_parameters(run) -> None:
    mapping, log = run
    memory = memory_of(mapping, log)
    sizes = [n.op.weights.values.size for n in mapping.trace.crossbar_nodes()]
    assert memory.weights == sum(sizes)
    replicas = [p.replicas for p in mapping.placed()]
    assert memory.weight_cells == sum(2 * s * r for s, r in zip(sizes, replicas, strict=True))
    thresholds = 6 + 16 + 120 + 84
    assert memory.parameters == 16 * (thresholds + 10 + 10)  # and scale and shift of ten classes
    assert memory.accumulators == 10 * 16
    assert memory.random_units == 2 * (6 + 16 + 120 + 84)  # a mask in use, and one drawn ahead
    assert memory.total == sum(
        (memory.weight_cells, memory.parameters, memory.accumulators, memory.random_units, *memory.buffers.values())
    )
    assert all(0 < b.peak_bits <= b.granted_bits for b in log.buffers)


def test_endurance_counts_two_writes_a_bit(run) -> None:
    mapping, log = run
    worn = endurance_of(mapping, log)
    assert worn.random_writes == 2 * 20 * 120 / 15  # fc2: 120 bits a pass from the 15 modules of its one crossbar
    assert worn.weight_writes == 0
    assert worn.lifetime_images == worn.cycles / worn.random_writes


def test_plausibility_knows_the_published_band(run) -> None:
    mapping, log = run
    rows = energy_rows(log, mapping.chip)
    checks = {c.name: c for c in plausibility(mapping, log, rows)}
    assert checks["macro efficiency"].low == 5.1
    assert checks["macro efficiency"].high == 405
    assert all(c.plausible for c in checks.values())
    wasteful = [replace(r, value=100 * r.value) for r in rows]
    assert not {c.name: c for c in plausibility(mapping, log, wasteful)}["macro efficiency"].plausible


def test_macs_of_a_pass(run) -> None:
    mapping, _ = run
    by_hand = 8 * 8 * (6 * 9 + 16 * 6 * 9) + 256 * 120 + 120 * 84 + 84 * 10
    assert macs_per_pass(mapping) == by_hand
