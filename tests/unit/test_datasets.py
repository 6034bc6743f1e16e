"""Signals, features and regression targets; what a data set says of its inputs. (Images: test_workload.)"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import DataError
from archsim.workload.data import DATASETS, ImageSet, InputStatistics, data_folder, load_dataset
from archsim.workload.data.signals import BEAT_RANGE
from archsim.workload.data.tables import DIABETES_TRAIN, GAP_NOISE, GAP_TARGET
from archsim.workload.spec import DatasetChoice, load_workload

BUNDLED = ("digits", "diabetes", "gap")


def loaded(name: str, split: str = "test", **options) -> ImageSet:
    try:
        return load_dataset(name, split, **options)
    except DataError as error:
        if "needs the file" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_set_is_what_it_says(name):
    data = loaded(name, count=50, centred=True)
    source = DATASETS[name]
    assert data.images.shape == (50, *source.shape) == (50, *data.shape)
    assert data.images.dtype == np.float32
    assert (data.inputs.low, data.inputs.high) == (-1, 1)
    assert np.abs(data.images).max() <= 1
    assert data.task == source.task == ("classification" if data.classes else "regression")
    assert data.labels.dtype == (np.int64 if data.classes else np.float32)
    assert data.labelled
    np.testing.assert_allclose((data.images + 1) / 2, loaded(name, count=50).images, atol=1e-6)
    np.testing.assert_array_equal(data.images, loaded(name, count=60, centred=True).images[:50])


@pytest.mark.parametrize("name", ["digits", "mnist", "ecg5000", "diabetes"])
def test_stated_statistics_are_those_of_the_training_inputs(name):
    data = loaded(name, "train")
    assert data.images.mean(dtype=float) == pytest.approx(data.inputs.mean[0], abs=2e-3)
    assert data.images.std(dtype=float) == pytest.approx(data.inputs.sigma[0], rel=2e-3)


@pytest.mark.slow
def test_stated_statistics_of_cifar10():
    data = loaded("cifar10", "train")
    np.testing.assert_allclose(data.images.mean((0, 2, 3), dtype=float), data.inputs.mean, atol=1e-4)
    np.testing.assert_allclose(data.images.std((0, 2, 3), dtype=float), data.inputs.sigma, atol=1e-4)


def test_statistics_follow_the_range():
    centred = InputStatistics(0, 1, (0.25, 0.5), (0.1, 0.2)).rescaled(-1, 1)
    assert (centred.low, centred.high, centred.span) == (-1, 1, 2)
    assert centred.mean == pytest.approx((-0.5, 0))
    assert centred.sigma == pytest.approx((0.2, 0.4))


def test_labels_that_are_none_are_known():
    pictures = np.zeros((2, 1), np.float32)
    assert not ImageSet("x", pictures, np.array([0, -1]), 3).labelled
    assert not ImageSet("x", pictures, np.array([0, np.nan], np.float32), 0).labelled
    assert ImageSet("x", pictures, np.array([0, -1], np.float32), 0).labelled


def ecg_line(label: int, samples: int = 140, value: float = 0.5) -> str:
    return f"{label}  " + "  ".join([str(value)] * samples)


def write_ecg(folder: Path, text: str) -> None:
    (folder / "ECG5000").mkdir()
    (folder / "ECG5000" / "ECG5000_TEST.txt").write_text(text)


def test_beats_are_scaled_clipped_and_shuffled(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    values = [0.0, 2.0, 9.0, -4.0, -5.5]
    write_ecg(tmp_path, "\n".join(ecg_line(i + 1, value=v) for i, v in enumerate(values)))
    data = load_dataset("ecg5000", centred=True)
    order = np.argsort(data.labels)
    assert data.labels[order].tolist() == [0, 1, 2, 3, 4]
    assert data.labels.tolist() != [0, 1, 2, 3, 4]
    np.testing.assert_allclose(data.images[order, 0, 70], [0, 0.5, 1, -1, -1])
    assert data.rate_hz == (140, 250)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ecg_line(1, 139), "140 numbers on a line, expected a class and 140 samples"),
        (ecg_line(6), "classes must be 1 to 5"),
        (ecg_line(1) + "\n" + ecg_line(2, 100), "damaged"),
        (ecg_line(1, value="x"), "damaged"),
    ],
)
def test_damaged_beats_are_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    write_ecg(tmp_path, text)
    with pytest.raises(DataError, match=message):
        load_dataset("ecg5000")


def test_missing_beats_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"ECG5000_TEST\.txt.*set ARCHSIM_DATA.*'diabetes' and 'gap' need no files"):
        load_dataset("ecg5000")


def test_real_beats_when_present():
    train = loaded("ecg5000", "train")
    assert np.bincount(train.labels).tolist() == [292, 177, 10, 19, 2]
    assert (np.bincount(train.labels[:100], minlength=5) > 0).sum() >= 3, "a hundred beats are of several classes"
    raw = (train.images - 0.5) * 2 * BEAT_RANGE
    clipped = np.abs(raw) >= BEAT_RANGE
    assert clipped.mean() == pytest.approx(0.0084, abs=2e-4)
    whole = ~clipped.any(axis=(1, 2))
    np.testing.assert_allclose(raw[whole].mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(raw[whole].std(axis=(1, 2), ddof=1), 1, atol=1e-3)


def test_beats_keep_most_of_their_signal_on_a_four_bit_grid():
    """The claim behind the range: no other range loses less to rounding and clipping in 4-bit two's complement."""
    path = data_folder() / "ECG5000" / "ECG5000_TRAIN.txt"
    if not path.is_file():
        pytest.skip("no ECG5000 data")
    beats = np.loadtxt(path)[:, 1:]

    def error(reach: float) -> float:
        step = reach / 8
        return float(np.square(np.clip(np.round(beats / step), -8, 7) * step - beats).mean())

    assert min(np.arange(2.5, 7, 0.5), key=error) == BEAT_RANGE
    assert 10 * np.log10(beats.var() / error(BEAT_RANGE)) == pytest.approx(16.6, abs=0.1)


