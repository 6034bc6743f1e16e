"""Where work enters and leaves a machine: the loader of images, the sink that averages passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, prod

from archsim.errors import MappingError
from archsim.hardware.chip import Chip
from archsim.mapping.digital import node_actions
from archsim.mapping.parameters import PARAMETER_BITS, read_parameters
from archsim.sim.edge import EdgeRun
from archsim.sim.ledger import Once
from archsim.sim.rounds import OUTPUT, Round, image_bits
from archsim.sim.runtime import Loader, Sink, StageRun, Store, Use
from archsim.sim.station import Engine, Level, Station
from archsim.sim.timing import action_ps, cycle_ps, global_buffer_ps, memory_ps, split
from archsim.workload.trace import INPUT, Trace

RAW_BITS = 8  # a value of an image as it comes from a camera or a file
SLOTS = 2  # images in the global buffer, if they fit: one is worked on while the next one comes

SharedStation = Callable[[str, str], Station]


def build_loader(engine: Engine, here: Round, shared: SharedStation, home: int) -> Loader:
    """Return the way of an image: off-chip memory, digital preprocessing on tile `home`, global buffer."""
    chip, trace = here.mapping.chip, here.mapping.trace
    stored = image_bits(here.mapping)
    capacity = chip.arch.global_buffer.capacity
    if stored > capacity:
        raise MappingError(
            f"an image of {stored} bits does not fit the global buffer of {capacity} (global_buffer.capacity)"
        )
    raw = prod(trace.input_shape) * RAW_BITS
    uses: list[Use] = []
    if chip.arch.memory is not None:
        op = engine.operation("load", INPUT, "bit", [("memory", "read", 1.0)], "image")
        uses.append(Use(shared("memory", "memory"), op, raw, memory_ps(chip, raw)))
    if here.mapping.graph.preprocessing:
        uses.append(_preprocess(engine, here, shared(f"digital unit {home}", f"tile {home}")))
    store = engine.operation("store", INPUT, "bit", [("global_buffer", "write", 1.0)], "image")
    uses.append(Use(shared("global buffer", "buffers"), store, stored, global_buffer_ps(chip, stored)))
    return Loader(engine.cursor("loader"), uses, min(SLOTS, capacity // stored))


def _preprocess(engine: Engine, here: Round, station: Station) -> Use:
    """Return the digital work before the first layer, on all elements of an image."""
    chip, trace = here.mapping.chip, here.mapping.trace
    elements = prod(trace.input_shape)
    actions = []
    busy = 0.0
    for node in here.mapping.graph.preprocessing:
        for name, count in node_actions(node).items():
            actions.append((*split(name), count / elements))
            busy += count * action_ps(chip, name) / chip.arch.digital.lanes
        actions.append(("parameter_memory", "read", read_parameters(node) * PARAMETER_BITS / elements))
    op = engine.operation("preprocess", INPUT, "element", actions, "image")
    return Use(station, op, elements, ceil(busy / cycle_ps(chip)) * cycle_ps(chip))


def build_sink(
    engine: Engine, here: Round, stages: Sequence[StageRun], stores: Sequence[Store], scores: Sequence[EdgeRun]
) -> Sink:
    """Return the end of a pass: what leads nowhere else has ended, what is kept has been written."""
    chip, trace = here.mapping.chip, here.mapping.trace
    ends = [r.passes for r in stages if not r.sends or trace.output.name in r.placed.stage.produced]
    averaging = _averaging(engine, chip, trace) if here.last else (None, None)
    return Sink(
        cursor=engine.cursor("averaging"),
        sources=[*ends, *(s.passes for s in stores), *(e.arrived for e in scores)],
        scores=scores,
        pass_use=averaging[0],
        image_use=averaging[1],
        passes=Level(engine, 1, "schedule"),
        finished=Level(engine, 0, "schedule"),
    )


def _averaging(engine: Engine, chip: Chip, trace: Trace) -> tuple[Use, Use]:
    """Return softmax and sum of a pass, and the mean and entropy of an image: one unit, class by class."""
    classes = prod(trace.output.shape)
    station = Station(engine, "averaging", "chip")

    def use(name: str, once: Once, *actions: str, first: str = "") -> Use:
        priced = [(*split(a), 1.0) for a in actions] + ([(*split(first), 1 / classes)] if first else [])
        duration = classes * sum(action_ps(chip, a) for a in actions) + (action_ps(chip, first) if first else 0)
        return Use(station, engine.operation(name, OUTPUT, "class", priced, once), classes, duration)

    each_pass = use("average", "pass", "softmax.apply", "averager.accumulate", first="softmax.reciprocal")
    return each_pass, use("finish", "image", "averager.finish")
