"""Speed of the event simulator: uses of a station, timing of LeNet-5 and VGG-small, the price of many images.

Process CPU time on one core, medians, ratios of one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import median

import numpy as np
import simpy

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.mapping.plan import Mapping, map_trace
from archsim.sim.run import simulate
from archsim.sim.station import Engine, Station
from archsim.workload.trace import Conv, Dropout, Flatten, Linear, Node, Op, Pool, Quantize, Sign, Trace, Weights

ARCHS = Path(__file__).parents[1] / "arch_configs"
PASSES = 20
REPEATS = 7
USES = 200_000


def cpu_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median CPU time of some work, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * median(times)


def station_uses() -> None:
    """Let four processes contend for two stations, every use booked and waited for."""
    engine = Engine()
    op = engine.operation("use", "bench", "use", [("x", "y", 1.0)])
    stations = [Station(engine, f"s{i}", "bench") for i in range(2)]

    def worker(index: int) -> Generator[simpy.Event, object, None]:
        cursor, station = engine.cursor(str(index)), stations[index % 2]
        for _ in range(USES // 4):
            yield station.use(cursor, op, 1, 3 + index)

    for i in range(4):
        engine.env.process(worker(i))
    engine.env.run_out()
    assert engine.ledger.operations[op.index] == [USES, USES]


def network(name: str, shape: tuple[int, ...], layers: list[tuple[Op, tuple[int, ...]]]) -> Trace:
    """Return a chain of operations as a trace."""
    names = ["input", *(f"n{i}" for i in range(len(layers)))]
    nodes = tuple(Node(names[i + 1], op, (names[i],), out) for i, (op, out) in enumerate(layers))
    return Trace(name, shape, nodes)


def binary(*shape: int) -> Weights:
    """Return random binary weights."""
    values = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), shape)
    return Weights(values, 1, np.ones(1, np.float32))


def lenet5() -> Trace:
    """Return LeNet-5 for 28 x 28 images, with Spatial-SpinDrop."""
    one = (1, 1)
    maps = [(6, 12), (16, 4)]
    layers: list[tuple[Op, tuple[int, ...]]] = [(Quantize(4, False, 1 / 16), (1, 28, 28))]
    channels, side = 1, 28
    for width, after in maps:
        side -= 4
        layers.append((Conv(binary(width, channels, 5, 5), one, (0, 0), one), (width, side, side)))
        layers.append((Pool("max", (2, 2), (2, 2), (0, 0)), (width, after, after)))
        layers += [(Sign(), (width, after, after)), (Dropout(0.1, "channel"), (width, after, after))]
        channels, side = width, after
    layers.append((Flatten(), (256,)))
    for inputs, outputs in ((256, 120), (120, 84)):
        layers += [(Linear(binary(outputs, inputs)), (outputs,)), (Sign(), (outputs,))]
    return network("lenet5", (1, 28, 28), [*layers, (Linear(binary(10, 84)), (10,))])


def vgg_small() -> Trace:
    """Return VGG-small for 32 x 32 images, with Spatial-SpinDrop."""
    one = (1, 1)
    layers: list[tuple[Op, tuple[int, ...]]] = [(Quantize(4, False, 1 / 16), (3, 32, 32))]
    channels, side = 3, 32
    for i, width in enumerate((128, 128, 256, 256, 512, 512)):
        layers.append((Conv(binary(width, channels, 3, 3), one, one, one), (width, side, side)))
        if i % 2:
            side //= 2
            layers.append((Pool("max", (2, 2), (2, 2), (0, 0)), (width, side, side)))
        layers += [(Sign(), (width, side, side)), (Dropout(0.1, "channel"), (width, side, side))]
        channels = width
    flat = channels * side * side
    return network("vgg_small", (3, 32, 32), [*layers, (Flatten(), (flat,)), (Linear(binary(10, flat)), (10,))])


def report(name: str, trace: Trace, chip: Chip, target_ms: float) -> None:
    """Print what mapping and simulating a network costs."""
    mapping: Mapping = map_trace(trace, chip)
    mapped = cpu_ms(lambda: map_trace(trace, chip))
    for grain in ("row", "position"):
        timed = cpu_ms(lambda grain=grain: simulate(mapping, images=1, passes=PASSES, grain=grain), 3)  # type: ignore[misc]
        log = simulate(mapping, images=1, passes=PASSES, grain=grain)
        note = f", target {target_ms:.0f} ms: {target_ms / (mapped + timed):.1f} x faster" if grain == "row" else ""
        print(
            f"{name}, T = {PASSES}, grain {grain}: map {mapped:.1f} ms + simulate {timed:.1f} ms"
            f" ({log.events} events, {log.skipped_passes} of {PASSES} passes skipped){note}"
        )
    few, many = (cpu_ms(lambda n=n: simulate(mapping, images=n, passes=PASSES), 3) for n in (10, 1000))  # type: ignore[misc]
    print(f"{name}: 1,000 images cost {many / few:.2f} x what 10 cost ({many:.0f} ms, {few:.0f} ms), target < 2")


def main() -> None:
    """Print all figures."""
    rate = USES / cpu_ms(station_uses, 3) * 1e3
    print(f"station uses with the ledger on: {rate:,.0f} a second, {rate / 300_000:.1f} x the target of 300,000")
    report("LeNet-5", lenet5(), build_chip(load_arch(ARCHS / "spatial_spindrop_sot.yaml")), 25)
    report("VGG-small", vgg_small(), build_chip(load_arch(ARCHS / "spatial_spindrop_sot_8x8.yaml")), 200)


if __name__ == "__main__":
    main()
