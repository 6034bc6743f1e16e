"""What a barrier takes beyond its own tile: the sums of a map that lies on several tiles are brought together."""

from __future__ import annotations

from archsim.mapping.digital import statistics
from archsim.mapping.plan import Placed
from archsim.mapping.values import REAL_BITS
from archsim.sim.interconnect import Interconnect
from archsim.sim.timing import Actions
from archsim.workload.trace import Node, Normalise

SUM_BITS = 64  # the sum of the values and the sum of their squares, 32 bits each


def exchange(net: Interconnect, placed: Placed, sweep: int) -> tuple[int, Actions]:
    """Return the time, and the actions in a pass, of bringing sums to the home tile and statistics back.

    That is needed where several tiles at work share a statistic: one over the whole layer, or of a channel that
    replicas compute parts of. All tiles send at once, so the farthest counts; links are taken to be free, for all else
    that the layer sends has gone or waits for this.
    """
    home, *others = placed.at_work
    shared = sum(statistics(n) for n in placed.stage.sweeps[sweep].barriers if _is_shared(n, placed))
    if not shared or not others:
        return 0, []
    ways = [((net.route(t, [home]), shared * SUM_BITS), (net.route(home, [t]), shared * 2 * REAL_BITS)) for t in others]
    longest = max(sum(route.unloaded_ps(bits) for route, bits in way) for way in ways)
    legs = [leg for way in ways for leg in way]
    return longest, [
        ("wire", "transfer", sum(bits * route.pitches for route, bits in legs)),
        ("router", "hop", float(sum(bits * route.routers for route, bits in legs))),
    ]


def _is_shared(node: Node, placed: Placed) -> bool:
    assert isinstance(node.op, Normalise)
    return node.op.over == "layer" or placed.replicas > 1
