"""What stopping early saves, against simulations of fixed numbers of passes."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import ConfigError
from archsim.mapping.plan import map_trace
from archsim.metrics.adaptive import StoppingRule, passes_taken
from archsim.metrics.energy import energy_rows, total
from archsim.metrics.ood import auroc
from archsim.metrics.quality import predict
from archsim.sim.run import simulate
from archsim.uncertainty.adaptive import check_rules, judge_rules
from archsim.uncertainty.costs import Simulator, passes_in_flight
from tests.networks import lenet5, make_chip

PASSES, IMAGES, CLASSES = 10, 8, 10
MARGIN = (StoppingRule("margin", 0.8),)


def logits(*stop_after: int) -> np.ndarray:
    """Images that a margin of 0.8 stops after so many passes: torn between two classes until then."""
    out = np.zeros((PASSES, len(stop_after), CLASSES), np.float32)
    for image, t in enumerate(stop_after):
        out[:, image, 0] = 100
        if t > 2:  # with x torn passes of t, the mean lead is 1 - x / t
            torn = np.ceil(0.2 * (t - 1)).astype(int)
            out[:torn, image, 1] = 100
    return out


@pytest.fixture(scope="module")
def mapping():
    return map_trace(lenet5(), make_chip())


def fixed(mapping, passes, schedule=None):
    log = simulate(mapping, images=IMAGES, passes=passes, activity={}, schedule=schedule)
    return log, total(energy_rows(log, mapping.chip), 1 / IMAGES)


def decision(mapping):
    """21 comparisons of ten classes."""
    return mapping.chip.components["pool"].actions["compare"]


@pytest.mark.parametrize("schedule", ["pipelined_passes", "layer_by_layer"])
def test_images_that_stop_together_cost_what_so_many_passes_cost(mapping, schedule):
    (a,) = judge_rules(
        logits(*[2] * IMAGES), np.zeros(IMAGES, int), {}, Simulator(mapping, IMAGES, {}, schedule), MARGIN
    )
    assert a.quality.histogram() == {2: 1.0}
    log, _ = fixed(mapping, 2, schedule)
    compare = decision(mapping)
    assert a.effort.latency_s == pytest.approx((log.latency_ps + 21 * compare.latency_ps) * 1e-12, rel=1e-12, abs=0)
    _, spent = fixed(mapping, min(PASSES, 2 + a.in_flight), schedule)
    assert a.effort.energy_j.value == pytest.approx(spent.value + 2 * 21 * compare.energy.value, rel=1e-9, abs=0)
    assert a.effort.energy_j.high == pytest.approx(spent.high + 2 * 21 * compare.energy.high, rel=1e-9, abs=0)
    whole, energy = fixed(mapping, PASSES, schedule)
    assert a.full.latency_s == pytest.approx(whole.latency_ps * 1e-12, rel=1e-12, abs=0)
    assert a.energy_share == pytest.approx(a.effort.energy_j.value / energy.value)
    assert a.latency_share < 0.5


def test_a_histogram_of_passes_costs_the_mean_of_its_parts(mapping):
    simulator = Simulator(mapping, IMAGES, {})
    stops = (2, 2, 2, 2, 6, 6, 6, 6)
    (mixed,) = judge_rules(logits(*stops), np.zeros(8, int), {}, simulator, MARGIN)
    assert mixed.quality.histogram() == {2: 0.5, 6: 0.5}
    alone = [judge_rules(logits(*[t] * 8), np.zeros(8, int), {}, simulator, MARGIN)[0] for t in (2, 6)]
    assert mixed.effort.latency_s == pytest.approx(np.mean([a.effort.latency_s for a in alone]), rel=1e-12, abs=0)
    expected = np.mean([a.effort.energy_j.value for a in alone])
    assert mixed.effort.energy_j.value == pytest.approx(expected, rel=1e-12, abs=0)
    assert mixed.effort.passes == mixed.fixed.passes == 4


def test_passes_in_flight_are_those_that_start_while_one_is_under_way(mapping):
    log, _ = fixed(mapping, PASSES)
    waste = passes_in_flight(log)
    assert waste >= 1
    # pass t begins t intervals after the first and ends `first_pass_ps` later
    begins = np.arange(1, 100) * log.pass_interval_ps
    assert waste == (begins < log.first_pass_ps).sum()
    assert passes_in_flight(fixed(mapping, PASSES, "layer_by_layer")[0]) == 0


def test_no_more_is_wasted_than_there_is(mapping):
    (a,) = judge_rules(logits(*[9] * IMAGES), np.zeros(IMAGES, int), {}, Simulator(mapping, IMAGES, {}), MARGIN)
    assert a.quality.histogram() == {10: 1.0}  # two torn passes of ten: the lead is no more than the bound
    assert a.in_flight >= 1
    compare = decision(mapping)
    assert a.effort.energy_j.value == pytest.approx(
        a.full.energy_j.value + 10 * 21 * compare.energy.value, rel=1e-9, abs=0
    )


def test_unknown_images_are_told_by_the_entropy_that_is_left(mapping):
    r = np.random.default_rng(0)
    known, other = (scale * r.normal(size=(PASSES, 60, CLASSES)).astype(np.float32) for scale in (6, 3))
    (a,) = judge_rules(known, known.mean(axis=0).argmax(axis=1), {"other": other}, Simulator(mapping, 60, {}), MARGIN)

    def area(known_passes, other_passes):
        scores = [
            np.array([predict(logits[:t, [i]]).entropy[0] for i, t in enumerate(passes)])
            for logits, passes in ((known, known_passes), (other, other_passes))
        ]
        return auroc(*scores).value

    taken = [passes_taken(logits, MARGIN[0]) for logits in (known, other)]
    assert taken[0].mean() < taken[1].mean()  # the unknown are torn, and take more passes
    assert a.effort.auroc["other"].value == pytest.approx(area(*taken), abs=1e-9)
    assert a.full.auroc["other"].value == pytest.approx(area([PASSES] * 60, [PASSES] * 60), abs=1e-9)
    few = a.fixed.passes
    assert a.fixed.auroc["other"].value == pytest.approx(area([few] * 60, [few] * 60), abs=1e-9)


def test_each_number_of_passes_is_simulated_once(mapping, monkeypatch):
    seen = []

    def spy(*arguments, passes, **more):
        seen.append(passes)
        return simulate(*arguments, passes=passes, **more)

    monkeypatch.setattr("archsim.uncertainty.costs.simulate", spy)
    judge_rules(logits(2, 2, 6, 6), np.zeros(4, int), {}, Simulator(mapping, 4, {}))
    assert len(seen) == len(set(seen))


def test_a_network_computed_in_rounds_cannot_stop():
    small = make_chip("organisation={columns: 1, rows: 1, crossbars_per_core: 4}", "mapping.overflow=reprogram")
    placed = map_trace(lenet5(), small)
    assert placed.reprogrammed
    with pytest.raises(ConfigError, match="does not fit the chip at once"):
        check_rules(placed, PASSES)


def test_too_few_passes_are_refused(mapping):
    with pytest.raises(ConfigError, match="3 passes leave nothing to stop after the least of 3"):
        check_rules(mapping, 3, [StoppingRule("margin", 0.5, least=3)])
