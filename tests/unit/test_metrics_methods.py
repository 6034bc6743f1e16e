"""Memory, endurance, rewriting and parts of the six methods, against hand counts."""

from __future__ import annotations

import pytest

from archsim.errors import MappingError
from archsim.mapping.plan import map_trace
from archsim.metrics.endurance import endurance_of
from archsim.metrics.memory import memory_of
from archsim.metrics.rewriting import rewriting
from archsim.sim.programming import program
from archsim.sim.run import simulate
from tests.networks import METHODS, Net, hand_chip, make_chip, method_lenet5

WEIGHTS = 25 * 6 + 25 * 6 * 16 + 256 * 120 + 120 * 84 + 84 * 10
CHANNELS = 6 + 16 + 120 + 84
BITS = 16


def run(method, *overrides):
    mapping = map_trace(method_lenet5(method), make_chip(*overrides, base="neuspin_sot.yaml"))
    return mapping, simulate(mapping, images=2, passes=10)


KINDS = {
    "deterministic": {"threshold": CHANNELS, "affine": 20},
    "spindrop": {"threshold": CHANNELS, "affine": 20},
    "spatial": {"threshold": CHANNELS, "affine": 20},
    "scale": {"threshold": CHANNELS, "affine": 20, "scale_dropout": CHANNELS + 10},
    "affine": {"affine": 20, "affine_dropout": 2 * CHANNELS},
    "subset": {"threshold": CHANNELS, "affine": 20, "gaussian_scale": 2 * (CHANNELS + 10)},
    "spinbayes": {"threshold": CHANNELS, "affine": 20},
}
REGISTERS = {  # of the numbers that hold for a pass
    "deterministic": 0,
    "spindrop": 0,  # masks of single values lie beside them in the input buffers
    "spatial": CHANNELS,
    "scale": 5,
    "affine": 2 * 4,
    "subset": BITS * (CHANNELS + 10),
    "spinbayes": 5 * 3,
}


@pytest.mark.parametrize("method", METHODS)
def test_memory_of_every_method(method):
    mapping, log = run(method)
    memory = memory_of(mapping, log)
    copies, bits = (8, 2) if method == "spinbayes" else (1, 1)
    assert memory.weights == copies * bits * WEIGHTS
    assert memory.parameters_by_kind == {kind: n * BITS for kind, n in KINDS[method].items()}
    assert memory.parameters == sum(memory.parameters_by_kind.values())
    assert memory.model == memory.weights + memory.parameters
    assert memory.random_units == 2 * REGISTERS[method]  # in use, and drawn ahead
    sizes = {n.name: n.op.weights.values.size for n in mapping.trace.crossbar_nodes()}
    assert memory.weight_cells == sum(2 * bits * copies * sizes[p.name] * p.replicas for p in mapping.placed())


def test_the_map_that_waits_counts_in_the_footprint():
    mapping, log = run("affine")
    held = {name: bits for name, bits in memory_of(mapping, log).buffers.items() if name.endswith(" maps")}
    # the first two are pooled before
    sizes = {"conv1": 6 * 144, "conv2": 16 * 16, "fc1": 120, "fc2": 84}
    assert held == {f"{name} maps": BITS * n for name, n in sizes.items()}


def test_a_single_module_wears_for_all_layers():
    mapping, log = run("scale", "stochastic.scope=chip", "stochastic.count=1")
    assert endurance_of(mapping, log).random_writes == 2 * 10 * 5  # two writes a bit, five layers, ten passes
    shared, log = run("scale")
    assert endurance_of(shared, log).random_writes == pytest.approx(2 * 10 / 16)  # 16 modules share a layer's bit


def test_gaussians_wear_by_their_bits():
    mapping, log = run("subset", "stochastic.scope=chip", "stochastic.count=100")
    assert endurance_of(mapping, log).random_writes == 2 * 10 * 16 * (CHANNELS + 10) / 100


def program_of(copies, bits, *overrides):
    mapping = map_trace(Net((8,)).linear("f", 4, bits=bits, copies=copies).trace(), hand_chip(*overrides))
    operation, station = program(mapping, mapping.placed())
    writes = {part: n for part, _, n in operation.actions}["crossbar"]
    return operation.units * writes, station.busy_ps


def test_copies_are_programmed_once_each_and_side_by_side():
    assert program_of(1, 1) == (8 * 4 * 2, 8 * 2 * 10_000)
    assert program_of(8, 1) == (8 * 8 * 4 * 2, 8 * 2 * 10_000)


