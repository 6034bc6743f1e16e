"""docs/findings.md says what its tables hold, and the tables are what the studies give."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from archsim.pipeline import deploy
from archsim.study import design_points, load_study_file
from archsim.study.evaluator import Evaluator
from archsim.study.keys import tasks_of
from archsim.study.ranges import with_ranges
from tests.data import needs_mnist

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text()
AGAIN = {"dropout_modules": (5, 200, 383), "component_ranges": (0, 7)}  # points, costs alone
WITH_IMAGES = {"passes": (2, 6), "method_chip": (12, 31), "imperfect_chips": (40,), "crossbar_adc": (31,)}
FIGURES = ("energy_j_per_image", "latency_s_per_image", "area_m2", "accuracy", "nll", "ece", "mean_passes")


def kept(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "docs" / "findings" / f"{name}.csv", index_col="point")


def table(section: str) -> list[list[str]]:
    """Return the cells of the first table of a section of the page, without its head."""
    lines = PAGE.split(f"\n## {section}")[1].split("\n## ")[0].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    found = []
    for line in lines[first + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`*") for cell in line.strip("|").split("|")])
    return found


def says(cell: str, value: float) -> bool:
    """Tell whether a cell is a value, as far as its digits go."""
    digits = cell.replace(",", "").partition(" ")[0].replace("*", "")
    decimals = len(digits.partition(".")[2])
    return abs(float(digits) - value) <= 0.5001 * 10**-decimals or float(digits) == float(f"{value:.2g}")


@pytest.mark.parametrize(("name", "numbers"), AGAIN.items())
def test_points_of_costs_come_out_again(name, numbers):
    again(name, numbers)


@pytest.mark.slow
@needs_mnist
@pytest.mark.parametrize(("name", "numbers"), WITH_IMAGES.items())
def test_points_with_images_come_out_again(name, numbers):
    again(name, numbers)


def again(name, numbers):
    file, frame, evaluator = ROOT / "studies" / f"{name}.yaml", kept(name), Evaluator()
    config = with_ranges(load_study_file(file), str(file))
    chosen = [p for p in design_points(config, str(file)) if p.number in numbers]
    assert len(chosen) == len(numbers)
    for task in tasks_of(config, str(file), chosen):
        outcome = evaluator.outcome(task)
        assert not outcome.error
        for figure in (f for f in FIGURES if f in frame and not pd.isna(frame[f][task.number])):
            assert outcome.figures[figure] == pytest.approx(frame[figure][task.number], rel=1e-8, abs=0), figure


def test_the_page_says_what_crossbars_and_converters_give():
    frame = kept("crossbar_adc")
    means = frame.groupby(["crossbar.rows", "converter.bits", "converter.columns_per_converter"])[[*FIGURES[:5]]].mean()
    for row in table("1 Crossbars"):
        size = int(row[0].partition(" ")[0])
        for bits, cell in zip(range(3, 8), row[1:6], strict=True):
            assert says(cell, means.nll[size, bits, 8])
        five = means.loc[size, 5, 8]
        for cell, value in zip(
            row[6:], (five.energy_j_per_image * 1e9, five.latency_s_per_image * 1e6, five.area_m2 * 1e6), strict=True
        ):
            assert says(cell, value), row


def test_the_page_says_what_passes_and_stopping_give():
    frame = kept("passes").set_index(["passes", "stopping"])
    for t, rule, taken, energy, latency, nll, ece, noise, rotated in table("2 Passes"):
        point = frame.loc[int(t), rule or "none"]
        assert says(taken, point.mean_passes if rule else float(t))
        assert says(energy, point.energy_j_per_image * 1e9)
        assert says(latency, point.latency_s_per_image * 1e6)
        assert says(nll, point.nll)
        assert says(ece, point.ece * 100)
        assert says(noise, point["auroc.uniform_noise"])
        assert says(rotated, point["auroc.rotation:90"])


def test_the_page_says_how_many_modules_are_enough():
    frame = kept("dropout_modules").query("`stochastic.ahead` == 1")
    kinds = {"LFSR": "lfsr", "SOT-MTJ": "sot_mtj", "STT-MTJ": "stt_mtj", "TRNG (CMOS)": "trng"}
    for row in table("3 Dropout"):
        places = [(m, s) for m in ("SpinDrop", "Spatial-SpinDrop") for s in ("crossbar", "tile", "chip")]
        for cell, (method, scope) in zip(row[1:], places, strict=True):
            here = frame[
                (frame.method == method)
                & (frame["stochastic.scope"] == scope)
                & (frame["stochastic.kind"] == kinds[row[0]])
            ].set_index("stochastic.count")
            enough = here.index[~here.bottleneck.str.contains("random bits")]
            assert cell == (str(enough.min()) if len(enough) else "more than 128"), (row[0], method, scope)


def test_the_page_says_what_imperfections_do():
    names = {
        "none": "none", "cells spread by 10 %": "cells spread 10 %", "cells spread by 20 %": "cells spread 20 %",
        "0.1 % of the cells stuck": "stuck 0.1 %", "1 % stuck": "stuck 1 %", "5 % stuck": "stuck 5 %",
        "modules trimmed to 20 %": "modules trimmed to 20 %", "modules 50 K above their trimming": "modules at 350 K",
        "library, 300 K": "library, 300 K", "library, 350 K, modules drift": "library, 350 K, drift",
    }  # fmt: skip
    frame = kept("imperfect_chips")
    frame["imperfection"] = frame["imperfection"].fillna("none")
    means = frame.groupby(["imperfection", "method"])[["accuracy", "nll"]].mean()
    methods = list(dict.fromkeys(frame.method))
    for row in table("4 Imperfect"):
        for cell, method in zip(row[1:], methods, strict=True):
            accuracy, nll = cell.strip("*").split(", ")
            point = means.loc[names[row[0]], method]
            assert says(accuracy, point.accuracy * 100), (row[0], method)
            assert says(nll, point.nll), (row[0], method)


def moved(frame: pd.DataFrame, column: str, figure: str) -> tuple[float, float]:
    """Return the lowest and highest change in % that an axis makes, all others at the base, which is point 0."""
    ends = 100 * (frame.loc[frame[column] != frame[column][0], figure] / frame[figure][0] - 1)
    return min(0.0, ends.min()), max(0.0, ends.max())


def test_the_page_says_what_ranges_move():
    frame = kept("component_ranges")
    for entry, _, *cells in table("Which ranges"):
        (column,) = (c for c in frame if c == f"library.{entry}" or c.startswith(f"library.{entry}_"))
        for cell, figure in zip(cells, FIGURES[:3], strict=True):
            low, high = moved(frame, column, figure)
            if not cell:
                assert high - low < 0.5, (entry, figure)
                continue
            ends = cell.removesuffix(" %").split(" to ")
            assert [float(end) for end in ends] == [round(low), round(high)], (entry, figure)


def test_the_page_says_how_little_cells_and_random_bits_move():
    frame = kept("component_ranges")
    columns = [c for c in frame if c.startswith(("library.devices.", "library.rng."))]
    assert len(columns) > 8
    for figure, most in (("energy_j_per_image", 0.4), ("latency_s_per_image", 0.001), ("area_m2", 6.0)):
        assert max(max(map(abs, moved(frame, c, figure))) for c in columns) < most, figure


def test_the_page_says_what_sobol_indices_say():
    rows = pd.read_csv(ROOT / "docs" / "findings" / "component_sobol.csv").set_index(["figure", "axis"])
    page = " ".join(PAGE.split())
    for figure, axis, says_it in (
        ("energy_j_per_image", "models.adc.time_multiplier", "converters' time ({})"),
        ("energy_j_per_image", "models.adc.energy_multiplier", "and energy ({})"),
        ("area_m2", "models.adc.area_multiplier", "the area's the converters' ({})"),
        ("area_m2", "interconnect.router_area", "and the routers' ({})"),
    ):
        row = rows.loc[(figure, f"library.{axis}")]
        assert says_it.format(f"{row.total:.2f} [{row.total_low:.2f}, {row.total_high:.2f}]") in page, axis
    assert rows.loc["latency_s_per_image"].total.nlargest(2).iloc[1] < 0.001


@pytest.mark.parametrize(("temperature", "rate"), [("350 K", 0.39), ("250 K", 0.009)])
def test_the_page_says_how_often_modules_drop_that_are_not_trimmed_anew(temperature, rate):
    chip = [f"temperature={temperature}", "imperfections.random_bits.temperature_drift=true"]
    network = ROOT / "workloads" / "lenet5_mnist_spatial.yaml"
    sampled = deploy(ROOT / "arch_configs" / "neuspin_sot.yaml", network, overrides=chip).on_chip()
    actual = {float(p) for chances in sampled.chances.values() for chance in chances for p in chance.p}
    assert len(actual) == 1
    assert actual.pop() == pytest.approx(rate, abs=0.0015)


def test_the_page_says_what_methods_give():
    frame = kept("method_chip").dropna(subset="nll")
    for method, chip, energy, latency, nll, ece, noise in table("5 Methods"):
        of = frame[frame.method == method]
        best = of.loc[of.energy_j_per_image.idxmin()]
        assert Path(best.arch).stem == chip
        assert says(energy, best.energy_j_per_image * 1e9)
        assert says(latency, best.latency_s_per_image * 1e6)
        assert says(nll, best.nll)
        assert says(ece, best.ece * 100)
        assert says(noise, best["auroc.uniform_noise"])
