"""Where the six methods sit on a chip: copies, sweeps, parameters, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import pytest

from archsim.errors import MappingError
from archsim.mapping.activity import bits_per_pass, gaussians_per_pass, kept_bits
from archsim.mapping.digital import node_actions
from archsim.mapping.layout import blocks_at_work, blocks_of, lay_out
from archsim.mapping.parameters import read_parameters, stored_parameters
from archsim.mapping.plan import map_trace, random_counters, random_modules
from archsim.mapping.stages import build_stages
from archsim.mapping.tiling import tile_layer
from archsim.sim.digital import digital_counts
from archsim.sim.run import simulate
from archsim.workload.ops import Op
from archsim.workload.trace import Draw, FloatArray, Linear, Node, Noise, Stochastic, Weights
from tests.networks import METHODS, Net, hand_chip, make_chip, method_lenet5

BITS = 16
MORE = "organisation.crossbars_per_core=16"


def node_of(net):
    return net.nodes[-1]


# Random numbers


def test_what_each_operation_draws_in_a_pass():
    net = Net((6,)).linear("f", 10, copies=8)
    assert bits_per_pass(node_of(net), 16) == kept_bits(node_of(net)) == 3  # one of eight
    assert bits_per_pass(node_of(net.scale_dropout("a")), 16) == 1
    assert bits_per_pass(node_of(net.affine_dropout("b")), 16) == 2
    gauss = node_of(net.gaussian_scale("c"))
    assert (bits_per_pass(gauss, 12), gaussians_per_pass(gauss), kept_bits(gauss)) == (120, 10, 10 * BITS)


@pytest.mark.parametrize(("scope", "modules", "counters"), [("crossbar", 2 * 20, 2 * 2), ("tile", 20, 2)])
def test_modules_and_counters_of_a_layer(scope, modules, counters):
    chip = hand_chip(f"stochastic.scope={scope}", "stochastic.count=20", "crossbar.rows=8", "crossbar.parallel_rows=8")
    (placed,) = map_trace(Net((16,)).linear("f", 4, copies=2).gaussian_scale("g").trace(), chip).placed()
    assert (random_modules(placed, chip), random_counters(placed, chip)) == (modules, counters)
    assert chip.counts["popcount"] == {"crossbar": 8 * 2, "tile": 2}[scope]


# Copies


def test_copies_take_crossbars_each_and_stand_one_after_the_other():
    node = node_of(Net((18,)).linear("f", 8, copies=2))
    tiling = tile_layer(node, rows=8, columns=4, parallel_rows=8, bits_per_cell=1, strategy="unrolled")
    assert (tiling.crossbars_per_copy, tiling.crossbars, tiling.cells_used) == (6, 12, 18 * 8)
    # of 4 crossbars a tile: copy 0 on tiles 0 and 1 (its second column goes on there), copy 1 on tiles 1 and 2
    layout = lay_out(tiling, column_tiles=2, replicas=1, first=0, per_tile=4)
    assert [blocks_at_work(layout, 4, c) for c in range(2)] == [{0: 4, 1: 2}, {1: 2, 2: 4}]
    assert [layout.copy(i) for i in (0, 5, 6, 11)] == [0, 0, 1, 1]
    assert [layout.column(i) for i in (0, 2, 3, 5, 6, 9)] == [0, 0, 1, 1, 0, 1]
    # copy 0 sends the sums of its second column on once, copy 1 those of its first: each a half of the time
    assert layout.crossings == (0.5, 0.5)
    assert layout.own_crossings == (1.0,)
    # copy 0: 18 rows for its first column, of which the first 8 are read with it for the second, the others on tile 1
    # copy 1: 18 rows likewise, of which the last 2 are read on tile 2, as are all of the second column but those
    assert layout.rows_read == ((18 + 10) + (18 + 16)) / 2
    assert layout.busiest_rows == 18


def test_copies_of_a_replica_stand_beside_each_other():
    node = node_of(Net((18,)).linear("f", 4, copies=2))
    tiling = tile_layer(node, rows=8, columns=4, parallel_rows=8, bits_per_cell=1, strategy="unrolled")
    # three crossbars a copy, six a replica: of 4 a tile, copy 0 of the second replica is on tiles 1 and 2
    layout = lay_out(tiling, column_tiles=1, replicas=2, first=0, per_tile=4)
    assert layout.of_copy(0).tolist() == [0, 1, 2, 6, 7, 8]
    assert layout.of_copy(1).tolist() == [3, 4, 5, 9, 10, 11]
    assert [layout.copy(i) for i in range(12)] == [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3
    assert blocks_of(layout, 4) == range(3)
    assert [blocks_at_work(layout, 4, c) for c in range(2)] == [{0: 3, 1: 2, 2: 1}, {0: 1, 1: 2, 2: 3}]
    # of two replicas that work at once, copy 0 sends on from tile 1 in one, copy 1 from tile 0
    assert layout.own_crossings == (0.0, 0.5)
    assert layout.crossings == (0.25, 0.25)


def test_a_copy_need_not_be_on_every_tile():
    node = node_of(Net((8,)).linear("f", 4, copies=2))
    tiling = tile_layer(node, rows=8, columns=4, parallel_rows=8, bits_per_cell=1, strategy="unrolled")
    layout = lay_out(tiling, column_tiles=1, replicas=2, first=3, per_tile=1)
    assert [blocks_at_work(layout, 1, c) for c in range(2)] == [{3: 1, 5: 1}, {4: 1, 6: 1}]
    assert (layout.crossings, layout.own_crossings, layout.rows_read) == ((0.0,) * 3, (0.0,), 8.0)


def test_replicas_of_copies_count_all_of_them():
    chip = make_chip("organisation={columns: 1, rows: 1, crossbars_per_core: 12}")
    (placed,) = map_trace(Net((1, 6, 6)).conv("c", 2, 3, copies=4).trace(), chip).placed()
    assert (placed.replicas, placed.crossbars) == (3, 12)
    with pytest.raises(MappingError, match=r"needs 16 crossbars, chip .* has 12"):
        map_trace(Net((1, 6, 6)).conv("c", 2, 3, copies=16).trace(), chip)


def test_one_copy_stands_for_all_in_time():
    chip = make_chip("organisation={columns: 4, rows: 1, crossbars_per_core: 2}", "mapping.replication=none")
    (placed,) = map_trace(Net((256,)).linear("f", 20, copies=4).trace(), chip).placed()
    assert (placed.tiles, placed.at_work) == (range(4), (0,))
    assert placed.copy_tiles == ((0,), (1,), (2,), (3,))


def test_an_input_is_paid_for_on_the_way_to_the_copy_at_work():
    chip = make_chip("organisation={columns: 4, rows: 1, crossbars_per_core: 1}", "mapping.replication=none")
    log = simulate(map_trace(Net((8,)).linear("f", 4, copies=4).trace(), chip), images=1, passes=1)
    transfer = next(o for o in log.operations if o.name == "transfer")
    # from the port beside tile 0 to one of four tiles in a row: 1, 2, 3 or 4 links and as many routers
    assert transfer.actions == (("wire", "transfer", 2.5), ("router", "hop", 2.5), ("input_buffer", "write", 1.0))


# Sweeps


def stage_of(net):
    return build_stages(net.trace()).stages[0]


def test_a_normalisation_starts_a_sweep():
    stage = stage_of(Net((1, 6, 6)).conv("c", 3, 3).pool("p").affine("a").normalise("n").sign("s"))
    assert [tuple(n.name for n in w.nodes) for w in stage.sweeps] == [("p", "a"), ("n", "s")]
    assert [w.shape for w in stage.sweeps] == [(3, 4, 4), (3, 2, 2)]
    held = 3 * 2 * 2 * BITS
    assert [(w.held_bits, w.read_bits, w.written_bits) for w in stage.sweeps] == [(0, 0, held), (held, held, 0)]
    assert stage.produced["a"].tolist() == [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4]
    assert stage.produced["s"].tolist() == [1, 2, 3, 4]


def test_two_normalisations_and_a_skip_over_one():
    net = Net((8,)).linear("f", 5).normalise("n").affine("a").normalise("m").add("sum", "f")
    stage = stage_of(net)
    assert [tuple(n.name for n in w.nodes) for w in stage.sweeps] == [(), ("n", "a"), ("m", "sum")]
    # f waits for both of the others, a for the last alone
    one = 5 * BITS
    assert [w.held_bits for w in stage.sweeps] == [0, one, 2 * one]
    assert [w.written_bits for w in stage.sweeps] == [one, one, 0]
    assert [w.read_bits for w in stage.sweeps] == [0, one, 2 * one]


def test_work_is_counted_in_the_sweep_that_does_it():
    net = Net((1, 6, 6)).conv("c", 3, 3).gaussian_scale("g").normalise("n", "channel").sign("s")
    (placed,) = map_trace(net.trace(), hand_chip()).placed()
    values = 3 * 16
    assert digital_counts(placed, 0) == {"affine.apply": values + 3, "statistics.accumulate": values}
    assert digital_counts(placed, 1) == {"statistics.finish": 3, "affine.apply": values, "threshold.apply": values}


# Parameters


def test_parameters_are_kept_once_and_read_for_each_position():
    net = Net((1, 6, 6)).conv("c", 3, 3)
    conv = node_of(net)
    assert stored_parameters(conv.op) == 0  # its scale is one
    assert read_parameters(node_of(net.affine("a"))) == 2 * 3 * 16
    assert read_parameters(node_of(net.threshold("t"))) == 3 * 16
    net.go("a")
    assert stored_parameters(node_of(net.gaussian_scale("g")).op) == 6
    assert read_parameters(node_of(net.normalise("n"))) == 0


def scaled(copies):
    """Return a layer 8 x 4 with a scale for each output in every copy, and a bias."""
    weights = [Weights(np.ones((4, 8), np.int8), 1, np.full(4, 0.5 + i, np.float32)) for i in range(copies)]
    op = Linear(weights[0], bias=np.ones(4, np.float32), alternatives=tuple(weights[1:]))
    return Net((8,)).put("f", op, (4,))


def test_every_copy_keeps_its_scale_and_one_is_read():
    node = node_of(scaled(8))
    assert stored_parameters(node.op) == 8 * 4 + 4
    assert read_parameters(node) == 4 + 4


def test_a_parameter_memory_that_is_too_small_is_refused_with_the_numbers():
    # seven thresholds for each of 128 outputs
    net = Net((8,)).linear("f", 128)
    for i in range(7):
        net.threshold(f"t{i}")
    small = "parameter_memory={capacity: 1 KiB, width: 64 bit}"
    with pytest.raises(MappingError, match=rf"layer 'f' keeps {7 * 128 * 16} bits .* on tile 0; .* holds 8192"):
        map_trace(net.trace(), hand_chip(small))
    net = Net((8,)).linear("f", 128).threshold("s").linear("g", 128).threshold("t")
    for other in ("u", "v"):
        net.threshold(other)
    with pytest.raises(MappingError, match=f"layer 'g' keeps {6144 + 128} bits .* that makes {2048 + 6144 + 128} bits"):
        map_trace(net.put("w", Extra(np.ones(8, np.float32)), (128,)).trace(), hand_chip(small))


@dataclass(frozen=True, eq=False)
class Extra(Stochastic):
    """A method of one's own: a random sign for each channel, out = +-x + offset."""

    kind: ClassVar[str] = "extra"
    offset: FloatArray
    uses: str = "adder.add"

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        return (Draw("bit", shape[0], 0.5),)

    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        return np.asarray(np.where(noise[0], -x, x) + self.offset, np.float32)

    def work(self, shape: tuple[int, ...]) -> Mapping[str, float]:
        return {self.uses: prod(shape)}


