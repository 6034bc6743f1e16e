"""Random bits of a layer: which modules draw them, how fast, and how far ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from archsim.mapping.activity import bits_per_pass
from archsim.mapping.plan import Placed, random_modules
from archsim.sim.chunks import room_needed
from archsim.sim.rounds import Round
from archsim.sim.runtime import Chunk, RandomSource, StageRun
from archsim.sim.station import Engine, Level, Station
from archsim.sim.timing import storage_ps
from archsim.workload.trace import Dropout

SharedStation = Callable[[str, str], Station]


def random_source(engine: Engine, here: Round, run: StageRun, shared: SharedStation) -> RandomSource | None:
    """Return the random bits of a layer, None for one without dropout.

    A layer that is cut between rounds draws its masks with its first part, which keeps them for the others.
    """
    placed, arch = run.placed, here.mapping.chip.arch
    dropout = placed.stage.dropout
    if dropout is None or arch.stochastic is None:
        return None
    assert isinstance(dropout.op, Dropout)
    storage = here.storage
    if placed.share.first == 0:
        station = _station(engine, placed, arch.stochastic.scope, shared)
        modules = random_modules(placed, here.mapping.chip)
        cut = placed.share.last < placed.tiling.column_tiles
        actions = [("stochastic", "draw", 1.0), (storage, "write", 1.0 if cut else 0.0)]
        one = here.mapping.chip.components["stochastic"].actions["draw"].latency_ps

        def duration(bits: int) -> int:
            return ceil(bits / modules) * one

    else:
        station = shared(storage.replace("_", " "), storage)
        actions = [(storage, "read", 1.0)]

        def duration(bits: int) -> int:
            return storage_ps(here.mapping.chip, storage, bits)

    bits = bits_per_pass(dropout)
    ahead = arch.stochastic.ahead
    if dropout.op.granularity == "channel":
        plan = [(1, bits, -ahead)]
    else:
        plan = _element_draws(run.chunks, bits // placed.stage.inputs.pixels, run.window, ahead)
    per_pass = sum(units for units, _, _ in plan)
    return RandomSource(
        cursor=engine.cursor(f"{run.label} random bits"),
        station=station,
        op=engine.operation("draw", run.label, "bit", actions),
        drawn=Level(engine, per_pass, "random bits"),
        used=Level(engine, per_pass, "output space"),
        per_pass=per_pass,
        bursts=[(units, drawn, duration(drawn), need) for units, drawn, need in plan],
    )


def _station(engine: Engine, placed: Placed, scope: str, shared: SharedStation) -> Station:
    """Return the station that draws for a layer; modules of a tile or of the chip are contended for."""
    home = placed.tiles[0]
    if scope == "crossbar":
        return Station(engine, f"{placed.name} random bits", f"tile {home}")
    if scope == "tile":
        return shared(f"random bits {home}", f"tile {home}")
    return shared("random bits", "chip")


def _element_draws(chunks: Sequence[Chunk], per_pixel: int, room: int, ahead: int) -> list[tuple[int, int, int]]:
    """Return what each chunk draws: pixels, bits, and the pixels that must have been freed before.

    Masks are stored beside the pixels that they gate, so there is as much room for them as for pixels.
    """
    room = max(room, room_needed([c.mask_needs for c in chunks], [c.mask_frees for c in chunks]))
    pixels = chunks[-1].mask_needs
    plan = []
    seen = 0
    for chunk in chunks:
        units = chunk.mask_needs - seen
        seen = chunk.mask_needs
        if units:
            plan.append((units, units * per_pixel, max(seen - room, -ahead * pixels)))
    return plan