def test_diabetes_is_scikit_learns():
    from sklearn.datasets import load_diabetes

    train, test = load_dataset("diabetes", "train"), load_dataset("diabetes", "test")
    assert (len(train), len(test)) == (DIABETES_TRAIN, 442 - DIABETES_TRAIN)
    bunch = load_diabetes(scaled=False)
    raw = np.concatenate([train.labels, test.labels]) * train.target.sigma + train.target.mean
    np.testing.assert_allclose(np.sort(raw), np.sort(bunch.target), rtol=1e-5)
    assert train.labels.mean(dtype=float) == pytest.approx(0, abs=1e-6)
    assert train.labels.std(dtype=float) == pytest.approx(1, abs=1e-6)
    assert train.target.noise is None
    # each row still belongs to its target: a linear fit of all explains what it does of scikit-learn's own table
    images, labels = np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels])
    assert explained(images, labels) == pytest.approx(explained(bunch.data, bunch.target), abs=5e-3)


def explained(inputs, targets):
    """R squared of a linear fit; scaling changes nothing."""
    design = np.c_[np.ones(len(inputs)), inputs]
    return 1 - np.var(targets - design @ np.linalg.lstsq(design, targets, rcond=None)[0]) / np.var(targets)


def test_gap_is_a_noisy_cubic_with_a_gap():
    train, test = load_dataset("gap", "train"), load_dataset("gap", "test")
    place = np.abs(train.images[:, 0] - 0.5) * 12
    assert 2 <= place.min() < 2.05
    assert 3.95 < place.max() <= 4
    tested = np.abs(test.images[:, 0] - 0.5) * 12
    counts = np.histogram(tested, [0, 2, 4, 6])[0]
    assert np.all(np.abs(counts - 200) < 4 * np.sqrt(600 * 2 / 9))
    for data in (train, test):
        x = (data.images[:, 0].astype(float) - 0.5) * 12
        noise = data.labels * data.target.sigma + data.target.mean - x**3
        assert abs(noise.mean()) < 4 * GAP_NOISE / np.sqrt(len(data))
        assert noise.std() == pytest.approx(GAP_NOISE, rel=4 / np.sqrt(2 * len(data)))
        assert abs(np.corrcoef(noise, x)[0, 1]) < 4 / np.sqrt(len(data))
    assert train.labels.std() == pytest.approx(1, rel=0.06)
    assert train.target == GAP_TARGET
    assert not np.intersect1d(train.images, test.images).size


@pytest.mark.parametrize("name", BUNDLED)
def test_sets_without_files_are_the_same_every_time(name):
    first, second = load_dataset(name), load_dataset(name)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_bundled_files_need_scikit_learn(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="'diabetes' comes with scikit-learn, which is not installed"):
        load_dataset("diabetes")
    assert len(load_dataset("gap")) == 600


def test_loading_a_bundled_set_does_not_import_scikit_learn():
    import subprocess
    import sys

    code = (
        "import sys; from archsim.workload.data import load_dataset;"
        "load_dataset('diabetes'); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_unknown_names_and_counts():
    with pytest.raises(DataError, match="did you mean 'ecg5000'"):
        load_dataset("ecg500")
    with pytest.raises(DataError, match="has 89 test images, 90 were asked for"):
        load_dataset("diabetes", count=90)


def test_a_workload_knows_its_task_and_shape(tmp_path):
    assert set(DatasetChoice.model_fields["name"].annotation.__args__) == set(DATASETS)
    path = tmp_path / "w.yaml"
    path.write_text(
        "schema: archsim/workload@1\nname: w\ndescription: d\nmodel: m:C\ncheckpoint: c\n"
        "dataset: {name: gap, preprocessing: centred}\ntraining: {epochs: 1}\n"
    )
    workload = load_workload(path)
    assert workload.task == "regression"
    assert workload.input_shape == (1,)
    assert workload.data(10).images.shape == (10, 1)
    assert load_workload(path, ("dataset.name=ecg5000",)).task == "classification"