def test_a_method_of_ones_own_runs_without_being_known():
    net = Net((8,)).linear("f", 4).put("x", Extra(np.ones(4, np.float32)), (4,)).sign("s").linear("g", 2)
    log = simulate(map_trace(net.trace(), hand_chip()), images=1, passes=10)
    units = {(o.name, o.layer): o for o in log.operations}
    assert units["draw", "f"].units == 10 * 4
    counted = {f"{c}.{a}": n for c, a, n in units["digital", "f"].actions}
    assert counted == {
        "adder.add": 4, "threshold.apply": 4, "parameter_memory.read": 4 * 16, "output_buffer.read": 4 * 16,
    }  # fmt: skip


# What is refused


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        ("addre.add", "works with 'addre.add', which is no digital unit .* did you mean 'adder.add'"),
        ("crossbar.read", "no digital unit"),
        ("statistics.accumulate", "no digital unit"),
    ],
)
def test_work_on_units_that_do_not_exist_is_refused(uses, message):
    trace = Net((8,)).linear("f", 4).put("x", Extra(np.ones(4, np.float32), uses), (4,)).trace()
    with pytest.raises(MappingError, match=message):
        map_trace(trace, make_chip())


def test_an_operation_without_a_unit_is_refused():
    @dataclass(frozen=True, eq=False)
    class Odd(Op):
        kind: ClassVar[str] = "odd"

    with pytest.raises(MappingError, match="no digital unit does the operation 'odd'"):
        node_actions(Node("x", Odd(), ("f",), (4,)))


