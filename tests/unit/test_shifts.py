"""Shifted inputs against independent oracles: scipy, Pillow, colorsys, slow twins; and how they are asked for."""

import colorsys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from archsim.errors import DataError
from archsim.workload.data import ImageSet, InputStatistics, load_dataset
from archsim.workload.shifts import SEVERITIES, SHIFTS, kind_of, shifted, shifts_for
from archsim.workload.shifts.draws import Draws
from archsim.workload.shifts.geometry import fitted, resize_matrix
from archsim.workload.shifts.pictures import plasma


def picture_set(count=24, channels=1, height=16, width=16, **more) -> ImageSet:
    """Smooth pictures from black to white, as photographs are."""
    noise = np.random.default_rng(3).standard_normal((count, channels, height, width))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 1.5, 1.5))
    low, high = smooth.min((1, 2, 3), keepdims=True), smooth.max((1, 2, 3), keepdims=True)
    images = ((smooth - low) / (high - low)).astype(np.float32)
    return ImageSet("pictures", images, np.arange(count) % 5, 5, **more)


def beat_set(count=24, channels=1, length=140) -> ImageSet:
    """Signals with a peak, of known variance."""
    time = np.arange(length) / length
    peaks = np.random.default_rng(4).uniform(0.3, 0.7, (count, channels, 1))
    beats = np.exp(-(((time - peaks) / 0.05) ** 2)) - 0.5 * np.exp(-(((time - peaks - 0.15) / 0.08) ** 2))
    images = (0.3 + 0.4 * beats).astype(np.float32)
    inputs = InputStatistics(0, 1, (float(images.mean()),), (float(images.std()),))
    return ImageSet("beats", images, np.arange(count) % 3, 3, inputs, rate_hz=(140, 250))


def feature_set(count=24, features=7) -> ImageSet:
    images = np.random.default_rng(5).uniform(0.2, 0.8, (count, features)).astype(np.float32)
    targets = np.linspace(-1, 1, count, dtype=np.float32)
    return ImageSet("features", images, targets, 0, InputStatistics(0, 1, (0.5,), (0.17,)))


def centred(data: ImageSet) -> ImageSet:
    return replace(data, images=data.images * 2 - 1, inputs=data.inputs.rescaled(-1, 1))


def first(data: ImageSet, count: int) -> ImageSet:
    return replace(data, images=data.images[:count], labels=data.labels[:count])


SETS = {
    "grey": picture_set(),
    "digits": load_dataset("digits", count=60),
    "oblong": picture_set(height=9, width=13),
    "colour": picture_set(channels=3),
    "signal": beat_set(),
    "two channels": beat_set(channels=2),
    "features": feature_set(),
}
CASES = [(name, kind) for kind, data in SETS.items() for name in shifts_for(data.shape)]
GRADED = [(name, kind) for name, kind in CASES if SHIFTS[name].scale == "level"]


def severity_of(name: str) -> float | None:
    return {"none": None, "degrees": 37.0, "level": 3}[SHIFTS[name].scale]


