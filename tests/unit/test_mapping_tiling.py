"""Crossbar counts of both mapping strategies, layouts, shares, placement and the cutting into rounds, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import MappingError
from archsim.mapping.activity import expected_activity
from archsim.mapping.layout import blocks_of, lay_out
from archsim.mapping.placement import Demand, Grid, place, replicate, segment
from archsim.mapping.plan import map_trace
from archsim.mapping.stages import build_stages
from archsim.mapping.tiling import tile_layer
from tests.networks import Net, lenet5, make_chip, vgg_small

SIZE = {"rows": 128, "columns": 128, "parallel_rows": 128, "bits_per_cell": 1}


def counts(trace, strategy):
    return {n.name: tile_layer(n, **SIZE, strategy=strategy).crossbars for n in trace.crossbar_nodes()}


def test_lenet5_on_128x128_by_hand():
    # rows K x K x C_in: 25, 150, 256, 120, 84; columns 6, 16, 120, 84, 10
    assert counts(lenet5(), "unrolled") == {"conv1": 1, "conv2": 2, "fc1": 2, "fc2": 1, "fc3": 1}
    # one array a kernel position: 25 of 1 x 6, 25 of 6 x 16
    assert counts(lenet5(), "subarrays") == {"conv1": 25, "conv2": 25, "fc1": 2, "fc2": 1, "fc3": 1}


def test_vgg_small_on_128x128_by_hand():
    # rows 27, 1152, 1152, 2304, 2304, 4608, 8192 -> row tiles 1, 9, 9, 18, 18, 36, 64; column tiles 1, 1, 2, 2, 4, 4, 1
    want = [1, 9, 18, 36, 72, 144, 64]
    assert list(counts(vgg_small(), "unrolled").values()) == want
    # nine arrays for each 128 channels in and out
    assert list(counts(vgg_small(), "subarrays").values()) == [9, 9, 18, 36, 72, 144, 64]


@pytest.mark.parametrize(
    ("trace", "weights", "macs", "vectors", "outputs"),
    [(lenet5, 44_190, 281_640, 643, 4_694), (vgg_small, 4_656_512, 607_600_640, 2_689, 458_762)],
)
def test_workload_totals_as_published_shapes_give_them(trace, weights, macs, vectors, outputs):
    stages = build_stages(trace()).stages
    sizes = [s.node.op.weights.values.size for s in stages]
    assert sum(sizes) == weights
    assert sum(s.positions * n for s, n in zip(stages, sizes, strict=True)) == macs
    assert sum(s.positions for s in stages) == vectors
    assert sum(int(np.prod(s.node.shape)) for s in stages) == outputs


@pytest.mark.parametrize("strategy", ["unrolled", "subarrays"])
def test_every_row_is_in_exactly_one_group(strategy):
    node = Net((5, 7, 7)).conv("c", 4, 3).nodes[-1]
    tiling = tile_layer(node, rows=8, columns=3, parallel_rows=4, bits_per_cell=1, strategy=strategy)
    assert sorted(np.concatenate(tiling.groups)) == list(range(45))
    assert sorted(np.concatenate(tiling.row_tiles)) == list(range(45))
    assert max(t.size for t in tiling.row_tiles) <= 8
    assert max(g.size for g in tiling.groups) <= 4
    assert tiling.column_tiles == 2
    assert len(tiling.row_tiles) == (6 if strategy == "unrolled" else 9)


def test_weight_bits_take_columns_and_share_multi_level_cells():
    node = Net((8,)).linear("f", 10, bits=3).nodes[-1]
    one = tile_layer(node, rows=8, columns=8, parallel_rows=8, bits_per_cell=1, strategy="unrolled")
    assert (one.slices, one.columns, one.column_tiles) == (3, 30, 4)
    two = tile_layer(node, rows=8, columns=8, parallel_rows=8, bits_per_cell=2, strategy="unrolled")
    assert (two.slices, two.bits_per_cell) == (3, 1)  # 3 bits do not fill cells of 2
    three = tile_layer(node, rows=8, columns=8, parallel_rows=8, bits_per_cell=3, strategy="unrolled")
    assert (three.slices, three.columns, three.cells_used) == (1, 10, 80)


def test_grouped_convolution_has_its_own_arrays_for_each_group():
    node = Net((6, 5, 5)).conv("c", 12, 3, groups=3).nodes[-1]
    tiling = tile_layer(node, rows=8, columns=4, parallel_rows=8, bits_per_cell=1, strategy="unrolled")
    assert (tiling.rows, tiling.blocks, tiling.columns, tiling.crossbars) == (18, 3, 4, 9)


def test_a_layer_that_fits_one_array_whole():
    placed = map_trace(Net((128,)).linear("f", 128).trace(), make_chip("mapping.replication=none")).placed()
    assert [(p.crossbars, p.tiles, p.columns, p.outputs) for p in placed] == [(1, range(1), 128, 128)]
    more = map_trace(Net((129,)).linear("f", 129).trace(), make_chip("mapping.replication=none")).placed()
    assert more[0].crossbars == 4


def test_layout_counts_reads_and_crossings_by_hand():
    # 3 row tiles of 8, 8, 2 rows; 2 column tiles; 4 crossbars a tile, the first of which is taken
    tiling = tile_layer(
        Net((18,)).linear("f", 8).nodes[-1], rows=8, columns=4, parallel_rows=8, bits_per_cell=1, strategy="unrolled"
    )
    layout = lay_out(tiling, column_tiles=2, replicas=1, first=1, per_tile=4)
    # tile 0: column tile 0 (rows 0, 1, 2); tile 1: column tile 1 (rows 0, 1, 2): nothing crosses, all read twice
    assert (layout.crossbars, layout.crossings, layout.rows_read, layout.busiest_rows) == (6, (0.0,), 36.0, 18)
    layout = lay_out(tiling, column_tiles=2, replicas=1, first=0, per_tile=4)
    # tile 0: both row tiles 0, 1, 2 and row tile 0 of the second; tile 1: rows 1, 2 of it: read 18 and 10
    assert (layout.crossings, layout.rows_read, layout.busiest_rows) == ((1.0,), 28.0, 18)
    layout = lay_out(tiling, column_tiles=1, replicas=2, first=0, per_tile=4)
    assert (layout.crossings, layout.rows_read) == ((0.5,), 18.0)
    assert blocks_of(layout, 2) == range(3)


def test_replicas_go_to_the_slowest_layer_until_the_chip_is_full():
    grid = Grid(tiles=2, per_tile=4, own_tiles=False)
    slow, fast = Demand("slow", 1, 1, 100, 10), Demand("fast", 1, 1, 50, 10)
    # 1000, 500 -> 2: 500, 500 -> the first of the equals; 8 crossbars: 1000/r1 and 500/r2 with r1 + r2 = 8
    assert replicate([slow, fast], grid) == [5, 3]
    assert replicate([Demand("one", 1, 1, 3, 10)], grid) == [3]  # never more than positions
    own = replicate([Demand("a", 3, 1, 100, 10), Demand("b", 3, 1, 100, 10)], Grid(2, 4, own_tiles=True))
    assert own == [1, 1]  # a second replica would need another tile


def test_layers_of_their_own_tiles_start_on_one():
    assert place([3, 2, 4], Grid(4, 4, own_tiles=True)) == [0, 4, 8]
    assert place([3, 2, 4], Grid(4, 4, own_tiles=False)) == [0, 3, 5]


def test_too_large_is_refused_with_the_numbers():
    with pytest.raises(MappingError, match=r"needs 344 crossbars, chip 'spatial_spindrop_sot' has 128"):
        map_trace(vgg_small(), make_chip())


def test_rounds_cut_layers_between_columns():
    grid = Grid(1, 4, own_tiles=False)
    demands = [Demand("a", 3, 1, 1, 1), Demand("b", 6, 3, 1, 1), Demand("c", 1, 1, 1, 1)]
    rounds = segment(demands, grid, "reprogram", "chip")
    assert [[(s.layer, s.first, s.last) for s in r] for r in rounds] == [
        [(0, 0, 1)],
        [(1, 0, 2)],
        [(1, 2, 3), (2, 0, 1)],
    ]
    with pytest.raises(MappingError, match="one column tile of layer 'x' needs 5 crossbars"):
        segment([Demand("x", 5, 1, 1, 1)], grid, "reprogram", "chip")


def test_parts_of_a_cut_layer_add_up():
    trace = Net((20,), bits=2).linear("f", 50, bits=3).sign("s").linear("g", 10).trace()
    chip = make_chip(
        "organisation={columns: 1, rows: 1, crossbars_per_core: 8}", "crossbar.rows=8", "crossbar.columns=16",
        "crossbar.parallel_rows=8", "mapping.overflow=reprogram",
    )  # fmt: skip
    mapping = map_trace(trace, chip)
    parts = [p for p in mapping.placed() if p.name == "f"]
    assert len(parts) > 1
    assert sum(p.columns for p in parts) == 150
    assert sum(p.outputs for p in parts) == 50
    assert [p.span[0] for p in parts[1:]] == [p.span[1] for p in parts[:-1]]
    assert (parts[0].span[0], parts[-1].span[1]) == (0, 1)


def test_dropout_must_stand_before_one_layer():
    net = Net((8,)).dropout("d").linear("a", 4).go("d").linear("b", 4)
    net.add("sum", "a")
    with pytest.raises(MappingError, match="dropout 'd' does not stand directly before one layer"):
        build_stages(net.trace())
    flat = Net((2, 2, 2)).dropout("d").flatten().linear("a", 4).go("flatten").linear("b", 4).add("sum", "a")
    with pytest.raises(MappingError, match="dropout 'd'"):
        build_stages(flat.trace())


def test_no_random_modules_for_a_network_that_draws():
    trace = Net((8,)).dropout("d").linear("a", 4).trace()
    with pytest.raises(MappingError, match="layer 'd' draws random bits"):
        map_trace(trace, make_chip("stochastic=null"))


def test_a_window_larger_than_the_buffer_is_refused_with_the_numbers():
    trace = Net((64, 4, 200), bits=4).conv("c", 4, 3).trace()
    # two rows and three pixels of 64 values of 4 bits
    with pytest.raises(MappingError, match=f"keeps {403 * 256} bits.*holds 32768"):
        map_trace(trace, make_chip())


def test_expected_activity_counts_padding_and_dropout():
    trace = Net((2, 3, 3), bits=1).dropout("d", p=0.5).conv("c", 1, 3, padding=1).trace()
    stage = build_stages(trace).stages[0]
    # of 9 x 9 taps, 49 lie inside; two channels, half of them dropped
    activity = expected_activity(stage, 18)
    assert activity.driven_rows == pytest.approx(18 * 49 / 81 / 2)
    assert activity.driven_rows == activity.dropped_rows


def test_a_map_smaller_than_its_kernel():
    stage = build_stages(Net((1, 2, 2)).conv("c", 1, 5, padding=2).trace()).stages[0]
    assert stage.needs.tolist() == [4, 4, 4, 4]
    assert stage.frees.tolist() == [0, 0, 0, 4]
