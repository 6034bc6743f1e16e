"""What a network asks of a chip beyond space: random numbers of each sort, statistics, digital units by name."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.errors import MappingError
from archsim.hardware.chip import Chip
from archsim.mapping.digital import check_digital
from archsim.mapping.placement import Share
from archsim.mapping.stages import Stage, StageGraph
from archsim.mapping.tiling import Tiling
from archsim.workload.trace import Node, Normalise


def check_units(graph: StageGraph, chip: Chip) -> None:
    """Refuse a network with an operation that no unit of the chip can do.

    Raises `MappingError`, naming the node and the section of the architecture that would help.
    """
    for node in graph.preprocessing:
        check_digital(node, chip)
    for stage in graph.stages:
        for node in stage.digital:
            check_digital(node, chip)
        for node in stage.stochastic:
            _check_random(node, chip)


def _check_random(node: Node, chip: Chip) -> None:
    kind = chip.arch.stochastic
    if kind is None:
        raise MappingError(
            f"layer '{node.name}' draws random bits, but chip '{chip.arch.name}' has no stochastic modules"
            " (section 'stochastic')"
        )
    if kind.gaussian is None and any(d.kind == "gaussian" for d in node.draws()):
        raise MappingError(
            f"'{node.name}' draws Gaussians, but chip '{chip.arch.name}' has nothing that makes them of bits"
            " (stochastic.gaussian: popcount)"
        )


def check_cut_layers(stages: Sequence[Stage], tilings: Sequence[Tiling], rounds: Sequence[Sequence[Share]]) -> None:
    """Refuse a layer that is cut between rounds of programming and needs the statistics of its whole map."""
    for share in (s for here in rounds for s in here):
        stage = stages[share.layer]
        cut = share.last - share.first < tilings[share.layer].column_tiles
        whole = [n for w in stage.sweeps for n in w.barriers if isinstance(n.op, Normalise) and n.op.over == "layer"]
        if cut and whole:
            raise MappingError(
                f"'{whole[0].name}' needs the mean of all of layer '{stage.name}', of which only a part fits the chip"
                " at a time; use more or larger crossbars, or normalise over channels"
            )
