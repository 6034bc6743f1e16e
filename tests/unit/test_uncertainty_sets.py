"""Which sets are chosen, and what is refused before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError
from archsim.uncertainty import EvaluationSet, choose_sets
from archsim.workload.data import load_dataset
from archsim.workload.shifts import shifted


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", count=6)


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))


def of(role, sets):
    return [s.label for s in sets if s.role == role]


def test_by_default_noise_rotation_and_every_corruption_at_five_severities(digits, no_data):
    sets, notes = choose_sets(digits)
    assert of("ood", sets) == ["uniform_noise", "gaussian_noise"]
    assert of("rotation", sets) == [f"rotation {angle}" for angle in range(15, 181, 15)]
    corruptions = of("corruption", sets)
    assert {"noise 1", "noise 5", "blur 3", "occlusion 2"} <= set(corruptions)
    assert len(corruptions) == 5 * len({c.split()[0] for c in corruptions})
    assert len(notes) == 2  # MNIST and CIFAR-10 are not here, and the user is told so
    assert all("left out" in note for note in notes)


def test_what_is_named_is_what_is_taken(digits):
    sets, notes = choose_sets(digits, ["rotation:90", "uniform_noise", "blur:5"], ["noise"], 60)
    assert of("ood", sets) == ["rotation 90", "uniform_noise", "blur 5"]
    assert of("rotation", sets) == ["rotation 60", "rotation 120", "rotation 180"]
    assert of("corruption", sets) == [f"noise {k}" for k in range(1, 6)]
    assert notes == ()


def test_none_leaves_a_kind_out(digits):
    assert choose_sets(digits, ["none"], ["none"], 0) == ((), ())


def test_a_set_named_twice_is_taken_once(digits):
    sets, _ = choose_sets(digits, ["uniform_noise", "uniform_noise"], ["none"], 0)
    assert len(sets) == 1


def test_features_have_no_rotation_and_no_pictures():
    sets, _ = choose_sets(load_dataset("gap", count=4))
    assert of("rotation", sets) == []
    assert "uniform_noise" in of("ood", sets)
    assert not any(c.startswith("blur") for c in of("corruption", sets))


def test_images_are_those_of_the_shift_and_do_not_depend_on_how_many_there_are(digits):
    chosen = EvaluationSet("corruption", "noise", 3)
    many, few = chosen.images(digits, 7).images, chosen.images(load_dataset("digits", count=2), 7).images
    assert np.array_equal(many[:2], few)
    assert np.array_equal(many, shifted("noise", digits, np.random.default_rng([7, 2]), 3).images)
    assert not np.array_equal(many, chosen.images(digits, 8).images)


def test_the_same_noise_grows_with_severity(digits):
    noise = [EvaluationSet("corruption", "noise", k).images(digits, 0).images - digits.images for k in (1, 2)]
    inside = (np.abs(noise[1]) > 0) & (digits.images > 0.4) & (digits.images < 0.6)
    assert inside.sum() > 5
    assert np.corrcoef(noise[0][inside], noise[1][inside])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ood": ["unifrom_noise"]}, DataError, "did you mean 'uniform_noise'"),
        ({"ood": ["blur"]}, DataError, "needs a severity"),
        ({"ood": ["blur:9"]}, DataError, "1 to 5"),
        ({"ood": ["blur:much"]}, DataError, "what follows the colon is a severity"),
        ({"ood": ["digits"]}, DataError, "what the network was made for"),
        ({"ood": ["ecg5000"]}, DataError, "cannot be brought to the shape"),
        ({"ood": ["uniform_noise:2"]}, DataError, "takes no severity"),
        ({"corruptions": ["blurr"]}, DataError, "did you mean 'blur'"),
        ({"corruptions": ["rotation"]}, DataError, "no corruption of five severities"),
        ({"corruptions": ["time_warp"]}, DataError, "fits a signal"),
        ({"rotation_step": -5.0}, ConfigError, "0 .none. to 180 degrees, got -5"),
        ({"rotation_step": float("nan")}, ConfigError, "got nan"),
    ],
)
def test_a_wrong_set_is_one_clear_error(digits, no_data, arguments, error, message):
    with pytest.raises(error, match=message):
        choose_sets(digits, **arguments)


def test_a_missing_data_set_that_was_asked_for_is_an_error(digits, no_data):
    with pytest.raises(DataError, match="ARCHSIM_DATA"):
        choose_sets(digits, ["mnist"])


def test_a_rotation_of_features_is_refused():
    with pytest.raises(DataError, match="rotation"):
        choose_sets(load_dataset("gap", count=4), rotation_step=30)