def test_units_that_the_chip_lacks_are_named():
    net = Net((8,)).linear("f", 4)
    with pytest.raises(MappingError, match=r"'n' is normalised .* no unit for them \(digital.statistics: {}\)"):
        map_trace(net.normalise("n").trace(), make_chip())
    net = Net((8,)).linear("f", 4).gaussian_scale("g")
    with pytest.raises(MappingError, match=r"'g' draws Gaussians.*\(stochastic.gaussian: popcount\)"):
        map_trace(net.trace(), make_chip())
    for net in (Net((8,)).linear("f", 4, copies=2), Net((8,)).linear("f", 4).scale_dropout("f1")):
        with pytest.raises(MappingError, match=r"layer 'f1?' draws random bits, but .* no stochastic modules"):
            map_trace(net.trace(), make_chip("stochastic=null"))


def test_chance_before_the_first_layer_is_refused():
    with pytest.raises(MappingError, match="'d' draws random numbers before the first layer"):
        build_stages(Net((8,)).scale_dropout("d").sign("s").linear("f", 4).trace())


def test_a_map_that_no_output_buffer_holds_is_refused_with_the_numbers():
    net = Net((1, 40, 40)).conv("c", 4, 3, padding=1).normalise("n").sign("s")
    held = 4 * 1600 * BITS
    with pytest.raises(MappingError, match=rf"layer 'c' has {held} bits of maps .* leaves 0 bits .* holds 32768"):
        map_trace(net.trace(), hand_chip())
    fits = hand_chip("output_buffer.capacity=16 KiB")
    (placed,) = map_trace(net.trace(), fits).placed()
    assert (placed.held_bits, placed.output_bits) == (held, 16 * 8192)


