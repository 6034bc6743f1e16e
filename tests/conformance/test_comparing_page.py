"""What docs/baselines.md shows of a comparison is what a comparison says (else run its command, and paste)."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.comparison import Comparison, compare
from archsim.comparison.figures import figure
from archsim.units import show

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "baselines.md").read_text()
COMMANDS = re.findall(r"^ {4}(archsim compare .*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def found() -> Comparison:
    """The page's first comparison without what is measured, and without images: times and the GPUs need none."""
    words = shlex.split(COMMANDS[0])
    names = [b for a, b in pairwise(words) if a == "--baseline" and not b.startswith("measured:")]
    rate = float(words[words.index("--rate") + 1])
    return compare(ROOT / words[2], ROOT / words[3], names, rate=rate, function=False)


def shown(heading: str) -> str:
    """Return what the page shows below a heading of the output, without line breaks."""
    return " ".join(PAGE[PAGE.index(f"    {heading}") :].partition("\n\n")[0].split())


def test_times_on_the_page(found):
    text = shown("How long")
    for platform, best in zip(found.platforms, found.headlines, strict=True):
        for index in {best.latency, best.naive("latency")} - {None}:
            assert show(platform.points[index].latency_s.value, "s") in text, platform.name


def test_energies_of_the_gpus_on_the_page(found):
    for what, heading in (("energy", "Energy of an image, while busy"), ("energy_at_rate", "Energy of an image, 100")):
        text = shown(heading)
        for platform, best in zip(found.others, found.headlines[1:], strict=True):
            for index in {best.of(what), best.naive(what)} - {None}:
                energy = figure(platform.points[index], what, found.terms.rate)
                if energy:
                    assert show(energy.value, "J") in text, platform.name


def test_gains_on_the_page(found):
    text = shown("What the chip gains")
    given = [r for r in found.ratios if r.estimate]
    assert len(given) == 12  # latency and throughput, best and naive, of two GPUs and a record
    for ratio in given:
        assert f"{ratio.estimate.value:.3g} x" in text, ratio
    assert "its energy is that of 'wall'" in text


@pytest.mark.parametrize("command", [c for c in COMMANDS if "measured:" not in c])
def test_commands_of_the_page_work(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, [*shlex.split(command)[1:], "--costs-only", "--images", "2"])
    assert done.exit_code == 0, done.output


def test_the_page_has_its_commands():
    assert len(COMMANDS) == 2