def shift(name: str, data: ImageSet, severity: float | None = None, seed: int = 1) -> ImageSet:
    return shifted(name, data, np.random.default_rng(seed), severity)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_shift_keeps_the_form_of_what_it_shifts(name, kind):
    data = SETS[kind]
    for given in (data, centred(data)):
        got = shift(name, given, severity_of(name))
        assert got.images.shape == given.images.shape
        assert got.images.dtype == np.float32
        assert given.inputs.low <= got.images.min() <= got.images.max() <= given.inputs.high
        assert np.abs(got.images - given.images).max() > 0.005
        assert got.labels.dtype == given.labels.dtype
        assert got.labelled == SHIFTS[name].keeps_labels
        assert (got.classes, got.inputs, got.target) == (given.classes, given.inputs, given.target)
        assert got.name.startswith(f"{given.name}, {name}")
        if got.labelled:
            np.testing.assert_array_equal(got.labels, given.labels)
    np.testing.assert_allclose(got.images, shift(name, data, severity_of(name)).images * 2 - 1, atol=2e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_image_does_not_depend_on_those_beside_it(name, kind):
    data = SETS[kind]
    whole = shift(name, data, severity_of(name))
    np.testing.assert_array_equal(shift(name, first(data, 7), severity_of(name)).images, whole.images[:7])
    others = data.images[::-1].copy()
    others[3] = data.images[3]
    among_others = shift(name, replace(data, images=others), severity_of(name))
    np.testing.assert_allclose(among_others.images[3], whole.images[3], atol=1e-6)
    np.testing.assert_array_equal(shift(name, data, severity_of(name)).images, whole.images)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_is_random_differs_between_seeds_and_images(name, kind):
    data = SETS[kind]
    same = replace(data, images=np.repeat(data.images[:1], len(data), axis=0))
    images = shift(name, same, severity_of(name)).images
    fixed = name in ("rotation", "blur", "contrast", "brightness")
    assert bool((images == images[0]).all()) is fixed
    assert np.array_equal(images, shift(name, same, severity_of(name), seed=2).images) is fixed


@pytest.mark.parametrize(("name", "kind"), GRADED)
def test_a_higher_severity_is_further_away(name, kind):
    data = SETS[kind]
    moved = [
        np.abs(shift(name, data, s).images - data.images).mean(axis=tuple(range(1, data.images.ndim)))
        for s in SEVERITIES
    ]
    distances = np.array(moved).mean(axis=1)
    assert np.all(np.diff(distances) > 0), distances
    if name in ("noise", "salt_pepper", "occlusion", "missing_segment", "missing_features", "amplitude", "mains_hum"):
        assert np.all(np.diff(moved, axis=0) >= 0), "the same noise, only stronger"


@pytest.mark.parametrize("degrees", [0, 17.5, 90, -90, 180, 200, 360])
def test_rotation_is_scipys(degrees):
    data = picture_set(count=3, channels=2, height=11, width=14)
    got = shift("rotation", data, degrees).images
    wanted = ndimage.rotate(data.images, degrees, axes=(2, 3), reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(got, np.clip(wanted, 0, 1), atol=1e-5)


def test_rotation_turns_counter_clockwise_and_back():
    data = picture_set()
    np.testing.assert_allclose(shift("rotation", data, 90).images, np.rot90(data.images, axes=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(shift("rotation", data, 180).images, data.images[..., ::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(shift("rotation", data, -360).images, data.images, atol=1e-5)


def test_black_comes_in_where_nothing_was():
    white = centred(replace(picture_set(), images=np.ones((24, 1, 16, 16), np.float32)))
    turned = shift("rotation", white, 45).images
    assert turned[:, 0, 0, 0].max() == -1
    assert turned[:, 0, 8, 8].min() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_blur_is_a_gaussian_filter(severity):
    data = picture_set(count=3, height=28, width=28)
    sigma = (1, 2, 3, 4, 6)[severity - 1]
    wanted = ndimage.gaussian_filter(data.images.astype(float), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    np.testing.assert_allclose(shift("blur", data, severity).images, wanted, atol=1e-5)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_translation_moves_whole_pixels_of_mnist(severity):
    data = picture_set(height=28, width=28)
    got = shift("translate", data, severity).images
    seen = set()
    for before, after in zip(data.images, got, strict=True):
        moves = [(a * severity, b * severity) for a in (1, -1) for b in (1, -1)]
        fits = [m for m in moves if np.allclose(after[0], ndimage.shift(before[0], m, order=0), atol=1e-5)]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 4


def test_translation_between_pixels_is_bilinear():
    data = picture_set(height=8, width=8)
    got = shift("translate", data, 1).images
    offset = 8 / 28
    for before, after in zip(data.images, got, strict=True):
        wanted = [
            ndimage.shift(before[0], (a, b), order=1, mode="grid-constant")
            for a in (offset, -offset)
            for b in (offset, -offset)
        ]
        assert min(np.abs(after[0] - w).max() for w in wanted) < 1e-5


def test_brightness_raises_the_v_of_hsv():
    data = picture_set(count=4, channels=3)
    data.images[0, :, 0, 0] = 0
    got = shift("brightness", data, 3).images
    for before, after in zip(
        data.images[:, :, 0, :].swapaxes(1, 2).reshape(-1, 3),
        got[:, :, 0, :].swapaxes(1, 2).reshape(-1, 3),
        strict=True,
    ):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, before))
        wanted = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.15, 1))
        np.testing.assert_allclose(after, wanted, atol=1e-5)


def test_contrast_keeps_the_mean():
    data = picture_set()
    got = shift("contrast", data, 5).images
    np.testing.assert_allclose(got.mean((2, 3)), data.images.mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(got.std((2, 3)), 0.05 * data.images.std((2, 3)), rtol=1e-4)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_occlusion_covers_one_rectangle_inside_the_image(severity):
    white = replace(picture_set(height=20, width=30), images=np.ones((24, 1, 20, 30), np.float32))
    covered = shift("occlusion", white, severity).images[:, 0] == 0
    for mask in covered:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert (len(rows), len(columns)) == (2 * severity, 3 * severity)
        assert mask.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert len({tuple(np.argwhere(m)[0]) for m in covered}) > 5


def slow_plasma(drawn: np.ndarray, size: int, decay: float) -> np.ndarray:
    """Diamond-square, one point after the other."""
    height, left = np.zeros((size, size)), list(2 * drawn - 1)
    step, reach = size, 1.0
    while step >= 2:
        half = step // 2
        at = lambda y, x: height[y % size, x % size]  # noqa: E731
        cells = [(y, x) for y in range(0, size, step) for x in range(0, size, step)]
        for y, x in cells:
            around = at(y, x) + at(y + step, x) + at(y, x + step) + at(y + step, x + step)
            height[y + half, x + half] = around / 4 + reach * left.pop(0)
        for y, x in cells:
            around = at(y, x) + at(y, x + step) + at(y + half, x + half) + at(y - half, x + half)
            height[y, x + half] = around / 4 + reach * left.pop(0)
        for y, x in cells:
            around = at(y, x) + at(y + step, x) + at(y + half, x + half) + at(y + half, x - half)
            height[y + half, x] = around / 4 + reach * left.pop(0)
        step, reach = half, reach / decay**2
    assert not left
    return (height - height.min()) / np.ptp(height)


@pytest.mark.parametrize(("size", "decay"), [(2, 2.0), (8, 1.4), (16, 3.0)])
def test_plasma_is_diamond_square(size, decay):
    drawn = np.random.default_rng(0).random((3, size**2 - 1), np.float32)
    wanted = [slow_plasma(row.astype(float), size, decay) for row in drawn]
    np.testing.assert_allclose(plasma(drawn, size, decay), wanted, atol=1e-5)


def test_fog_lightens_what_is_black_and_keeps_the_brightest():
    data = picture_set()
    got = shift("fog", data, 3).images
    assert got.max() <= data.images.max() + 1e-6
    dark = data.images < 0.2
    assert got[dark].mean() > data.images[dark].mean() + 0.1
    tiny = replace(data, images=data.images[..., :1, :1])
    assert np.isfinite(shift("fog", tiny, 3).images).all()


def test_amplitude_scales_about_the_mean():
    data = beat_set()
    (mean,) = data.inputs.mean
    gains = (shift("amplitude", data, 2).images - mean) / (data.images - mean)
    np.testing.assert_allclose(np.abs(np.median(gains, axis=(1, 2)) - 1), 0.2, atol=1e-4)
    assert len(np.unique(np.round(np.median(gains, axis=(1, 2)), 3))) == 2


def test_time_warp_keeps_ends_and_order():
    ramp = replace(beat_set(), images=np.broadcast_to(np.linspace(0, 1, 140, dtype=np.float32), (24, 1, 140)))
    warped = shift("time_warp", ramp, 5).images
    np.testing.assert_allclose(warped[..., [0, -1]], [[[0, 1]]] * 24, atol=1e-5)
    rates = np.diff(warped) * 139
    assert rates.min() == pytest.approx(0.5, abs=0.01)
    assert rates.max() == pytest.approx(1.5, abs=0.01)


def test_time_shift_moves_samples_and_holds_the_end():
    data = beat_set(length=100)
    got = shift("time_shift", data, 3).images  # three samples of a hundred
    ahead = np.concatenate([data.images[..., 3:], np.repeat(data.images[..., -1:], 3, -1)], axis=-1)
    behind = np.concatenate([np.repeat(data.images[..., :1], 3, -1), data.images[..., :-3]], axis=-1)
    fits = np.array(
        [[np.allclose(g, w, atol=1e-6) for g, w in zip(got, wanted, strict=True)] for wanted in (ahead, behind)]
    )
    assert np.all(fits.sum(axis=0) == 1)
    assert fits.any(axis=1).all(), "both directions occur"


@pytest.mark.parametrize(("severity", "samples"), [(1, 7), (2, 14), (3, 28), (4, 42), (5, 56)])
def test_missing_segment_is_one_segment_at_the_mean(severity, samples):
    data = replace(beat_set(), inputs=InputStatistics(0, 1, (0.95,), (0.1,)))
    lost = shift("missing_segment", data, severity).images[:, 0] == np.float32(0.95)
    assert np.all(np.abs(lost.sum(axis=1) - samples) <= 1)
    assert np.all(np.abs(np.diff(lost.astype(int), axis=1)).sum(axis=1) <= 2)


def test_other_sets_come_in_the_shape_of_ours():
    data = centred(picture_set(channels=3, height=20, width=24))
    got = shift("digits", data)
    assert got.images.shape == (24, 3, 20, 24)
    assert got.name == "digits"
    assert not got.labelled
    np.testing.assert_array_equal(got.images[:, 0], got.images[:, 2])
    assert -1 <= got.images.min() < -0.9
    assert len(shift("digits", picture_set(count=400))) == 360, "as many as there are"


@pytest.mark.parametrize("size", [(28, 28), (5, 7), (8, 20), (16, 16)])
def test_resizing_is_pillows(size):
    data = picture_set(count=2, height=16, width=16)
    for image, resized in zip(data.images, fitted(data.images, (1, *size)), strict=True):
        wanted = Image.fromarray(image[0]).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resized[0], np.asarray(wanted), atol=1e-5)
    np.testing.assert_allclose(resize_matrix(16, 7).sum(axis=1), 1, rtol=1e-6)


def test_colour_becomes_grey_as_in_pillow():
    data = picture_set(count=2, channels=3)
    grey = fitted(data.images, (1, 16, 16))
    bytes_in = np.round(data.images[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(bytes_in).convert("L"), float) / 255
    np.testing.assert_allclose(grey[0, 0], wanted, atol=1 / 255)


def test_real_digits_for_a_network_of_mnist():
    try:
        data = load_dataset("mnist", count=20)
    except DataError as error:
        pytest.skip(str(error))
    assert shift("digits", data).images.shape == (20, 1, 28, 28)
    assert shift("mnist", load_dataset("digits", count=20)).images.shape == (20, 1, 8, 8)
    assert shift("cifar10", data).images.shape == (20, 1, 28, 28)


def test_what_fits_what():
    assert {"rotation", "fog", "occlusion"} <= set(shifts_for((3, 32, 32)))
    slow_and_fast = {"noise", "baseline_wander", "mains_hum"}
    in_time = {"time_warp", "time_shift", "missing_segment"}
    pure = {"uniform_noise", "gaussian_noise"}
    assert set(shifts_for((1, 140))) == pure | slow_and_fast | in_time | {"amplitude"}
    assert set(shifts_for((10,))) == pure | {"noise", "missing_features"}
    assert SHIFTS["noise"].ranks == {1, 2, 3}
    assert SHIFTS["blur"].ranks == {3}
    assert kind_of((1, 28, 28)) != kind_of((3, 28, 28))


def test_every_shift_says_what_it_is_and_where_from():
    for shift_ in SHIFTS.values():
        assert shift_.description
        for variant in shift_.variants.values():
            assert any(grade in variant.source for grade in ("READ", "ASSUMED", "RERUN", "definition"))


@pytest.mark.parametrize(
    ("name", "kind", "severity", "message"),
    [
        ("rotate", "grey", 30, "unknown shift 'rotate'; did you mean 'rotation'"),
        ("mnst", "grey", None, "did you mean 'mnist'"),
        ("rotation", "grey", None, "'rotation' needs a severity, an angle from -360 to 360 degrees"),
        ("rotation", "grey", 361, "angle from -360 to 360 degrees, got 361"),
        ("rotation", "grey", float("nan"), "got nan"),
        ("noise", "grey", None, "'noise' needs a severity, a level from 1 to 5"),
        ("noise", "signal", 6, "a level from 1 to 5, got 6"),
        ("noise", "signal", 0, "a level from 1 to 5, got 0"),
        ("noise", "features", 2.5, "a level from 1 to 5, got 2.5"),
        ("uniform_noise", "grey", 3, "'uniform_noise' takes no severity, got 3"),
        ("digits", "grey", 3, "'digits' takes no severity, got 3"),
        ("digits", "digits", None, "'digits' is what the network was made for"),
        ("digits", "signal", None, "'digits' .a grey image .* cannot be brought to the shape of 'beats' .a signal"),
        ("gap", "features", None, "'gap' .features .* cannot be brought"),
        ("blur", "signal", 3, "'blur' fits a grey image .* and a colour image .*, not a signal .* in data set 'beats'"),
        ("mains_hum", "grey", 3, "fits a signal .C, L., not a grey image"),
    ],
)
def test_requests_that_cannot_be_met(name, kind, severity, message):
    with pytest.raises(DataError, match=message):
        shift(name, SETS[kind], severity)


def test_hertz_need_a_sampling_rate():
    with pytest.raises(DataError, match="'beats' does not say how fast its signals were sampled"):
        shift("mains_hum", replace(beat_set(), rate_hz=None), 1)


def test_inputs_of_rank_four_are_refused():
    data = replace(picture_set(), images=np.zeros((24, 1, 2, 2, 2), np.float32))
    with pytest.raises(DataError, match="neither images, signals nor features"):
        shift("noise", data, 1)


def test_draws_are_a_function_of_key_call_and_row():
    few, many = (Draws(np.random.default_rng(9), n) for n in (3, 8))
    np.testing.assert_array_equal(few.normal(5), many.normal(5)[:3])
    np.testing.assert_array_equal(few.uniform(2, 2), many.uniform(2, 2)[:3])
    mean = np.full((8, 4), 6.0)
    np.testing.assert_array_equal(few.poisson(mean[:3]), many.poisson(mean)[:3])
    drawn = np.concatenate([many.uniform(50), many.uniform(50), Draws(np.random.default_rng(8), 8).uniform(50)])
    assert len(np.unique(drawn)) > 0.999 * drawn.size
    assert set(np.unique(many.signs(100))) == {-1, 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", shifts_for((1, 28, 28)))
def test_ten_thousand_images_take_less_than_two_seconds(name):
    import time

    data = picture_set(count=10_000, height=28, width=28)
    started = time.process_time()
    shift(name, data, severity_of(name))
    assert time.process_time() - started < 2


def test_the_documentation_lists_every_shift_and_what_is_assumed():
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    rows = {cells[1]: cells for line in text.splitlines() if len(cells := [c.strip() for c in line.split("|")]) > 5}
    assert {f"`{name}`" for name in SHIFTS} <= set(rows)
    for name, shift_ in SHIFTS.items():
        for variant in shift_.variants.values():
            graded = "ASSUMED" in variant.source
            assert not graded or "ASSUMED" in rows[f"`{name}`"][5], name
