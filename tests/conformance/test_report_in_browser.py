"""The HTML report in a browser without a network: no error, nothing sticks out, on a desk, a telephone and paper."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from archsim.report.html import html_report, read_stored
from archsim.report.study.findings import findings
from archsim.report.study.output import study_page
from tests.page import parse
from tests.studies import grid

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, NARROW = 1200, 390  # CSS pixels: a laptop, a telephone
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
MEASURE = """
<script>
addEventListener("load", () => {
  const box = (e) => e.getBoundingClientRect();
  const plots = [...document.querySelectorAll("figure svg[role=img]")].map((e) => [box(e).width, box(e).height]);
  const out = [...document.querySelectorAll("body *")].filter((e) => box(e).right > innerWidth + 1
    && !e.closest(".scroll, pre")).map((e) => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 60)}`);
  parent.postMessage({
    width: innerWidth, scroll: document.documentElement.scrollWidth, plots, out,
    buttons: document.querySelectorAll(".code button").length,
    ink: getComputedStyle(document.body).color, paper: getComputedStyle(document.body).backgroundColor,
    fetched: performance.getEntriesByType("resource").map((e) => e.name),
    links: [...document.querySelectorAll("a")].every((a) => document.querySelector(a.hash)),
  }, "*");
});
</script>
"""
FRAMES = """<!DOCTYPE html><body style="margin: 0">
<script>addEventListener("message", (m) => {
  const frame = [...document.querySelectorAll("iframe")].find((f) => f.contentWindow === m.source);
  frame.previousElementSibling.textContent = JSON.stringify(m.data);
})</script>
"""
FRAME = """<pre class="found"></pre><iframe width="{width}" height="900" style="border: 0" srcdoc="{page}"></iframe>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the path")


@pytest.fixture(scope="module")
def page(stored) -> str:
    """Everything that a report can show: a run, an evaluation and a comparison, beside another run."""
    return html_report([read_stored(stored[kind]) for kind in ("run", "evaluation", "comparison", "chips")])


@pytest.fixture(scope="module")
def study() -> tuple[str, list[str]]:
    """The page of a study with failed points, and its plots."""
    return study_page(findings(grid(failing=True)))


def browse(url: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a file in a headless browser that can reach nothing, and return what it prints."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
            "--enable-logging=stderr", *options, url.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what a page wrote to the console."""
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def measured(pages: dict[str, tuple[str, int]], folder: Path, *options: str) -> dict[str, dict]:
    """Return what pages measure in frames of a width each, by name."""
    frames = [FRAME.format(width=width, page=html.escape(page + MEASURE)) for page, width in pages.values()]
    (folder / "frames.html").write_text(FRAMES + "".join(frames), encoding="utf-8")
    done = browse(folder / "frames.html", folder / "profile", "--virtual-time-budget=20000", "--dump-dom", *options)
    assert complaints(done) == []
    found = re.findall(r'<pre class="found">(.*?)</pre>', done.stdout, re.DOTALL)
    return {name: json.loads(html.unescape(one)) for name, one in zip(pages, found, strict=True)}


@pytest.fixture(scope="module")
def light(page, study, tmp_path_factory) -> dict[str, dict]:
    """What both pages measure where a light page is preferred, all in one browser: starting it takes a second."""
    pages = {f"{name} {width}": (text, width) for name, text in (("report", page), ("study", study[0]))
             for width in (WIDE, NARROW)}  # fmt: skip
    return measured(pages, tmp_path_factory.mktemp("light"), LIGHT)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_sticks_out_and_every_plot_has_a_size(page, light, width):
    found = light[f"report {width}"]
    assert found["width"] == width
    assert found["out"] == []
    assert found["scroll"] <= width
    assert len(found["plots"]) == len(list(parse(page).all("figure"))) > 10
    assert all(across > 300 and up > 60 for across, up in found["plots"])
    assert found["buttons"] == len(list(parse(page).all(class_="code")))
    assert found["links"]
    assert found["fetched"] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_page_of_a_study_stays_in_its_frame(study, light, width):
    found = light[f"study {width}"]
    assert found["width"] == width
    assert found["out"] == []
    assert found["scroll"] <= width
    assert len(found["plots"]) == len(study[1]) >= 5
    assert all(across > 300 and up > 60 for across, up in found["plots"])
    assert found["links"]
    assert found["fetched"] == []


def test_light_and_dark_are_readable(page, light, tmp_path):
    dark = measured({"report": (page, WIDE)}, tmp_path, DARK)["report"]
    for found, is_dark in ((light[f"report {WIDE}"], False), (dark, True)):
        ink, paper = (_luminance(found[name]) for name in ("ink", "paper"))
        assert (paper < ink) == is_dark
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7  # WCAG 2.1, level AAA


def _luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)` (WCAG 2.1)."""
    parts = [int(p) / 255 for p in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_file_opens_from_disk_and_is_drawn(page, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    shot = tmp_path / "shot.png"
    done = browse(tmp_path / "report.html", tmp_path / "profile", f"--screenshot={shot}", f"--window-size={WIDE},4000")
    assert complaints(done) == []
    drawn = shot.read_bytes()
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", drawn[16:24]) == (WIDE, 4000)
    assert len(drawn) > 100_000  # an empty page of this size has some 20 kB


def test_it_prints(page, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    paper = tmp_path / "report.pdf"
    done = browse(tmp_path / "report.html", tmp_path / "profile", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert complaints(done) == []
    pages = re.findall(rb"/Type\s*/Page\b", paper.read_bytes())
    assert 5 < len(pages) < 60


def test_a_page_that_complains_or_sticks_out_is_noticed(tmp_path):
    """The measurements above can fail: a page with an error, one that is too wide."""
    wide = """<!DOCTYPE html><html><body style="background: #fff"><p style="width: 500px">wide</p>
    <img src="http://example.invalid/x.png"></body></html>"""
    found = measured({"wide": (wide, NARROW)}, tmp_path)["wide"]
    assert found["out"] == ["P : wide"]
    assert found["scroll"] > NARROW
    assert found["fetched"] == ["http://example.invalid/x.png"]
    (tmp_path / "bad.html").write_text("<script>nothing()</script>")
    (said,) = complaints(browse(tmp_path / "bad.html", tmp_path / "profile", "--dump-dom"))
    assert "nothing is not defined" in said