def test_neighbours_share_what_a_held_map_leaves():
    net = Net((1, 20, 20)).conv("c", 4, 3, padding=1).normalise("n").sign("s").flatten().linear("f", 10)
    first, second = map_trace(net.trace(), hand_chip("output_buffer.capacity=8 KiB", MORE)).placed()
    held = 4 * 400 * BITS
    assert first.output_bits == held + (65536 - held) // 2
    assert second.output_bits == (65536 - held) // 2


def test_layer_statistics_of_a_cut_layer_are_refused():
    small = (
        "organisation={columns: 1, rows: 1, crossbars_per_core: 1}", "mapping.overflow=reprogram", "crossbar.columns=4",
        "digital.statistics={}",
    )  # fmt: skip

    def trace(over):
        return Net((8,)).linear("f", 10).normalise("n", over).trace()

    with pytest.raises(MappingError, match="'n' needs the mean of all of layer 'f', of which only a part fits"):
        map_trace(trace("layer"), make_chip(*small))
    assert len(map_trace(trace("channel"), make_chip(*small)).rounds) == 3


@pytest.mark.parametrize("method", METHODS)
def test_every_method_fits_the_chip_for_all(method):
    mapping = map_trace(method_lenet5(method), make_chip(base="neuspin_sot.yaml"))
    assert len(mapping.rounds) == 1
    copies = {p.layout.copies for p in mapping.placed()}
    assert copies == ({8} if method == "spinbayes" else {1})