def test_cells_of_several_junctions_take_a_write_for_each():
    two_bits = "crossbar.bits_per_cell=2"
    assert program_of(1, 2) == (8 * 8 * 2, 8 * 2 * 10_000)  # two columns a weight
    assert program_of(1, 2, two_bits) == (8 * 4 * 2 * 2, 8 * 2 * 2 * 10_000)  # two junctions a cell
    assert program_of(1, 1, two_bits) == program_of(1, 1)  # a binary weight uses one of them


def test_rewriting_all_weights_once():
    net = Net((8,)).linear("f", 4).sign("s").linear("g", 3)
    mapping = map_trace(net.trace(), hand_chip())
    cost = rewriting(mapping)
    assert cost.junctions == 2 * (8 * 4 + 4 * 3)
    assert cost.seconds == pytest.approx(8 * 2 * 10e-9)  # the taller array; both are written at once
    write = mapping.chip.components["crossbar"].actions["write"].energy
    ends = (cost.energy_j.value, cost.energy_j.low, cost.energy_j.high)
    assert ends == pytest.approx([cost.junctions * e for e in (write.value, write.low, write.high)], rel=1e-12, abs=0)
    one = rewriting(mapping, ["g"])
    assert (one.junctions, one.seconds) == (2 * 4 * 3, pytest.approx(4 * 2 * 10e-9))
    with pytest.raises(MappingError, match="no layer on crossbars is called 'h'"):
        rewriting(mapping, ["h"])


def test_rewriting_reads_an_off_chip_memory_where_there_is_one():
    trace = Net((8,)).linear("f", 4).trace()
    slow = "memory={kind: lpddr4, bandwidth: 1 Mbit/s, costs: {read: {energy: 8 pJ, latency: 50 ns}}}"
    on_chip, off_chip = (rewriting(map_trace(trace, hand_chip(*more))) for more in ((), (slow,)))
    assert off_chip.energy_j.value - on_chip.energy_j.value == pytest.approx(8 * 4 * 8e-12, rel=1e-12, abs=0)
    assert off_chip.seconds == pytest.approx(50e-9 + 32e-6)


# The parts, against the library


def test_the_counter_of_gaussian_bits_by_hand():
    chip = make_chip("stochastic.gaussian=popcount", "stochastic.gaussian_bits=16")
    count = chip.components["popcount"].actions["count"]
    # a quarter of a 64-input tree, and 16 flip-flops; with the clock tree; 4 of 6 levels deep
    assert count.energy.value == pytest.approx(1.25 * (0.307e-12 / 4 + 16 * 3.9e-15), rel=1e-12, abs=0)
    assert count.latency_ps == 2000  # 2.33 ns x 4 / 6 in cycles of 2 ns
    assert chip.components["popcount"].area.value == pytest.approx(425e-12 / 4 + 16 * 3e-12, rel=1e-12, abs=0)


def test_the_statistics_unit_by_hand():
    unit = make_chip("digital.statistics={}").components["statistics"]
    accumulate, finish = unit.actions["accumulate"], unit.actions["finish"]
    assert accumulate.energy.value == pytest.approx(1.25 * (0.7 + 4 * 0.088) * 1e-12, rel=1e-12, abs=0)
    assert finish.energy.value == pytest.approx(1.25 * (0.7 + 0.052 + 3.0) * 1e-12, rel=1e-12, abs=0)
    assert (accumulate.latency_ps, finish.latency_ps) == (4000, 28_000)  # 3.9 and 27.9 ns in cycles of 2 ns


def test_the_parameter_memory_by_hand():
    memory = make_chip().components["parameter_memory"]
    # 4 KiB and 256 bit: 0.809 x 4^0.579 x 4^0.614 pJ a word
    assert memory.actions["read"].energy.value == pytest.approx(0.809e-12 * 4**0.579 * 4**0.614 / 256, rel=1e-12, abs=0)
    assert memory.area.value == pytest.approx((0.00135 * 4 + 0.008) * 1e-6, rel=1e-12, abs=0)


def test_junctions_of_an_sot_cell_share_the_transistor_of_the_read_path():
    one, two, three = (make_chip(f"crossbar.bits_per_cell={n}").components["crossbar"].area.value for n in (1, 2, 3))
    assert (two / one, three / one) == pytest.approx((1.5, 2.0))
