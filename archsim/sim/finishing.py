"""The digital work of a machine's layers: sweep by sweep, with the stations that each of them keeps busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from archsim.hardware.chip import Chip
from archsim.mapping.plan import Placed
from archsim.sim.barriers import exchange
from archsim.sim.chunks import sweep_chunks
from archsim.sim.digital import digital_actions
from archsim.sim.interconnect import Interconnect, Route
from archsim.sim.ledger import Operation
from archsim.sim.runtime import Chunk, SweepRun
from archsim.sim.station import Engine, Station
from archsim.sim.timing import Actions

SharedStation = Callable[[str, str], Station]
Times = list[tuple[int, ...]]  # by chunk, on each of some stations


class Finishing:
    """Builds the sweeps of the layers of a round. `prices`: an interconnect for ways that no transfer is booked on."""

    def __init__(
        self, engine: Engine, chip: Chip, prices: Interconnect, placed: Iterable[Placed], shared: SharedStation
    ) -> None:
        self.engine = engine
        self.chip = chip
        self.prices = prices
        self.shared = shared
        self._users = Counter(t for p in placed for t in p.at_work)

    def sweeps(
        self, placed: Placed, label: str, chunks: Sequence[Chunk], crossings: Sequence[Route], grain: str
    ) -> list[SweepRun]:
        """Return a layer's sweeps: over its results, with the links that bring partial sums, then over held maps.

        Tiles that a layer has to itself and that always work equally long are one station: nobody can tell them apart.
        """
        tiles = len(placed.at_work)
        first = [c.digital_ps[:tiles] for c in chunks]
        later = [self._later(placed, grain, number) for number in range(1, len(placed.stage.sweeps))]
        groups = self._alike(placed, [first, *(times for _, times, _ in later)])
        units = [self._units([placed.at_work[i] for i in members]) for members in groups]
        links = [link for route in crossings for link in route.links]
        busy = [(*row, *c.digital_ps[tiles:]) for row, c in zip(_one_each(groups, first), chunks, strict=True)]
        digital = self.engine.operation("digital", label, "position", digital_actions(placed))
        runs = [_run(digital, [*units, *links], [c.positions for c in chunks], busy)]
        for number, (positions, times, actions) in enumerate(later, start=1):
            op = self.engine.operation("normalise", label, "position", [*digital_actions(placed, number), *actions])
            runs.append(_run(op, units, positions, _one_each(groups, times)))
        return runs

    def _later(self, placed: Placed, grain: str, number: int) -> tuple[list[int], Times, Actions]:
        """Return positions and times by chunk of a sweep after the first, and what a position adds to its cost.

        Its first chunk waits until the tiles have brought their sums together.
        """
        positions, times = sweep_chunks(self.chip, placed, grain, number)
        wait_ps, actions = exchange(self.prices, placed, number)
        times[0] = tuple(t + wait_ps for t in times[0])
        return positions, times, [(c, a, n / sum(positions)) for c, a, n in actions]

    def _alike(self, placed: Placed, runs: Sequence[Times]) -> list[list[int]]:
        """Return which tiles of a layer are one station, by their place among its tiles."""
        groups: dict[object, list[int]] = {}
        for i, tile in enumerate(placed.at_work):
            column = tuple(row[i] for times in runs for row in times)
            alone = self._users[tile] == 1 and i > 0  # the first tile also prepares images
            groups.setdefault(column if alone else tile, []).append(i)
        return list(groups.values())

    def _units(self, tiles: list[int]) -> Station:
        if len(tiles) == 1:
            return self.shared(f"digital unit {tiles[0]}", f"tile {tiles[0]}")
        return Station(self.engine, f"digital units {tiles[0]}-{tiles[-1]}", f"tile {tiles[0]}")


def _one_each(groups: Sequence[Sequence[int]], times: Times) -> Times:
    """Return the times on one tile of each group."""
    return [tuple(row[members[0]] for members in groups) for row in times]


def _run(op: Operation, stations: Sequence[Station], positions: Sequence[int], ps: Times) -> SweepRun:
    return SweepRun(op, stations, positions, ps, sends=[[] for _ in positions])
