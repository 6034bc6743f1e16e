"""Random networks on random chips under all schedules and grains: nothing stands still, overflows or goes missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archsim.errors import MappingError
from archsim.hardware.chip import Chip
from archsim.mapping.activity import bits_per_pass, kept_bits
from archsim.mapping.plan import Mapping, map_trace
from archsim.sim.log import RunLog
from archsim.sim.run import GRAINS, SCHEDULES, simulate
from archsim.workload.trace import Trace
from tests.networks import Net, make_chip

pytestmark = pytest.mark.filterwarnings("ignore")
COPIES = st.sampled_from([1, 1, 1, 2, 4])
FEW = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@st.composite
def networks(draw) -> Trace:
    """Return a network of convolutions, pools, residuals and linear layers, with all that draws random numbers."""
    flat = draw(st.sampled_from([False, False, True]))
    length = draw(st.integers(3, 9))
    channels = draw(st.integers(1, 3))
    shape = (channels, length * 3) if flat else (channels, length, draw(st.integers(2, 9)))
    net = Net(shape, bits=draw(st.integers(1, 3)))
    for i in range(draw(st.integers(0, 3))):
        _block(draw, net, f"b{i}")
    if draw(st.booleans()) or not any(n.op.kind == "conv" for n in net.nodes):
        net.flatten()
        if draw(st.booleans()):
            net.dropout("df", draw(st.sampled_from(["element", "channel"])))
        net.linear("f1", draw(st.integers(1, 40)), copies=draw(COPIES))
        _random_work(draw, net, "f1")
        if draw(st.booleans()):
            net.sign("sf").linear("f2", draw(st.integers(1, 12)))
    return net.trace()


def _random_work(draw, net: Net, name: str) -> None:
    """Add digital operations with chance, or with statistics of the whole map."""
    for i in range(draw(st.sampled_from([0, 0, 1, 2]))):
        kind = draw(st.sampled_from(["scale_dropout", "affine_dropout", "gaussian_scale", "normalise", "normalise"]))
        if kind == "normalise":
            net.normalise(f"{name}x{i}", draw(st.sampled_from(["layer", "channel"])))
        else:
            getattr(net, kind)(f"{name}x{i}")


def _block(draw, net: Net, name: str) -> None:
    """Add a convolution, plain or with a skip connection (with or without a layer on it), and what follows it."""
    if draw(st.booleans()):
        net.dropout(f"{name}d", draw(st.sampled_from(["element", "channel"])))
    start = net.at
    small = min(net.shape[1:])
    kernel = draw(st.integers(1, min(3, small)))
    dilation = draw(st.integers(1, 2)) if (kernel - 1) * 2 < small else 1
    out = draw(st.integers(1, 6))
    kind = draw(st.sampled_from(["plain", "plain", "skip", "projected"]))
    if kind == "plain" or net.nodes[-1].op.kind == "dropout":
        stride, padding, bits = draw(st.integers(1, 2)), draw(st.integers(0, 2)), draw(st.integers(1, 2))
        net.conv(f"{name}c", out, kernel, stride, padding, dilation, bits=bits, copies=draw(COPIES))
        _random_work(draw, net, f"{name}r")
        if min(net.shape[1:]) >= 2 and draw(st.booleans()):
            net.pool(f"{name}p", 2, draw(st.integers(1, 2)), function=draw(st.sampled_from(["max", "avg"])))
    elif kind == "skip":
        net.conv(f"{name}c", net.shape[0], 3, 1, 1)
        _random_work(draw, net, f"{name}r")
        net.add(f"{name}add", start)
        _random_work(draw, net, f"{name}t")
    else:
        net.conv(f"{name}c", out, 3, 1, 1).sign(f"{name}s").conv(f"{name}e", out, 3, 1, 1)
        main = net.at
        net.go(start).conv(f"{name}f", out, 1).add(f"{name}add", main)
    net.quantize(f"{name}q", 2) if draw(st.booleans()) else net.sign(f"{name}b")


@st.composite
def chips(draw) -> Chip:
    """Return a chip of few or many small crossbars, with any interconnect and way of sharing."""
    rows = draw(st.sampled_from([8, 16, 32]))
    shared = draw(st.sampled_from(["crossbar", "crossbar", "core", "tile"]))
    hold = str(draw(st.booleans())).lower()
    converter = f"{{kind: adc, bits: 5, sample_hold: {hold}, shared_by: {shared}, "
    converter += "columns_per_converter: 4}" if shared == "crossbar" else f"count: {draw(st.integers(1, 3))}}}"
    kind = draw(st.sampled_from(["mesh", "bus", "htree"]))
    return make_chip(
        f"organisation={{columns: {draw(st.integers(1, 4))}, rows: {draw(st.integers(1, 4))}, "
        f"cores_per_tile: {draw(st.integers(1, 2))}, crossbars_per_core: {draw(st.integers(1, 4))}}}",
        f"crossbar.rows={rows}",
        f"crossbar.columns={draw(st.sampled_from([4, 8, 16]))}",
        f"crossbar.parallel_rows={draw(st.sampled_from([4, rows]))}",
        f"converter={converter}",
        f"interconnect={{kind: {kind}, width: {draw(st.sampled_from([8, 32]))} bit}}",
        f"input_buffer.capacity={draw(st.sampled_from(['1 KiB', '4 KiB']))}",
        f"output_buffer.capacity={draw(st.sampled_from(['1 KiB', '4 KiB']))}",
        f"stochastic.scope={draw(st.sampled_from(['crossbar', 'tile', 'chip']))}",
        f"stochastic.ahead={draw(st.integers(0, 2))}",
        f"mapping.replication={draw(st.sampled_from(['none', 'balanced']))}",
        f"mapping.placement={draw(st.sampled_from(['packed', 'tile_per_layer']))}",
        f"mapping.strategy={draw(st.sampled_from(['unrolled', 'subarrays']))}",
        "mapping.overflow=reprogram",
        "digital.statistics={}",
        f"stochastic.gaussian_bits={draw(st.sampled_from([8, 16]))}",
        "stochastic.gaussian=popcount",
    )


@dataclass(repr=False)
class Case:
    """One simulation to be made."""

    mapping: Mapping
    schedule: str
    grain: str
    images: int
    passes: int

    def __repr__(self) -> str:
        nodes = [(n.name, n.op.kind, n.inputs, n.shape) for n in self.mapping.trace.nodes]
        placed = [[(p.name, p.share, p.tiles) for p in r] for r in self.mapping.rounds]
        arch = self.mapping.chip.arch.model_dump(exclude_defaults=True)
        return f"{self.schedule} {self.grain} {self.images} x {self.passes}\n{nodes}\n{placed}\n{arch}"

    def run(self, **more) -> RunLog:
        return simulate(
            self.mapping, images=self.images, passes=self.passes, schedule=self.schedule, grain=self.grain, **more
        )


@st.composite
def cases(draw) -> Case:
    trace, chip = draw(networks()), draw(chips())
    try:
        mapping = map_trace(trace, chip)
        case = Case(
            mapping,
            draw(st.sampled_from(SCHEDULES)),
            draw(st.sampled_from(GRAINS)),
            draw(st.integers(1, 5)),
            draw(st.sampled_from([1, 2, 3, 7, 20])),
        )
        simulate(mapping, images=1, passes=1, schedule=case.schedule, grain=case.grain)
    except MappingError:
        assume(False)
    return case


def drawn_bits(case: Case):
    """Return a function that counts the bits that a node draws in a pass on the chip of a case."""
    bits = case.mapping.chip.arch.stochastic.gaussian_bits
    return lambda node: bits_per_pass(node, bits)


def strip(log: RunLog) -> RunLog:
    return replace(log, simulated_passes=0, skipped_passes=0, events=0)


@FEW
@given(cases())
def test_everything_ends_within_its_buffers(case):
    log = case.run()
    for buffer in log.buffers:
        assert 0 <= buffer.peak_bits <= buffer.granted_bits, buffer
    for station in log.stations:
        assert station.busy_ps <= log.total_ps, station
    times = case.images * case.passes
    units = Counter()
    for op in log.operations:
        units[op.name, op.layer.split("[")[0]] += op.units
    parts = Counter(p.name for p in case.mapping.placed())
    for stage in case.mapping.graph.stages:
        assert units["multiply", stage.name] == stage.positions * times * parts[stage.name]
        assert units["digital", stage.name] == stage.positions * times * parts[stage.name]
        first, others = (sum(f(n) for n in stage.stochastic) for f in (drawn_bits(case), kept_bits))
        assert units["draw", stage.name] == (first + others * (parts[stage.name] - 1)) * times
        later = sum(w.positions for w in stage.sweeps[1:])
        assert units["normalise", stage.name] == later * times * parts[stage.name]
    assert units["average", "output"] == times * prod(case.mapping.trace.output.shape)


@FEW
@given(cases())
def test_periods_skipped_change_nothing(case):
    case.images *= 3
    assert strip(case.run()) == strip(case.run(shortcut=False))
