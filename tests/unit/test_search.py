"""Searches over functions whose best points are known."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest

from archsim.config import validate
from archsim.errors import ConfigError
from archsim.study import Outcome, StudyConfig
from archsim.study.candidates import Candidates
from archsim.study.points import space_of
from archsim.study.search import first_points, run_search
from archsim.study.volume import hypervolume, nondominated

HEAD = {"schema": "archsim/study@1", "name": "s", "arch": "a.yaml", "workload": "w.yaml"}
E, T = "energy_j_per_image", "latency_s_per_image"
TWO = {"objectives": {E: "min", T: "min"}}


def study(**more):
    return validate(StudyConfig, HEAD | {"search": {"trials": 40, "batch": 8}} | TWO | more, "study.yaml")


class Chips:
    """Evaluates points by a function of their values, and remembers what it was asked."""

    def __init__(self, function):
        self.function, self.asked, self.known, self.batches = function, [], {}, []

    def __call__(self, points):
        self.batches.append(len(points))
        for point in points:
            if point.number not in self.known:
                self.asked.append(point)
                made = self.function(point.values)
                error = made.pop("error", "")
                self.known[point.number] = Outcome(point.number, str(point.number), made, error=error)
        return {point.number: self.known[point.number] for point in points}

    @property
    def values(self):
        return [tuple(point.values.values()) for point in self.asked]


def trade(v):
    """The larger x, the faster and the hungrier; y only does harm."""
    return {E: 1e-6 * (v["x"] + v["y"]), T: 1e-3 * (10 - v["x"] + v["y"])}


AXES = {"x": "0..9", "y": [0.0, 0.5, 1.0], "z": ["p", "q"]}


# --- candidates ---


def test_axes_become_distributions():
    axes = {
        "n": [8, 4, 2], "q": ["1 ns", "1 us", "2 us"], "mixed": ["1 ns", "1 pJ"], "word": ["a", "b"],
        "up_down": [1, 3, 2], "flag": [False, True], "m": {"one": {"k": 1}, "two": {"k": 2}},
        "span": {"from": "1 ns", "to": "1 us"},
    }  # fmt: skip
    config = study(axes=axes, zipped=[{"a": [1, 2], "b": ["x", "y"]}, {"c": [1, 2], "d": [4, 3]}])
    found = Candidates(space_of(config, "s"), [], "s")
    kinds = {name: type(d).__name__.removesuffix("Distribution") for name, d in found.distributions().items()}
    assert kinds == {
        "n": "Int", "q": "Int", "mixed": "Categorical", "word": "Categorical", "up_down": "Categorical",
        "flag": "Categorical", "m": "Categorical", "span": "Float", "a + b": "Categorical", "c + d": "Int",
    }  # fmt: skip
    assert found.size is None
    assert Candidates(space_of(study(axes=AXES), "s"), [], "s").size == 60


def test_a_candidate_is_a_point_for_each_value_that_is_averaged_over():
    config = study(axes={"chip": [0, 1, 2], "x": [5, 6]}, keep=["chip < 2 or x == 6"], average=["chip"])
    found = Candidates(space_of(config, "s"), config.average, "s")
    assert found.size == 2
    assert found.repeats == 3
    assert [(p.number, dict(p.values)) for p in found.points({"x": 0}, 7)] == [
        (7, {"chip": 0, "x": 5}), (8, {"chip": 1, "x": 5}),
    ]  # fmt: skip
    assert len(found.points({"x": 1}, 0)) == 3


def test_what_cannot_be_searched():
    with pytest.raises(ConfigError, match=r"axes\.chip: to be averaged over it needs values"):
        run_search(study(axes={"chip": {"from": 0, "to": 3}, "x": "0..9"}, average=["chip"]), "s", Chips(trade))
    with pytest.raises(ConfigError, match="needs axes"):
        run_search(study(axes={"chip": [1, 2]}, average=["chip"]), "s", Chips(trade))
    with pytest.raises(ConfigError, match="give --trials"):
        run_search(study(search=None, axes=AXES), "s", Chips(trade))


# --- the conversation ---


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_a_search_of_all_candidates_finds_each_once_and_the_whole_front(sampler):
    chips = Chips(trade)
    found = run_search(study(axes=AXES, search={"trials": 500, "batch": 8, "sampler": sampler}), "s", chips)
    assert found.tried == found.points == len(set(chips.values)) == 60
    assert found.used_up
    assert found.left_out == found.failed == 0
    assert found.front == 10  # y = 0; that z makes no difference is no second point of the front
    assert [p.number for p in chips.asked] == list(range(60))


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_what_is_tried_depends_on_the_seed_and_the_batch_alone(sampler):
    def tried(**search):
        chips = Chips(trade)
        run_search(study(axes=AXES, search={"sampler": sampler, "batch": 8, "trials": 40} | search), "s", chips)
        return chips.values

    whole = tried()
    assert tried() == whole
    assert tried(trials=21) == whole[:21]
    assert tried(seed=1) != whole
    if sampler != "random":
        assert tried(batch=5)[:8] != whole[8:16]


def test_batches_are_asked_as_a_whole():
    chips = Chips(trade)
    run_search(study(axes=AXES, search={"trials": 20, "batch": 8}), "s", chips)
    assert chips.batches == [1, 8, 8, 4]  # the first point alone, to see what figures there are


def test_an_interrupted_search_goes_on_as_if_nothing_had_been():
    undisturbed = Chips(trade)
    config = study(axes=AXES)
    whole = run_search(config, "s", undisturbed)
    broken = Chips(trade)

    def until(points):
        outcomes = broken(points)
        if len(broken.asked) > 20:
            raise KeyboardInterrupt
        return outcomes

    with pytest.raises(KeyboardInterrupt):
        run_search(config, "s", until)
    assert 20 < len(broken.asked) < 40
    assert asdict(run_search(config, "s", broken)) == asdict(whole)
    assert broken.values == undisturbed.values  # each once, in the same order


def test_what_conditions_leave_out_costs_nothing():
    chips = Chips(trade)
    config = study(axes=AXES, keep=["x + y < 3"], skip=[{"z": "q"}], search={"trials": 500, "batch": 8})
    found = run_search(config, "s", chips)
    assert found.tried == len(chips.asked) == 8
    assert found.left_out == 52
    assert all(x + y < 3 and z == "p" for x, y, z in chips.values)


def test_a_search_with_next_to_nothing_to_find_ends():
    config = study(
        axes={"x": {"from": 0.0, "to": 1.0}, "y": [0]}, keep=["x < 0"], search={"trials": 5, "batch": 2}
    )  # fmt: skip
    found = run_search(config, "s", Chips(trade))
    assert (found.tried, found.front, found.used_up) == (0, 0, True)
    assert found.left_out > 100


def test_failing_points_and_missing_numbers_are_failures():
    def some(v):
        if v["x"] == 3:
            return {"error": "no such chip"}
        return trade(v) if v["x"] != 4 else {E: math.nan, T: 1.0}

    found = run_search(study(axes=AXES, search={"trials": 60, "batch": 8}), "s", Chips(some))
    assert (found.tried, found.failed, found.front) == (60, 12, 8)


def test_where_all_fail_a_search_ends_too():
    found = run_search(study(axes=AXES), "s", Chips(lambda _: {"error": "no such chip"}))
    assert (found.tried, found.failed, found.front, found.hypervolume) == (40, 40, 0, 0.0)


def test_limits_leave_only_feasible_points_on_the_front():
    limits = {"accuracy": {"at_least": 0.9}, E: {"at_most": 5e-6}}
    config = study(axes=AXES, limits=limits, search={"trials": 60, "batch": 8})
    chips = Chips(lambda v: {**trade(v), "accuracy": v["x"] / 3})
    # energy keeps x + y to 5, accuracy x to 3 and more
    assert run_search(config, "s", chips).front == 3


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_limits_and_objectives_steer(sampler):
    axes = {"x": {"from": 0.0, "to": 10.0}, "y": {"from": 0.0, "to": 10.0}}
    config = study(
        axes=axes, limits={T: {"at_most": 8e-3}},
        search={"trials": 200, "batch": 20, "sampler": sampler},
    )  # fmt: skip
    chips = Chips(trade)
    run_search(config, "s", chips)
    met = [10 - x + y <= 8 and y < 5 for x, y in chips.values]
    assert sum(met[-60:]) > 1.5 * sum(met[:60])


def test_objectives_to_be_maximised_and_volumes():
    steps = []
    config = study(axes={"x": "0..9", "y": [0.0]}, objectives={E: "min", "throughput_images_per_s": "max"})
    chips = Chips(lambda v: {E: v["x"] ** 2 / 81, "throughput_images_per_s": v["x"] / 9})
    found = run_search(config, "s", chips, steps.append)
    assert found.front == 10
    points = np.array([[x**2 / 81, -x / 9] for x in range(10)])
    assert found.hypervolume == pytest.approx(hypervolume(points, np.array([1.0, 0.0])))
    assert [s.tried for s in steps] == [8, 10]


def test_averages_are_what_is_compared():
    # the one with the best single chip is the worst on average
    def chip(v):
        return {E: {0: 5.0, 1: 0.0}[v["x"]] + (15 * v["chip"] if v["x"] else 0), T: 1.0}

    steps = []
    config = study(axes={"chip": [0, 1], "x": [0, 1]}, average=["chip"], objectives={E: "min"})
    chips = Chips(chip)
    found = run_search(config, "s", chips, steps.append)
    assert (found.tried, found.points, found.front) == (2, 4, 1)
    assert [p.values["chip"] for p in chips.asked] == [0, 1, 0, 1]
    assert [p.number for p in chips.asked] == [0, 1, 2, 3]


def test_names_that_no_point_has_are_refused_first():
    chips = Chips(trade)
    with pytest.raises(ConfigError, match=r"objectives: 'energy_per_image' .* did you mean 'energy_j_per_image'"):
        run_search(study(axes=AXES, objectives={"energy_per_image": "min"}), "s", chips)
    with pytest.raises(ConfigError, match="limits: 'nll' is no figure of a point; `quality: false` leaves it out"):
        run_search(study(axes=AXES, quality=False, limits={"nll": {"at_most": 1}}), "s", chips)
    assert not chips.asked
    with pytest.raises(ConfigError, match=r"'auroc\.noise' is no figure of this study"):
        run_search(study(axes=AXES, objectives={"auroc.noise": "max"}), "s", chips)
    assert len(chips.asked) == 1


def test_the_first_points_are_those_that_a_search_starts_with():
    chips, config = Chips(trade), study(axes=AXES)
    run_search(config, "s", chips)
    assert first_points(config, "s") == chips.asked[:8]


def test_a_search_says_nothing(capfd):
    run_search(study(axes=AXES, limits={E: {"at_most": 1.0}}), "s", Chips(trade))
    assert capfd.readouterr() == ("", "")


# --- does it pay? ---


def rugged(v):
    """Fifteen axes of which most must be right at once: ZDT1 (Zitzler, Deb & Thiele 2000) on a lattice."""
    first, *others = (x / 15 for x in v.values())
    g = 1 + 9 * sum(others) / len(others)
    return {E: first, T: g * (1 - math.sqrt(first / g))}


def volume(sampler, seed, trials):
    axes = {f"x{i}": "0..15" for i in range(15)}
    chips = Chips(rugged)
    config = study(axes=axes, search={"trials": trials, "batch": 20, "sampler": sampler, "seed": seed})
    run_search(config, "s", chips)
    found = np.array([[o.figures[E], o.figures[T]] for o in chips.known.values()])
    return hypervolume(found[nondominated(found)], np.array([1.0, 10.0]))


def test_nsga2_beats_drawing_at_random():
    assert volume("nsga2", 0, 400) > volume("random", 0, 400) + 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "trials"), [("nsga2", 400), ("tpe", 120)])
def test_searching_beats_drawing_at_random(sampler, trials):
    gained = [volume(sampler, seed, trials) - volume("random", seed, trials) for seed in range(3)]
    assert min(gained) > 0
