"""The summary says what the result says, in lines that fit a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from archsim.metrics.intervals import Estimate
from archsim.pipeline import evaluate
from archsim.report.layout import added, count, span, square_millimetres
from archsim.report.summary import summary
from archsim.units import show
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        workload = load_workload(ROOT / "workloads" / "lenet5_digits.yaml")
        return evaluate(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml", workload, passes=5, images=30)


def text_of(result, width=100):
    console = Console(file=io.StringIO(), width=width, markup=False)
    for part in summary(result):
        console.print(part)
    return console.file.getvalue()


def line(text, start):
    return next(line for line in text.splitlines() if line.strip().startswith(start))


@pytest.mark.parametrize("width", [80, 100])
def test_lines_fit_and_no_number_is_cut(result, width):
    text = text_of(result, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for value in (show(result.latency_s_per_image, "s"), show(result.energy_j_per_image.value, "J")):
        assert value in text


def test_the_headline_is_that_of_the_result(result):
    text = text_of(result)
    log = result.log
    latency = line(text, "latency")
    assert show(result.latency_s_per_image, "s") in latency
    assert f"+ 4 x {show(log.pass_interval_ps * 1e-12, 's')}" in latency
    assert result.bottleneck.name in line(text, "throughput")
    assert show(result.energy_j_per_image.high, "J") in line(text, "energy ")
    assert show(result.energy_on_chip.value, "J") in line(text, "on chip")


def test_accuracy_and_uncertainty_have_their_intervals(result):
    text = text_of(result)
    accuracy = result.quality.accuracy
    assert f"{100 * accuracy.value:.1f} %" in line(text, "accuracy")
    assert f"{100 * accuracy.low:.1f} % to {100 * accuracy.high:.1f} %" in line(text, "accuracy")
    assert f"{result.quality.nll.value:.4f}" in line(text, "nll")
    assert line(text, "mutual information")


def test_shares_of_a_ranking_make_the_whole(result):
    section = text_of(result).split("Energy of an image by part")[1].split("Energy of an image by layer")[0]
    shares = [float(found) for found in re.findall(r"(\d+\.\d) %", section)]
    assert shares[:-1] == sorted(shares[:-1], reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.6)


def test_an_implausible_figure_is_marked(result):
    first = replace(result.plausibility[0], high=result.plausibility[0].value / 2)
    marked = replace(result, plausibility=(first, *result.plausibility[1:]))
    assert "! outside" in line(text_of(marked), first.name)
    assert "! outside" not in line(text_of(marked), result.plausibility[1].name)


def test_off_chip_memory_stands_apart(result):
    assert "off-chip" not in text_of(result)
    row = replace(result.energy[0], part="memory", value=3e-3 * result.log.images, high=4e-3 * result.log.images)
    text = text_of(replace(result, energy=(*result.energy, row)))
    assert "3 mJ" in line(text, "off-chip memory")
    assert show(result.energy_on_chip.value, "J") in line(text, "on chip")


def test_without_images_there_is_no_quality(result):
    assert "accuracy" not in text_of(replace(result, quality=None))


def test_pieces():
    assert span(Estimate(2.0, 1.0, 3.0, ""), square_millimetres) == "1e+06 mm^2 to 3e+06 mm^2"
    assert square_millimetres(2.57e-6) == "2.57 mm^2"
    assert count(1234567.4) == "1 234 567"
    assert added([Estimate(1, 0, 2, ""), Estimate(3, 2, 5, "")]) == Estimate(4, 2, 7, "sum of ranges")
