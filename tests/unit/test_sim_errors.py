"""What the simulator refuses, and what it says when it stands still."""

from __future__ import annotations

import pytest

from archsim.errors import ConfigError, MappingError, SimulationError
from archsim.mapping.activity import expected_activity
from archsim.mapping.plan import map_trace
from archsim.sim.machine import Machine
from archsim.sim.rounds import rounds_of
from archsim.sim.run import simulate
from tests.networks import Net, hand_chip


def mapping(*overrides):
    net = Net((2, 6, 6)).conv("a", 4, 3).sign("s").conv("b", 2, 3).sign("t").flatten().linear("f", 3)
    return map_trace(net.trace(), hand_chip(*overrides))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "sideways"}, "schedule: 'sideways' is not one of layer_by_layer"),
        ({"grain": "pixel"}, "grain: 'pixel' is not one of position, row, map"),
        ({"passes": 0}, "images and passes must be at least 1, got 1 and 0"),
        ({"images": -1}, "images and passes must be at least 1, got -1 and 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        simulate(mapping(), **({"images": 1, "passes": 1} | options))


def test_a_deadlock_names_who_waits_for_what():
    plan = mapping()
    activity = {p.name: expected_activity(p.stage, p.tiling.rows) for p in plan.placed()}
    machine = Machine(rounds_of(plan, 1)[0], activity, 1, 1, schedule="pipelined_passes", grain="row")
    between = next(e for e in machine.wiring.edges if e.name == "a -> b")
    between.capacity = 8  # less than the three rows of four pixels that b looks at
    with pytest.raises(SimulationError) as caught:
        machine.run()
    text = str(caught.value)
    assert "b arrays (pass 0, chunk 0) waits for input (8 of 12)" in text
    assert "a digital (pass 0, chunk 2) waits for output space" in text


def test_maps_larger_than_the_global_buffer_are_refused_layer_by_layer():
    net = Net((1, 200, 200)).conv("a", 30, 1).sign("s").conv("b", 1, 1)
    plan = map_trace(net.trace(), hand_chip())
    with pytest.raises(MappingError, match=r"layer by layer, 1200000 bits of maps \(a -> b\).*holds 524288"):
        simulate(plan, images=1, passes=1, schedule="layer_by_layer", grain="map")


def test_an_image_larger_than_the_global_buffer_is_refused():
    plan = map_trace(Net((1, 1000, 1000)).conv("a", 1, 1).trace(), hand_chip())
    with pytest.raises(MappingError, match="an image of 1000000 bits does not fit the global buffer of 524288"):
        simulate(plan, images=1, passes=1)


def test_skips_larger_than_the_global_buffer_are_refused():
    net = Net((8, 60, 60)).conv("a", 8, 3, 1, 1).affine("x").sign("s").conv("b", 8, 3, 1, 1).add("sum", "x")
    plan = map_trace(net.trace(), hand_chip())
    with pytest.raises(MappingError, match=r"for residuals and layers with several readers.*a \(x\) -> b"):
        simulate(plan, images=1, passes=1)
