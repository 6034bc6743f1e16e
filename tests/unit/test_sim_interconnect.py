"""Routes by hand, and transfers that contend for a link, first come, first served."""

from __future__ import annotations

import pytest

from archsim.hardware.parts.interconnect import htree_pitches
from archsim.sim.edge import EdgeRun
from archsim.sim.interconnect import PORT, Interconnect
from archsim.sim.station import Engine
from tests.networks import make_chip


def network(columns, rows, kind, *more):
    chip = make_chip(
        f"organisation={{columns: {columns}, rows: {rows}, crossbars_per_core: 1}}",
        f"interconnect={{kind: {kind}, width: 32 bit, costs: {{transfer: {{latency: 1 ns}}}},"
        " router_costs: {hop: {latency: 3 ns}}}",
        *more,
    )
    engine = Engine()
    return engine, Interconnect(engine, chip)


def names(route):
    return [link.name for hop in route.hops for link in hop.links]


def test_mesh_goes_along_the_row_and_then_the_column():
    _, net = network(3, 3, "mesh")
    # tiles run to and fro: 0 1 2 / 5 4 3 / 6 7 8
    assert names(net.route(0, [3])) == ["mesh 0 1", "mesh 1 2", "mesh 2 3"]
    assert names(net.route(8, [0])) == ["mesh 8 7", "mesh 7 6", "mesh 6 5", "mesh 5 0"]
    route = net.route(0, [4])
    assert (route.pitches, route.routers) == (2.0, 3)
    # two links with their wires, three routers, two words of 2 ns
    assert route.unloaded_ps(64) == 2 * 1000 + 3 * 3000 + 2 * 2000


def test_mesh_port_is_beside_tile_0():
    _, net = network(2, 2, "mesh")
    route = net.route(PORT, [3])
    assert names(route) == ["mesh port 0", "mesh 0 3"]
    assert (route.pitches, route.routers) == (2.0, 2)
    assert names(net.route(3, [PORT])) == ["mesh 3 0", "mesh 0 port"]
    assert net.route(PORT, [3]).unloaded_ps(1) == net.route(3, [PORT]).unloaded_ps(1)


def test_mesh_multicast_visits_tiles_in_order():
    _, net = network(3, 2, "mesh")
    assert names(net.route(0, range(1, 5))) == ["mesh 0 1", "mesh 1 2", "mesh 2 3", "mesh 3 4"]


def test_nothing_travels_on_one_tile():
    for kind in ("mesh", "bus", "htree"):
        _, net = network(2, 2, kind)
        assert net.route(1, range(1, 2)).hops == ()
        assert net.route(1, [1]).unloaded_ps(1000) == 0


def test_bus_passes_every_tile():
    _, net = network(4, 2, "bus")
    assert net.route(0, [1]).pitches == 7
    assert names(net.route(0, [1])) == names(net.route(5, [PORT])) == ["bus"]


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (16, 1), (1, 5), (4, 4), (3, 5), (8, 2)])
def test_htree_reaches_every_tile_over_all_of_its_wire(columns, rows):
    _, net = network(columns, rows, "htree")
    tiles = range(columns * rows)
    everywhere = net.route(PORT, tiles)
    assert everywhere.pitches == pytest.approx(htree_pitches(columns, rows))
    for tile in tiles:
        there, back = net.route(PORT, [tile]), net.route(tile, [PORT])
        assert there.pitches == pytest.approx(back.pitches)
        assert len(there.hops) == len(back.hops)


def test_htree_turns_at_the_smallest_subtree():
    _, net = network(4, 4, "htree")
    # 4 x 4 halves into 2 x 4, 2 x 2, 1 x 2, 1 x 1; tiles 0 and 7 stand above each other
    assert len(net.route(0, [7]).hops) == 2
    assert net.route(0, [7]).pitches == 1.0
    assert len(net.route(0, [3]).hops) == 8
    assert net.route(0, [3]).pitches == 2 * (1 + 1 + 0.5 + 0.5)


def edge(engine, net, name, source, target):
    route = net.route(source, [target])
    op = engine.operation("transfer", name, "bit", [("wire", "transfer", route.pitches)])
    return EdgeRun(engine, name, 100, 32, 100, route, op)


def arrivals(engine, edges, sends):
    """Send (time, edge, pixels) and return when each pixel count arrived."""
    log = []

    def sender(at, run, pixels):
        yield engine.env.timeout(at)
        before = run.arrived.value
        run.send(pixels)
        log.append((run, before + pixels))

    for at, i, pixels in sends:
        engine.env.process(sender(at, edges[i], pixels))
    times = {}
    while engine.env.peek() < float("inf"):
        engine.env.step()
        for i, run in enumerate(edges):
            times.setdefault((i, run.arrived.value), engine.now)
    return times


def test_who_comes_first_at_a_link_goes_first():
    engine, net = network(4, 1, "mesh")
    far, near = edge(engine, net, "far", 0, 3), edge(engine, net, "near", 2, 3)
    # the far one (2 words) leaves at 0 and would be at link 2-3 at 8 ns; the near one (10 words) asks for it at 1 ns
    times = arrivals(engine, [far, near], [(0, 0, 2), (1000, 1, 10)])
    assert times[1, 10] == 1000 + 10 * 2000 + 4000 + 3000
    assert times[0, 2] == (1000 + 20_000) + 2 * 2000 + 4000 + 3000
    link = next(s for s in engine.stations if s.name == "mesh 2 3")
    assert link.row == [2, 24_000, 21_000 - 8000]


def test_transfers_of_an_edge_keep_their_order_and_pipeline():
    engine, net = network(4, 1, "mesh")
    run = edge(engine, net, "e", 0, 3)
    times = arrivals(engine, [run], [(0, 0, 5), (0, 0, 1)])
    assert times[0, 5] == 5 * 2000 + 3 * 4000 + 3000
    assert times[0, 6] == times[0, 5] + 2000
    assert (run.peak, run.held) == (6, 6)
    run.release(4)
    assert (run.fits(98), run.fits(99)) == (True, False)
