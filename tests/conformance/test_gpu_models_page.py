"""docs/gpu_models.md says what the code finds: its tables are made by `archsim calibration`, its figures are those."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.baselines.calibration.measurements import load_measurements
from archsim.baselines.calibration.overview import Overview, overview
from archsim.baselines.devices import device_names, load_family
from archsim.cli.app import app
from archsim.report.calibration import calibration_markdown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpu_models.md").read_text()
PROSE, REST = PAGE.split("<!-- made by `archsim calibration --markdown`: begin -->\n\n")
TABLES, GUIDE = REST.split("\n<!-- end -->\n")


@pytest.fixture(scope="module")
def found() -> Overview:
    return overview()


def test_the_tables_are_those_of_the_code(found):
    made = calibration_markdown(found).strip().splitlines()
    kept = TABLES.strip().splitlines()
    differs = next(((a, b) for a, b in zip(kept, made, strict=False) if a != b), None)
    assert differs is None, f"run: archsim calibration --markdown; the page has {differs[0]!r}, now {differs[1]!r}"
    assert len(kept) == len(made)


def test_every_device_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \|", TABLES, re.MULTILINE)
    assert rows == sorted(device_names())


def test_figures_in_the_text_are_those_of_the_code(found):
    least, most = found.roofline() or (0, 0)
    assert f"{least:.2g} to {most:.2g} times too fast" in PROSE
    for family in ("jetson", "discrete"):
        bands = load_family(ROOT / "arch_configs" / "gpu" / f"_{family}.yaml").bands
        own, others = bands.calibrated, bands.default
        said = [f"{band.figure.value:g}" for band in (own.floor, own.work, own.energy)]
        assert "floor\n  x/{}, work x/{}, energy x/{}".format(*said) in PROSE
        said = [f"{band.figure.value:g}" for band in (others.floor, others.work, others.energy)]
        assert "(x/{}, x/{}, x/{})".format(*said) in PROSE
    rows = {(r.system, r.scenario, r.quantity): r for r in found.rows}
    orin = rows["agx_orin", "Offline", "throughput"].published
    assert f"({orin:.0f} of 6438 images/s" in PROSE
    slower = rows["agx_orin_ctuning", "Offline", "throughput"]
    assert f"{100 * (1 - slower.published / orin):.0f} % slower" in PROSE
    network = [r for r in found.rows if r.network == "ssd_mobilenet"]
    for quantity in ("latency", "throughput"):
        worst = max(r.modelled / r.published for r in network if r.quantity == quantity)
        assert f"up to {worst:.2f} times" in PROSE.replace("\n", " ")
    floors = [f.time.floor.value for f in found.fits if f.fused and f.time.floor and "latency" in f.used]
    standard = [f for f in found.fits if f.power_mode not in ("MAXQ",) and f.time.floor and "latency" in f.used]
    assert f"({min(floors) * 1e6:.1f} to {max(f.time.floor.value for f in standard) * 1e6:.0f} us;" in PROSE
    unfused = next(f for f in found.fits if not f.fused)
    assert f"{unfused.time.floor.value * 1e6:.0f} us a kernel" in PROSE


def test_commands_of_the_page_exist():
    commands = set(
        re.findall(r"archsim (\w+) ", "\n".join(re.findall(r"^    archsim .*$|`archsim .*?`", PAGE, re.MULTILINE)))
    )
    assert {"compare", "calibration", "schema", "check"} <= commands
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    options = set(re.findall(r"(--\w+)", PAGE))
    for option in options:
        helped = [CliRunner().invoke(app, [c, "--help"], terminal_width=200).stdout for c in commands]
        assert any(option in text for text in helped), option


def test_the_example_of_ones_own_measurement_is_one(tmp_path):
    block = GUIDE.split("    schema: archsim/measurements@1\n")[1].split("\n\n")[0]
    path = tmp_path / "mine.yaml"
    path.write_text("schema: archsim/measurements@1\n" + "\n".join(line[4:] for line in block.splitlines()) + "\n")
    mine = load_measurements(path).systems["mine"]
    assert mine.calibrates == ("latency", "energy")
    assert [run.passes for run in mine.runs] == [20, 20]
