"""Every use of a station that a recorder hears of: for which image and pass, also after repetitions are skipped."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from archsim.mapping.plan import map_trace
from archsim.sim.run import GRAINS, SCHEDULES, simulate
from tests.networks import Net, hand_chip

SMALL = "organisation.crossbars_per_core=16"
SHARED = (
    SMALL,
    "stochastic.scope=chip",
    ("converter={kind: adc, bits: 8, sample_hold: true, shared_by: tile, count: 4, costs: {convert: {latency: 5 ns}}}"),
)
TILES = ("organisation={columns: 4, rows: 2, crossbars_per_core: 1}", "interconnect.kind=mesh")
REPROGRAM = ("organisation={columns: 1, rows: 1, crossbars_per_core: 2}", "mapping.overflow=reprogram")


def chain():
    net = Net((1, 10, 10)).conv("a", 4, 3).pool("p").sign("s").dropout("d").conv("b", 3, 3).sign("t")
    return net.flatten().linear("f", 4)


def elements():
    return Net((2, 6, 6)).dropout("d", "element").conv("a", 3, 3).sign("s").flatten().dropout("e").linear("f", 3)


def residual():
    net = Net((2, 6, 6)).conv("a", 4, 3, padding=1).sign("s").conv("b", 4, 3, padding=1).sign("t").add("sum", "s")
    return net.sign("u").flatten().linear("f", 3)


def statistics():
    net = Net((2, 6, 6)).conv("a", 4, 3, padding=1).affine_dropout("d").normalise("n").sign("s")
    return net.flatten().linear("f", 3)


def copies():
    return Net((8,)).linear("f", 6, copies=4).gaussian_scale("g").sign("s").linear("h", 3, copies=2)


MACHINES = {
    "chain": (chain, (SMALL,)),
    "chain over a mesh": (chain, TILES),
    "shared converters and modules": (chain, SHARED),
    "single values dropped": (elements, (SMALL, "stochastic.ahead=3")),
    "residual": (residual, (SMALL,)),
    "statistics": (statistics, (SMALL,)),
    "copies": (copies, (SMALL,)),
}


class Heard:
    """Keeps all uses in the order in which they were booked, cut where repetitions were skipped."""

    def __init__(self):
        self.stretches, self.skips, self.levels = [[]], [], defaultdict(list)

    def begin(self, mapping, engine):
        self.last = mapping, engine

    def use(self, served):
        self.stretches[-1].append(served)

    def level(self, name, time_ps, bits):
        self.levels[name].append((time_ps, bits))

    def skip(self, time_ps, images, passes):
        self.skips.append((time_ps, images, passes))
        self.stretches.append([])

    @property
    def uses(self):
        return [served for stretch in self.stretches for served in stretch]


def heard(machine, **options):
    net, overrides = MACHINES[machine]
    mapping = map_trace(net().trace(), hand_chip(*overrides))
    recorder = Heard()
    log = simulate(mapping, recorder=recorder, **options)
    assert log == simulate(mapping, **options), "a recorder changes nothing"
    return log, recorder


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("grain", GRAINS)
def test_every_pass_has_its_share_of_everything(machine, schedule, grain):
    images, passes = 3, 4
    log, recorder = heard(machine, images=images, passes=passes, schedule=schedule, grain=grain, shortcut=False)
    uses, units = defaultdict(Counter), defaultdict(Counter)
    for served in recorder.uses:
        place = served.op.index, served.station, served.group
        uses[place][served.image, served.turn] += 1
        units[place][served.image, served.turn] += served.units
    every_pass = {(i, t) for i in range(1, images + 1) for t in range(1, passes + 1)}
    every_image = {(i, 0) for i in range(1, images + 1)}
    kinds = {op.index: op.once for op in recorder.last[1].operations}
    assert set(kinds.values()) == {"pass", "image"}
    for counted in (uses, units):
        for place, share in counted.items():
            assert share.keys() == (every_pass if kinds[place[0]] == "pass" else every_image), place
            assert len(set(share.values())) == 1, "no pass differs from another"
    busy = Counter()
    for served in recorder.uses:
        busy[served.group, served.station] += served.end_ps - served.start_ps
    assert busy == {(s.group, s.name): s.busy_ps for s in log.stations if s.uses}


SKIPPING = [
    *((m, s, *work) for m in MACHINES for s in SCHEDULES[:2] for work in ((12, 3), (5, 25))),
    *((m, "pipelined_passes", *work) for m in MACHINES for work in ((30, 4), (60, 2))),
    ("statistics", "pipelined_passes", 1, 100),
]


@pytest.mark.parametrize(("machine", "schedule", "images", "passes"), SKIPPING)
def test_numbers_after_a_skip_are_those_of_the_long_run(machine, schedule, images, passes):
    options = {"images": images, "passes": passes, "schedule": schedule, "grain": "row"}
    long, everything = heard(machine, shortcut=False, **options)
    short, some = heard(machine, **options)
    assert short.total_ps == long.total_ps
    assert sum(p for _, _, p in some.skips) == short.skipped_passes > 0
    assert all(passes_of == i * passes for _, i, passes_of in some.skips if i)
    known = Counter((s.station, s.op, s.units, s.image, s.turn, s.start_ps, s.end_ps) for s in everything.uses)
    averaged = {(s.image, s.turn): s.start_ps for s in everything.uses if s.op.name == "average"}
    assert len(averaged) == images * passes
    for stretch in some.stretches:
        # each ends with the end of a pass, whose time in the long run says how much had been skipped before
        last = [s for s in stretch if s.op.name == "average"][-1]
        skipped_ps = averaged[last.image, last.turn] - last.start_ps
        moved = [(s.start_ps + skipped_ps, s.end_ps + skipped_ps) for s in stretch]
        found = Counter((s.station, s.op, s.units, s.image, s.turn, *t) for s, t in zip(stretch, moved, strict=True))
        assert found <= known
    ends = [max(s.turn for s in recorder.uses if s.image == images) for recorder in (some, everything)]
    assert ends == [passes, passes]


def test_a_reprogrammed_chip_is_heard_round_after_round():
    mapping = map_trace(chain().trace(), hand_chip(*REPROGRAM))
    recorder = Heard()
    log = simulate(mapping, images=2, passes=3, recorder=recorder)
    assert len(mapping.rounds) > 1
    programmed = [s for s in recorder.uses if s.op.name == "program"]
    assert [(s.image, s.turn, s.op.once) for s in programmed] == [(0, 0, "run")] * len(mapping.rounds)
    assert programmed[0].start_ps == 0
    assert max(s.end_ps for s in recorder.uses) == log.latency_ps
    multiplied = [s for s in recorder.uses if s.op.name == "multiply"]
    for before, now in pairwise(programmed):
        assert any(before.end_ps <= s.start_ps < s.end_ps <= now.start_ps for s in multiplied)
    assert {(s.image, s.turn) for s in multiplied} == {(1, 1), (1, 2), (1, 3)}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("images", [2, 9])
def test_levels_peak_where_the_log_says(machine, schedule, images):
    log, recorder = heard(machine, images=images, passes=5, schedule=schedule)
    peaks = {name: max(bits for _, bits in values) for name, values in recorder.levels.items()}
    assert peaks == {b.name: b.peak_bits for b in log.buffers if b.name in peaks}
    constant = {b.name for b in log.buffers} - peaks.keys()
    assert constant == ({"a maps"} if machine == "statistics" else set())
    for values in recorder.levels.values():
        assert all(bits >= 0 for _, bits in values)
        assert values == sorted(values, key=lambda value: value[0])
        assert values[-1][1] == 0, "all is empty in the end"
