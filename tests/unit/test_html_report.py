"""The HTML report: it says what the results say, needs nothing but itself, and can hold any text."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from archsim.errors import ConfigError, DataError
from archsim.report.export import OutputFile
from archsim.report.html import Stored, html_report, read_stored, words, write_report
from archsim.report.html.columns import columns_of
from archsim.report.html.formats import Range
from tests.page import Element, parse, table


@pytest.fixture(scope="session")
def contents(stored):
    """Return result.json and manifest.json of each folder, as plain data."""
    return {
        name: tuple(json.loads((folder / file).read_text()) for file in ("result.json", "manifest.json"))
        for name, folder in stored.items()
    }


DRAWN = {"comparison": ["comparison"], "beside": ["run", "costs", "chips", "evaluation"]}
UNDRAWN = {"run": ["run"], "costs": ["costs"], "together": ["run", "evaluation"]}
PAGES = [*DRAWN, *UNDRAWN]


@pytest.fixture(scope="module")
def pages(stored):
    """Return pages as text: of single results, and of several; plots in some, for they take seconds."""

    def page(kinds):
        return html_report([read_stored(stored[kind]) for kind in kinds])

    made = {name: page(kinds) for name, kinds in DRAWN.items()}
    with pytest.MonkeyPatch.context() as patch:
        leave_out_plots(patch)
        return made | {name: page(kinds) for name, kinds in UNDRAWN.items()}


@pytest.fixture(scope="module")
def trees(pages):
    return {name: parse(page) for name, page in pages.items()}


@pytest.fixture
def undrawn(monkeypatch):
    leave_out_plots(monkeypatch)


def leave_out_plots(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("archsim.report.html.page.plots", lambda _: [])


def unchanged(result, manifest) -> None:
    """Leave a result as it is."""


def changed(contents, kind: str, change, name: str = "changed") -> Stored:
    """Return a stored result after `change(result, manifest)`."""
    result, manifest = copy.deepcopy(contents[kind])
    change(result, manifest)
    return Stored.of(name, result, manifest)


def sections(root: Element) -> list[str]:
    return [s.attributes["id"] for s in root.all("section")]


def card(root: Element, what: str) -> str:
    return next(c.text for c in root.all(class_="card") if c.children[0].text == what)


def near(value: float, scale: float, unit: str) -> str:
    return f"{value * scale:.3g} {unit}"


# Reading


def test_the_folders_are_read_back_as_they_were_written(stored, contents):
    for name, folder in stored.items():
        one = read_stored(folder)
        assert one.data == contents[name][0]
        assert contents[name][0]["schema"] == one.content.SCHEMA
        assert one.manifest.config_hash == contents[name][1]["config_hash"]
    assert {read_stored(stored[k]).word for k in ("run", "evaluation", "comparison")} == {
        "run", "evaluation", "comparison",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.pop("schema"), r"has no schema: another archsim made it; run the command in its manifest.json"),
        (lambda d: d.update(schema="archsim/result@2"), r"result@2' is of another version .*'archsim/result@1'"),
        (lambda d: d.update(schema="archsim/results@1"), r"unknown .* did you mean 'archsim/result@1'"),
        (lambda d: d.update(schema=7), r"schema: unknown '7'"),
        (lambda d: d.pop("latency_s_per_image"), r"latency_s_per_image: is missing; .* make the result"),
        (lambda d: d["area_m2"]["by_part"]["router"].pop("low"), r"area_m2.by_part.router.low: is missing"),
        (lambda d: d["layers"][1].update(rows="many"), r"layers.1.rows: .*'many'"),
        (lambda d: d.update(stations=None, stalls=3), r"stations: .* \(and 1 more\)"),
    ],
)  # fmt: skip
def test_a_result_that_is_not_what_archsim_writes_is_refused(stored, tmp_path, change, says):
    folder = shutil.copytree(stored["run"], tmp_path / "copy")
    data = json.loads((folder / "result.json").read_text())
    change(data)
    (folder / "result.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=says) as error:
        read_stored(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["platforms"][1]["headline"].update(latency=99), "comparison: 'modelled:h100' has no point 99"),
        (lambda c: c["ratios"][0].update(platform="gone"), "'gone' has no point"),
        (lambda c: c["platforms"].clear(), "comparison.platforms: "),
    ],
)
def test_a_comparison_that_refers_to_nothing_is_refused(contents, change, says):
    with pytest.raises(DataError, match=says):
        changed(contents, "comparison", lambda d, _: change(d["comparison"]))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("result.json", b"{", "result.json: is not JSON"),
        ("result.json", b"[1]", "result.json: holds no JSON object"),
        ("result.json", b'{"schema": NaN}', "is not JSON .NaN is no JSON number"),
        ("result.json", b"\xff\xfe", "result.json: is not JSON"),
        ("result.json", b"[" * 100_000, "result.json: is not JSON"),
        ("result.json", None, "result.json: missing"),
        ("manifest.json", None, "manifest.json: missing"),
        ("manifest.json", b"{}", "manifest.json: command: is missing .and 6 more"),
    ],
)
def test_broken_and_missing_files_are_refused(stored, tmp_path, file, content, says):
    folder = shutil.copytree(stored["run"], tmp_path / "copy")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_stored(folder)


def test_what_is_no_folder_is_refused(stored, tmp_path):
    with pytest.raises(DataError, match="does not exist; name a folder that was made with --out"):
        read_stored(tmp_path / "nothing")
    with pytest.raises(DataError, match="is no folder"):
        read_stored(stored["run"] / "result.json")
    (tmp_path / "result.json").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_stored(tmp_path)


# Columns


def named(columns) -> list[tuple[str, list[str]]]:
    return [(c.label, [s.word for s in c.stored.values()]) for c in columns]


def test_results_of_the_same_settings_share_a_column(stored):
    one = [read_stored(stored[k]) for k in ("evaluation", "run", "comparison")]
    whole = [("lenet5_digits on spatial_spindrop_stt", ["evaluation", "run", "comparison"])]
    assert named(columns_of(one)) == whole
    (column,) = columns_of(one)
    assert column.uncertainty is one[0].content  # its own rather than the one inside the comparison
    assert column.result is one[1].content
    (alone,) = columns_of(one[2:])
    assert alone.uncertainty is one[2].content.uncertainty
    assert alone.result is one[2].content.chip


@pytest.mark.parametrize(
    "change",
    [
        lambda _, m: m["config"].update(images=61),
        lambda _, m: m["config"]["arch"].update(name="other"),
        lambda _, m: m["config"]["costs"]["router"]["area_m2"].update(value=1.0),
        lambda _, m: m["config"].update(trace="other"),
    ],
)
def test_any_setting_that_differs_keeps_results_apart(stored, contents, change):
    other = changed(contents, "evaluation", change)
    assert len(columns_of([read_stored(stored["run"]), other])) == 2


def test_two_runs_never_share_a_column_and_labels_tell_columns_apart(stored, contents):
    run, twin = read_stored(stored["run"]), changed(contents, "run", unchanged, "elsewhere/twin")
    assert named(columns_of([run, twin])) == [("run", ["run"]), ("twin", ["run"])]
    assert [c.label for c in columns_of([run, read_stored(stored["chips"])])] == [
        "spatial_spindrop_stt", "spindrop_stt_varied",
    ]  # fmt: skip
    other = changed(contents, "run", lambda d, m: (d.update(workload="mlp"), m["config"].update(trace="mlp")))
    assert [c.label for c in columns_of([run, other])] == ["lenet5_digits", "mlp"]


def test_nothing_and_the_same_folder_twice_are_refused(stored, undrawn):
    with pytest.raises(ConfigError, match="no results"):
        html_report([])
    run = stored["run"]
    with pytest.raises(ConfigError, match="named twice"):
        html_report([read_stored(run), read_stored(run.parent / "." / "costs" / ".." / "run")])


# The page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_and_needs_nothing_but_itself(pages, trees, name):
    page, root = pages[name], trees[name]
    assert page.startswith("<!DOCTYPE html>")
    ids = [e.attributes["id"] for e in root.all() if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    for e in root.all():
        for attribute in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
            target = e.attributes.get(attribute)
            assert target is None or target == "data:," or target[1:] in ids, f"<{e.tag}> refers to {target}"
    assert not re.search(r"@import|url\((?!#)", page)
    levels = [int(e.tag[1]) for e in root.all() if re.fullmatch("h[1-6]", e.tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    (contents_list,) = root.all("nav")
    assert [a.attributes["href"][1:] for a in contents_list.all("a")] == sections(root)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_aloud(trees, name):
    root = trees[name]
    assert next(root.all("html")).attributes["lang"] == "en"
    figures = list(root.all("figure"))
    assert len(figures) >= 10 if name in DRAWN else not figures
    for figure in figures:
        (caption,), (svg,) = figure.all("figcaption"), [s for s in figure.all("svg") if "role" in s.attributes]
        assert len(caption.text) > 20
        assert svg.attributes["role"] == "img"
        assert svg.attributes["aria-label"]
    for found in root.all("table"):
        assert found.children[0].tag == "caption"
        assert found.children[0].text
        widths = {len(row.children) for row in found.all("tr")}
        assert len(widths) == 1, found.children[0].text
        assert all(cell.attributes["scope"] in ("col", "row") for cell in found.all("th"))


def test_a_page_has_the_sections_that_there_is_something_for(trees):
    common = ["doubts", "made", "sources"]
    assert sections(trees["run"]) == ["summary", "cost", "quality", *common]
    assert sections(trees["costs"]) == ["summary", "cost", *common]
    assert sections(trees["comparison"]) == ["summary", "compared", "cost", "quality", *common]
    assert "Stopping early" in {h.text for h in trees["together"].all("h3")}
    assert not {"Calibration", "Stopping early"} & {h.text for h in trees["run"].all("h3")}


def test_the_same_results_make_the_same_page(pages, stored, undrawn):
    assert html_report([read_stored(stored["run"]), read_stored(stored["evaluation"])]) == pages["together"]


def test_the_cards_say_what_the_result_says(trees, contents):
    root, result = trees["together"], contents["run"][0]
    assert near(result["latency_s_per_image"], 1e6, "µs") in card(root, "Latency")
    energy = result["energy_j_per_image"]
    said = card(root, "Energy")
    assert said.startswith(f"Energy {near(energy['value'], 1e9, 'nJ')} {near(energy['low'], 1e9, 'nJ')} to ")
    assert f"{100 * energy['leakage'] / energy['value']:.1f} %" in said
    test = contents["evaluation"][0]["test"]
    assert f"{100 * test['accuracy']['value']:.1f} %" in card(root, "Accuracy")
    assert f"{test['nll']['value']:.4f}" in card(root, "Negative log-likelihood (NLL)")
    (ood,) = contents["evaluation"][0]["ood"]
    assert f"{ood['detection']['entropy']['auroc']['value']:.3f}" in card(root, "Unknown inputs (AUROC)")


def test_the_tables_hold_every_part_with_its_share_and_range(trees, contents):
    parts = contents["run"][0]["energy_j_per_image"]["by_part"]
    found = table(trees["run"], "Energy of an image by part")
    whole = sum(p["value"] for p in parts.values())
    rows = {row.children[0].text: row.children[1].text for row in found.all("tr") if row.children[0].tag == "th"}
    assert set(rows) == set(parts)
    assert list(rows) == sorted(parts, key=lambda name: -parts[name]["value"])
    for name, part in parts.items():
        assert f"{100 * part['value'] / whole:.1f} %" in rows[name]


def test_the_share_of_each_grade_is_that_of_the_figures_behind_the_energy(trees, contents):
    result, manifest = contents["run"]
    grade = {f["path"]: f["grade"] for f in manifest["figures"]}
    shares: dict[str, float] = {}
    for action, part in result["energy_j_per_image"]["by_action"].items():
        path = action if action.endswith("leakage") else f"{action}.energy"
        shares[grade[path]] = shares.get(grade[path], 0.0) + part["value"] / result["energy_j_per_image"]["value"]
    assert math.isclose(sum(shares.values()), 1.0)
    found = table(trees["run"], "The share that figures of each grade stand for")
    for name, share in shares.items():
        assert found.row(name)[1] == f"{100 * share:.1f} %"


def test_every_number_stands_with_its_grade_and_sources(trees, contents):
    root, manifest = trees["run"], contents["run"][1]
    (section,) = root.all("section", id="sources")
    for grade in {f["grade"] for f in manifest["figures"]}:
        rows = list(table(section, f"{grade}:").all("tr"))[1:]
        assert sorted(row.children[0].pieces[0].strip() for row in rows) == sorted(
            f["path"] for f in manifest["figures"] if f["grade"] == grade
        )
    for key, text in manifest["citations"].items():
        (note,) = section.all("li", id=f"source-{key}")
        assert " ".join(text.split()) in note.text
    opened = [d.children[0].text.partition(":")[0] for d in section.all("details") if "open" in d.attributes]
    assert opened == ["ASSUMED", "RECALLED"]


def test_the_command_and_the_configuration_are_on_the_page(trees, contents):
    root, manifest = trees["run"], contents["run"][1]
    code = ["".join(c.pieces) for c in root.all("code")]
    assert " ".join(manifest["command"]) in " ".join(code[0].split())
    config = json.loads(code[1])
    assert config == {k: v for k, v in manifest["config"].items() if k != "costs"}
    versions = table(root, "Versions, seed and machine")
    assert versions.row("numpy")[1] == manifest["versions"]["numpy"]


def test_warnings_and_implausible_figures_are_prominent(contents, undrawn):
    def spoil(result, manifest):
        result["warnings"] = ["do not trust this"]
        result["plausibility"][0]["plausible"] = False

    root = parse(html_report([changed(contents, "run", spoil)]))
    (summary,) = root.all("section", id="summary")
    assert "do not trust this" in next(summary.all(class_="warning")).text
    (bad,) = root.all("td", class_="bad")
    assert "OUTSIDE" in bad.text
    assert not list(parse(html_report([changed(contents, "run", unchanged)])).all("td", class_="bad"))


def test_text_of_any_kind_is_text(contents, monkeypatch):
    evil = "<script>alert('1')</script> $\\frac$ &amp; \" \N{GREEK SMALL LETTER ALPHA}"

    def spoil(result, manifest):
        for part in (result, result.get("chip"), result.get("uncertainty")):
            if part:
                part |= {"arch": f"{evil} {len(manifest['config'])}", "workload": evil, "warnings": [evil]}
        manifest["command"] = ["archsim", evil]
        manifest["citations"] = dict.fromkeys(manifest["citations"], evil)
        manifest["config"]["arch"]["description"] = evil
        for platform in result.get("comparison", {}).get("platforms", []):
            platform |= {"device": evil, "notes": [evil], "about": {evil: [{evil: evil}]}}

    run, costs, comparison = (changed(contents, kind, spoil, kind) for kind in ("run", "costs", "comparison"))
    root = parse(html_report([run, costs]))  # with plots: their keys name both
    (script,) = root.all("script")
    assert "alert" not in "".join(script.pieces)
    verbatim = " ".join(evil.split())
    assert verbatim in next(root.all(class_="warning")).text
    assert verbatim in next(root.all("ol", class_="notes")).text
    assert '</script> $\\frac$ &amp; " \N{GREEK SMALL LETTER ALPHA}' in next(root.all("code")).text
    leave_out_plots(monkeypatch)
    root = parse(html_report([comparison]))
    assert next(root.all("h1")).text.startswith(f"{verbatim} on {verbatim}")
    (compared,) = root.all("section", id="compared")
    assert verbatim in " ".join(d.children[0].text for d in compared.all("details"))


def test_a_comparison_says_gains_boundaries_and_why_there_is_no_ratio(trees, contents):
    root, data = trees["comparison"], contents["comparison"][0]["comparison"]
    ratios = {(r["platform"], r["role"], r["what"]): r for r in data["ratios"]}
    found = table(root, "What the chip gains")
    best = next(row for row in found.all("tr") if row.text.startswith("modelled:h100 its best way"))
    latency = ratios["modelled:h100", "headline", "latency"]
    assert (
        best.children[1].text
        == f"{latency['value']:.3g} \N{MULTIPLICATION SIGN} {latency['low']:.3g} to {latency['high']:.3g}"
    )
    assert best.children[3].text == "none (a)"
    refused = ratios["modelled:h100", "headline", "energy"]["refused"]
    (section,) = root.all("section", id="compared")
    assert f"(a) modelled:h100: {refused}" in [li.text for li in section.all("li")]
    other = ratios["record:spindrop", "headline", "energy"]["refused"]
    assert f"record:spindrop: {other}" in [li.text for li in section.all("li")]
    points = table(section, "What an image takes")
    chip = data["platforms"][0]["points"][0]
    assert near(chip["latency_s"]["value"], 1e6, "µs") in points.row("spatial_spindrop_stt")[2]
    assert "board: the board" in section.text
    elsewhere = table(section, "Published figures of other networks")
    assert "record:spindrop" in elsewhere.text
    software = table(section, "The same network in torch")
    sides = contents["comparison"][0]["chip"]["accuracy"], data["software"]["accuracy"]
    for cell, side in zip(software.row("accuracy")[1:], sides, strict=True):
        assert cell.startswith(f"{100 * side['value']:.1f} % {100 * side['low']:.1f} % to")
    said = next(s for s in root.all("section", id="summary")).text
    assert "energies of different things (chip here, board there), so no ratio" in said


def test_an_allowed_ratio_names_both_boundaries(contents, undrawn):
    def allow(result, manifest):
        for ratio in result["comparison"]["ratios"]:
            if ratio["platform"] == "modelled:h100":
                ratio |= {"value": 0.5, "low": 0.25, "high": 0.75, "refused": None}

    root = parse(html_report([changed(contents, "comparison", allow)]))
    best = next(
        r for r in table(root, "What the chip gains").all("tr") if r.text.startswith("modelled:h100 its best way")
    )
    assert best.children[3].text == "0.5 \N{MULTIPLICATION SIGN} 0.25 to 0.75; energy of chip here, of board there"
    assert "bad" in best.children[3].attributes["class"]
    assert "0.5 \N{MULTIPLICATION SIGN}" in card(root, "Energy over modelled:h100")
    assert "the chip is worse; there: " in card(root, "Energy over modelled:h100")
    assert card(root, "Energy over modelled:h100").endswith("; energy of chip here, of board there")


def test_what_ended_midway_is_said(contents, undrawn):
    def lose(result, manifest):
        result["comparison"] |= {"lost": ["measured:cuda: the GPU fell off the bus"], "software": None}
        result["comparison"]["software_missing"] = "it is untrained"

    root = parse(html_report([changed(contents, "comparison", lose)]))
    assert any("fell off the bus" in w.text for w in root.all(class_="warning"))
    assert "The same network in software was not judged: it is untrained." in [p.text for p in root.all("p")]


def test_several_results_stand_side_by_side(trees, contents):
    root = trees["beside"]
    labels = ["run", "costs", "chips"]
    head = next(table(root, "Side by side").all("thead")).text
    assert head == " ".join(labels)
    row = table(root, "Side by side").row("Accuracy")
    assert row[1].startswith(f"{100 * contents['evaluation'][0]['test']['accuracy']['value']:.1f} %")
    assert row[2] == "\N{EN DASH}"
    differences = table(root, "Settings that differ")
    paths = {r.children[0].text for r in differences.all("tr")} - {""}
    assert {"arch.converter.bits", "function", "passes", "images"} <= paths
    assert "arch.crossbar.rows" not in paths
    assert differences.row("arch.converter.bits")[1:3] == ["4", "5"]


def test_chips_show_their_spread(trees, contents):
    spread = contents["chips"][0]["chips"]["accuracy"]
    found = table(trees["beside"], "Mean and deviation over 2 sampled chips").row("accuracy")[1]
    assert found.startswith(f"{100 * spread['mean']:.1f} % ± {100 * spread['deviation']:.1f} %")
    assert "imperfections that are on" in trees["beside"].text.lower()


def test_missing_parts_and_unbounded_numbers_make_a_page_all_the_same(contents, undrawn):
    def bare(result, manifest):
        result |= {
            "critical_path": [],
            "stalls": [],
            "accuracy": {"value": 0.5, "low": None, "high": None, "method": ""},
        }
        result["endurance"] |= {"cycles": None, "lifetime_images": None}
        result["nll"] = {"value": None, "low": None, "high": None, "method": ""}
        result["plausibility"] = []
        manifest["figures"] = manifest["citations"] = []
        manifest["citations"] = {}

    root = parse(html_report([changed(contents, "run", bare)]))
    assert sections(root) == ["summary", "cost", "quality", "doubts", "made"]
    assert card(root, "Negative log-likelihood (NLL)").startswith("Negative log-likelihood (NLL) unknown")
    assert card(root, "Accuracy").startswith("Accuracy 50.0 % of the test")

    def empty(result, manifest):
        result |= {"ood": [], "rotation_degrees": [], "corruptions": [], "adaptive": [], "risk_coverage": {}}

    root = parse(html_report([changed(contents, "evaluation", empty)]))
    assert [h.text for h in root.all("h3")][:1] == ["Calibration"]


@pytest.mark.parametrize("kind", ["run", "evaluation", "comparison"])
def test_whatever_is_cut_out_of_a_file_there_is_a_page_or_one_sentence(contents, kind, undrawn):
    """A file with each of its parts missing in turn, or null."""
    accepted = []

    def cut(result, key, how):
        place = result["comparison"] if kind == "comparison" else result
        place.pop(key) if how == "gone" else place.update({key: None})

    data = contents[kind][0]["comparison"] if kind == "comparison" else contents[kind][0]
    for key in data:
        for how in ("gone", "null"):
            with suppress(DataError):
                one = changed(contents, kind, lambda d, _, key=key, how=how: cut(d, key, how))
                accepted.append(key)
                parse(html_report([one]))
    assert 3 < len(accepted) < len(data)


# Files


def test_a_report_is_written_beside_its_result_with_its_plots(stored, tmp_path, pages):
    folder = shutil.copytree(stored["costs"], tmp_path / "out")
    write_report(folder, plots=True)
    page = (folder / "report.html").read_text()
    names = {f.attributes["id"].removeprefix("plot-") for f in parse(page).all("figure")}
    assert {p.name for p in (folder / "plots").iterdir()} == {f"{n}.{kind}" for n in names for kind in ("png", "svg")}
    with pytest.raises(ConfigError, match=r"report\.html' exists already"):
        write_report(folder)
    assert (folder / "report.html").read_text() == page
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "page.html"
    with pytest.raises(ZeroDivisionError), OutputFile(path) as file:
        file.text("half" * (1 // 0))
    assert list(path.parent.iterdir()) == []
    with OutputFile(path) as file:
        file.text("wh\N{LATIN SMALL LETTER O WITH DIAERESIS}le")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "wh\N{LATIN SMALL LETTER O WITH DIAERESIS}le"
    with pytest.raises(ConfigError, match="exists already"), OutputFile(path):
        raise AssertionError("never entered")
    with pytest.raises(ConfigError, match="cannot be written"), OutputFile(path / "below.html"):
        raise AssertionError("never entered")


# Words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.quantity(1.2345e-6, "s"), "1.23\xa0µs"),
        (words.quantity(3.4e-10, "m^2"), "340\xa0µm²"),
        (words.quantity(5e3, "ohm"), "5\xa0kΩ"),
        (words.quantity(math.nan, "J"), "unknown"),
        (words.area(2.78e-6), "2.78\xa0mm²"),
        (words.rate(41791.4), "41\xa0791\xa0images/s"),
        (words.rate(812.34), "812.3\xa0images/s"),
        (words.share(0.1234), "12.3\xa0%"),
        (words.factor(0.00244), "0.00244\xa0\N{MULTIPLICATION SIGN}"),
        (words.factor(123456.0), "123\xa0456\xa0\N{MULTIPLICATION SIGN}"),
        (words.factor(1234.5), "1234\xa0\N{MULTIPLICATION SIGN}"),
        (words.factor(999.7), "1000\xa0\N{MULTIPLICATION SIGN}"),
        (words.factor(math.inf), "unknown"),
        (words.span(Range(value=1, low=0.5, high=2), "{:g}".format), "0.5 to 2"),
        (words.span(Range(value=1, low=None, high=2), "{:g}".format), "at most 2"),
        (words.span(Range(value=1, low=0.5, high=None), "{:g}".format), "at least 0.5"),
        (words.span(Range(value=1, low=1, high=1), "{:g}".format), ""),
        (words.span(Range(value=1, low=None, high=None), "{:g}".format), ""),
        (words.led("", "all of it"), "All of it"),
        (words.led("a: ", "all of it"), "a: all of it"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(said, expected):
    assert said == expected


@pytest.mark.parametrize(
    ("low", "high", "tone"), [(1.5, 3, "good"), (0.5, 3, ""), (0.5, None, ""), (1.5, None, "good"), (0.1, 0.9, "bad")]
)
def test_a_gain_speaks_for_a_side_only_if_its_whole_range_does(low, high, tone):
    assert words.tone(Range(value=2 if tone != "bad" else 0.5, low=low, high=high)) == tone


def test_paths_are_those_of_the_user(stored):
    assert read_stored(Path(stored["run"])).name == str(stored["run"])
