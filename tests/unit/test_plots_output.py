"""Plots as files: the same bytes every time, nothing from outside, ids that do not meet; and what data may lack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from archsim.pipeline import evaluate
from archsim.report.plots import Plot, plots_of, save, to_png, to_svg
from archsim.report.plots.data import Interval, interval, largest, ranking
from archsim.report.plots.marks import in_short, shorten
from archsim.report.plots.output import DPI
from archsim.report.plots.style import INK, WIDTH, Scale, factor, quantity, scale_for

ROOT = Path(__file__).parents[2]
CHIP, NETWORK = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml", ROOT / "workloads" / "lenet5_digits.yaml"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def data() -> dict:
    found = evaluate(CHIP, NETWORK, images=10, passes=3, function=False)
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))


@pytest.fixture(scope="module")
def plots(data) -> dict[str, Plot]:
    return {plot.name: plot for plot in plots_of([("A", data)])}


@pytest.fixture(scope="module")
def svgs(data) -> dict[str, str]:
    return {plot.name: to_svg(plot.figure, plot.title) for plot in plots_of([("A", data)])}


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_what_their_names_say(plots, tmp_path):
    png, svg = save(plots["roofline"], tmp_path)
    assert [png.name, svg.name] == ["roofline.png", "roofline.svg"]
    with Image.open(png) as image:
        assert image.width == round(WIDTH * DPI)
        assert 150 <= DPI <= 200
        assert image.info["Title"] == "Roofline of the chip"
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    root = ET.fromstring(svg.read_bytes())
    assert root.tag == f"{SVG}svg"
    assert {"width", "height", "viewBox"} <= root.attrib.keys()


def test_the_same_data_make_the_same_bytes(data, svgs):
    again = [*plots_of([("A", data)])]
    assert {plot.name: to_svg(plot.figure, plot.title) for plot in again} == svgs
    first, second = next(plots_of([("A", data)])), again[0]
    assert to_png(first.figure) == to_png(second.figure)
    assert to_svg(first.figure) == to_svg(second.figure)  # and again, after a PNG


def test_an_svg_needs_nothing_from_outside(svgs):
    for name, svg in svgs.items():
        assert svg.startswith("<svg "), name
        for forbidden in ("<!DOCTYPE", "<?xml", "<style", "<script", "<metadata", "@import", "<image"):
            assert forbidden not in svg, name
        without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)
        assert "http" not in without_namespaces, name
        assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', svg)), name
        assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", svg)), name


def test_ids_meet_neither_inside_nor_between_plots_and_references_are_kept(svgs):
    seen: set[str] = set()
    for name, svg in svgs.items():
        ids = [each.attrib["id"] for each in ET.fromstring(svg).iter() if "id" in each.attrib]
        assert len(ids) == len(set(ids)), name
        assert not seen & set(ids), name
        seen |= set(ids)
        used = re.findall(r'href="#([^"]*)"', svg) + re.findall(r"url\(#([^)]*)\)", svg)
        assert used, name
        assert set(used) <= set(ids), name


def test_text_is_text_and_labels_are_escaped(plots):
    svg = to_svg(plots["energy_by_part"].figure, '<script>"&')
    root = ET.fromstring(svg)
    assert root.attrib["aria-label"] == '<script>"&'
    assert root.attrib["role"] == "img"
    written = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert {"converter", "Energy of an image (nJ)"} <= written
    assert all("sans-serif" in text.attrib["style"] for text in root.iter(f"{SVG}text"))


def test_a_hostile_label_is_harmless(data):
    label = '<script>alert("$x_{1}$")</script>'
    drawn = {plot.name: plot for plot in plots_of([(label, data), ("$\\frac{", data)])}
    svg = to_svg(drawn["latency"].figure)
    assert "<script" not in svg
    written = {"".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")}
    assert label in written
    assert "$\\frac{" in written


def test_a_themed_svg_takes_the_colour_of_its_page_and_a_file_has_its_own(plots, tmp_path):
    themed = to_svg(plots["latency"].figure)
    assert "currentColor" in themed
    assert INK not in themed
    filed = save(plots["latency"], tmp_path)[1].read_text(encoding="utf-8")
    assert "currentColor" not in filed
    assert INK in filed


def test_plots_leave_the_settings_of_matplotlib_alone_and_ignore_them(data):
    wanted = next(plots_of([("A", data)]))
    svg, png = to_svg(wanted.figure), to_png(wanted.figure)
    with mpl.rc_context({"font.size": 31, "svg.fonttype": "path", "axes.grid": True, "savefig.dpi": 40}):
        before = dict(mpl.rcParams)
        plot = next(plots_of([("A", data)]))  # a generator that is not exhausted
        assert (to_svg(plot.figure), to_png(plot.figure)) == (svg, png)
        assert dict(mpl.rcParams) == before


def test_no_window_is_ever_opened():
    code = (
        "import sys, json; from archsim.report.plots import plots_of, to_svg; data = json.load(sys.stdin)\n"
        "assert [to_svg(p.figure) for p in plots_of([('A', data)])]; print('matplotlib.pyplot' in sys.modules)"
    )
    data = json.dumps(minimal())
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- what data may lack -----------------------------------------------------------------------------------------------


def minimal() -> dict:
    """Return the least that a result has: one layer, one part, no waiting, no quality."""
    one = {"value": 2e-9, "low": 1e-9, "high": 3e-9}
    return {
        "schema": "archsim/result@1", "passes": 1, "latency_s_per_image": 1e-6, "first_pass_s": 1e-6,
        "pass_interval_s": 0.0, "total_s": 1e-6, "stations": [], "stalls": [], "critical_path": [],
        "energy_j_per_image": {**one, "by_part": {"crossbar": one}, "by_layer": {"fc": one}, "by_action": {}},
        "area_m2": {**one, "by_part": {}},
        "roofline": {"points": [], "arrays": 1e12, "link": 1e9, "tiles": 1},
    }  # fmt: skip


def names(*data: dict) -> list[str]:
    return [plot.name for plot in plots_of([("A", each) for each in data])]


def test_no_data_make_no_plots():
    assert names() == []
    assert names({}) == []
    assert names({"schema": "archsim/study@1"}) == []


def test_a_minimal_result_has_the_plots_that_it_can_have():
    assert names(minimal()) == ["energy_by_part", "energy_by_layer", "latency"]


def test_null_values_are_left_out(data):
    lacking = json.loads(json.dumps(data))
    lacking["energy_j_per_image"]["by_part"]["converter"] = dict.fromkeys(("value", "low", "high"))
    lacking["energy_j_per_image"]["by_layer"]["conv1"] |= {"low": None, "high": None}
    lacking["roofline"]["points"][0]["intensity"] = None
    found = {plot.name: plot for plot in plots_of([("A", lacking)])}
    parts = [label.get_text() for label in found["energy_by_part"].figure.axes[0].get_yticklabels()]
    assert "converter" not in parts
    assert len(parts) == 9
    layers = [label.get_text() for label in found["energy_by_layer"].figure.axes[0].get_yticklabels()]
    assert "conv1" in layers
    assert "conv1" not in [text.get_text() for text in found["roofline"].figure.axes[0].texts]


def test_an_evaluation_of_the_test_set_alone_has_no_other_plots():
    test = {"set": "test", "severity": None, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "detection": {}}
    alone = {
        "schema": "archsim/uncertainty@1", "task": "classification", "chips": 1, "test": test, "ood": [],
        "rotation_degrees": [], "corruptions": [], "reliability": [], "risk_coverage": {}, "adaptive": [],
        "per_chip": [],
    }  # fmt: skip
    assert names(alone) == []
    alone["reliability"] = [{"low": 0.9, "high": 1.0, "images": 3, "confidence": 0.95, "accuracy": test["accuracy"]}]
    assert names(alone) == ["reliability"]  # though it states no ECE


def test_a_result_beside_one_that_lacks_everything(data):
    assert names(data, minimal()) == names(data)


# --- small things -----------------------------------------------------------------------------------------------------


def test_rankings_add_up_what_is_not_shown():
    table = {str(i): Interval(i, i - 1, i + 1) for i in range(1, 13)}
    rows, (column,) = ranking([table])
    assert rows == ["12", "11", "10", "9", "8", "7", "6", "5", "others"]
    assert column[-1] == Interval(1 + 2 + 3 + 4, 0 + 1 + 2 + 3, 2 + 3 + 4 + 5)
    rows, columns = ranking([table, {"12": Interval(1, 1, 1)}])
    assert columns[1] == [Interval(1, 1, 1), *[None] * 8]
    assert ranking([{"a": Interval(0, 0, 5)}]) == ([], [[]])  # worth no bar


def test_nine_rows_are_shown_rather_than_eight_and_others():
    assert len(largest([dict.fromkeys("abcdefghi", 1.0)])) == 9
    assert len(largest([dict.fromkeys("abcdefghij", 1.0)])) == 8


def test_intervals_without_ends_are_points():
    assert interval({"value": 2, "low": None, "high": None}) == Interval(2, 2, 2)
    assert interval({"value": None, "low": 1, "high": 2}) is None
    assert interval(None) is None


def test_scales_and_quantities_read_well():
    assert scale_for(2.5e-7, "J") == Scale(pytest.approx(1e9), "nJ")
    assert scale_for(2.5e-6, "s") == Scale(pytest.approx(1e6), "µs")
    assert scale_for(0.0, "J") == Scale(1.0, "J")
    assert quantity(1.24e-3, "J") == "1.24 mJ"
    assert quantity(3.2e-6, "s") == "3.2 µs"
    assert [factor(v) for v in (0.01599, 2.034, 4187.2, 1.1e6)] == ["0.016", "2.03", "4 190", "1 100 000"]


def test_long_names_keep_their_ends():
    assert shorten("fc1") == "fc1"
    assert (
        shorten("blocks.4.second.1 (blocks.4.second.2) → blocks.4.shortcut.1")
        == "blocks.4.second.1 → blocks.4.shortcut.1"
    )
    short = shorten("a" * 60 + "b" * 60)
    assert len(short) == 44
    assert (short[0], short[-1]) == ("a", "b")
    assert in_short("it has no meter; ask somebody") == "it has no meter"
    assert in_short("word " * 40).endswith("word …")
