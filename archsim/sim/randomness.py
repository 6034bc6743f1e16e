"""Random numbers of a layer: which modules draw them, how fast, how far ahead, and what waits for them.

The arrays wait for dropout masks and for the arbiter's choice among copies of the weights; the digital units wait for
the numbers of stochastic operations on the results. All of a layer share its modules, and those of a tile or of the
chip are shared by its layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from archsim.hardware.chip import Chip
from archsim.mapping.activity import bits_per_pass, gaussians_per_pass, kept_bits
from archsim.mapping.plan import Placed, random_counters, random_modules
from archsim.sim.chunks import chunk_ends, mask_counts, room_needed
from archsim.sim.rounds import Round
from archsim.sim.runtime import RandomSource, StageRun
from archsim.sim.station import Engine, Level, Station
from archsim.sim.timing import Actions, action_ps, storage_ps
from archsim.workload.trace import Dropout, Node

SharedStation = Callable[[str, str], Station]
Draws = list[tuple[int, int, int]]  # units, their share of the pass's numbers, freed units needed


class Sources:
    """Builds the random numbers of the layers of a round. `shared`: gives the station of a name."""

    def __init__(self, engine: Engine, here: Round, shared: SharedStation) -> None:
        self.engine = engine
        self.chip: Chip = here.mapping.chip
        self.storage = here.storage
        self.shared = shared

    def connect(self, run: StageRun, grain: str) -> None:
        """Give a layer its random numbers."""
        stage = run.placed.stage
        last = len(run.chunks) - 1
        whole = [1] * (last + 1), [0] * last + [1]
        for node in (stage.dropout, stage.node if stage.node.draws() else None):
            if node is None:
                continue
            if isinstance(node.op, Dropout) and node.op.granularity == "element":
                needs, frees = mask_counts(stage, chunk_ends(stage, grain))
                draws = _element_draws(needs, frees, run.window, self._ahead)
                run.random.append(self._source(run, [node], "random bits", draws, needs.tolist(), frees.tolist()))
            else:
                what = "random bits" if node is stage.dropout else "arbiter"
                run.random.append(self._source(run, [node], what, [(1, 1, -self._ahead)], *whole))
        if stage.drawing:
            draws = [(1, 1, -self._ahead)]
            run.numbers.append(self._source(run, stage.drawing, "random numbers", draws, [1], [1]))

    @property
    def _ahead(self) -> int:
        assert self.chip.arch.stochastic is not None, "the mapping has checked it"
        return self.chip.arch.stochastic.ahead

    def _source(
        self, run: StageRun, nodes: Sequence[Node], what: str, draws: Draws, needs: Sequence[int], frees: Sequence[int]
    ) -> RandomSource:
        """Return the numbers of some nodes that are drawn together, in bursts.

        A layer that is cut between rounds draws its numbers with its first part, which keeps them for the others.
        """
        placed, chip, storage = run.placed, self.chip, self.storage
        assert chip.arch.stochastic is not None
        bits = sum(bits_per_pass(n, chip.arch.stochastic.gaussian_bits) for n in nodes)
        gaussians = sum(gaussians_per_pass(n) for n in nodes)
        kept = sum(kept_bits(n) for n in nodes)
        if placed.share.first == 0:
            station = self._station(placed)
            cut = placed.share.last < placed.tiling.column_tiles
            actions: Actions = [
                ("stochastic", "draw", 1.0),
                ("popcount", "count", gaussians / bits),
                (storage, "write", kept / bits if cut else 0.0),
            ]
        else:
            station = self.shared(storage.replace("_", " "), storage)
            actions = [(storage, "read", 1.0)]
            bits, gaussians = kept, 0
        parts = sum(share for _, share, _ in draws)
        bursts = []
        for units, share, ahead in draws:
            some, first = bits * share // parts, placed.share.first == 0
            spent = _draw_ps(chip, placed, some, gaussians) if first else storage_ps(chip, storage, some)
            bursts.append((units, some, spent, ahead))
        per_pass = sum(units for units, _, _ in draws)
        return RandomSource(
            cursor=self.engine.cursor(f"{run.label} {what}"),
            station=station,
            op=self.engine.operation("draw", run.label, "bit", actions),
            drawn=Level(self.engine, per_pass, "random bits"),
            used=Level(self.engine, per_pass, "output space"),
            per_pass=per_pass,
            bursts=bursts,
            needs=needs,
            frees=frees,
        )

    def _station(self, placed: Placed) -> Station:
        """Return the station that draws for a layer; modules of a tile or of the chip are contended for."""
        assert self.chip.arch.stochastic is not None
        home = placed.tiles[0]
        match self.chip.arch.stochastic.scope:
            case "crossbar":
                return self.shared(f"{placed.name} random bits", f"tile {home}")
            case "tile":
                return self.shared(f"random bits {home}", f"tile {home}")
        return self.shared("random bits", "chip")


def _draw_ps(chip: Chip, placed: Placed, bits: int, gaussians: int) -> int:
    """Return how long the modules of a layer take for some bits, of which its counters make Gaussians.

    The bits of a Gaussian are counted while those of the next one are drawn, so the slower of the two decides; the last
    Gaussian is counted when its bits are there, the first one cannot be counted before.
    """
    draw = action_ps(chip, "stochastic.draw")
    drawn = ceil(bits / random_modules(placed, chip)) * draw
    if not gaussians:
        return drawn
    count = action_ps(chip, "popcount.count")
    return max(drawn + count, draw + ceil(gaussians / random_counters(placed, chip)) * count)


def _element_draws(needs: np.ndarray, frees: np.ndarray, room: int, ahead: int) -> Draws:
    """Return what each chunk draws: pixels, twice, and the pixels that must have been freed before.

    Masks are stored beside the pixels that they gate, so there is as much room for them as for pixels.
    """
    room = max(room, room_needed(needs.tolist(), frees.tolist()))
    pixels = int(needs[-1])
    draws = []
    seen = 0
    for need in needs.tolist():
        if need > seen:
            draws.append((need - seen, need - seen, max(need - room, -ahead * pixels)))
            seen = need
    return draws
