"""The functional pass draws as many random bits, and drives as many rows, as the simulator pays for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from archsim.mapping.plan import map_trace
from archsim.pipeline.sampled import activities, sample_chip
from archsim.sim.run import simulate
from tests.networks import METHODS, make_chip, method_lenet5

IMAGES, PASSES = 3, 4


@pytest.mark.parametrize("method", METHODS)
def test_function_and_time_draw_the_same_bits(method):
    mapping = map_trace(method_lenet5(method), make_chip(base="neuspin_sot.yaml"))
    images = np.random.default_rng(0).integers(0, 2, (IMAGES, 1, 28, 28)).astype(np.float32)
    run = sample_chip(mapping, PASSES).answers(images)
    activity = activities(mapping, run.activity)
    log = simulate(mapping, images=IMAGES, passes=PASSES, activity=activity)
    paid, driven = Counter(), Counter()
    for op in log.operations:
        if op.name == "draw":
            paid[op.layer] += op.units
        for part, action, each in op.actions:
            if (part, action) == ("row_driver", "drive"):
                driven[op.layer] += round(op.units * each)
    for placed in mapping.placed():
        drawn = sum(run.bits_drawn[node.name] for node in placed.stage.stochastic)
        assert drawn == paid[placed.name], placed.name
        counted = run.activity[placed.name]
        repeated = IMAGES * PASSES // counted.evaluations  # what does not vary is computed once an image
        assert counted.rows_driven * repeated * placed.column_tiles == driven[placed.name], placed.name
