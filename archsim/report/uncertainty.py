"""An evaluation of uncertainty for people: the test set first, then what the network does not know, then the cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from archsim.metrics.intervals import Estimate
from archsim.report.layout import Cell, bar, count, heading, joules, percent, table
from archsim.report.summary import QUALITY, SHARES
from archsim.uncertainty.findings import Adaptive, Effort, SetFindings, Uncertainty
from archsim.units import show

VALUES = {
    "rmse": "root of the mean squared error; all in standard deviations of the target",
    "nll": "nats: negative log-likelihood of the target",
    "crps": "continuous ranked probability score",
    "coverage_50": "targets inside the central 50 % intervals",
    "coverage_90": "targets inside the central 90 % intervals",
    "deviation": "predictive: passes and noise",
    "model_deviation": "of the passes alone, in the model",
}
SCORES = {"max_probability": "max prob.", "mutual_information": "mutual inf.", "model_variance": "variance"}
SETS_SHOWN = 3  # beside the mean over all
COVERAGES = (1.0, 0.9, 0.8, 0.5)
CURVE = {"classification": ("accuracy", "nll", "ece", "entropy"), "regression": ("rmse", "nll", "deviation")}


def uncertainty_report(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield what a terminal of 80 to 100 columns shows of an evaluation."""
    yield Text(f"{found.workload} on {found.arch}", style="bold")
    chips = f", {len(found.per_chip)} sampled chips" if found.per_chip else ""
    yield f"{count(found.images)} images x {count(found.passes)} passes, seed {found.seed}{chips}"
    ranges = "means over the chips, least to largest" if found.per_chip else "with 95 % intervals"
    yield heading(f"Test set, {ranges}")
    yield table(["", "", "", ""], _figures(found))
    yield from _reliability(found)
    yield from _detection(found)
    yield from _curve("Rotation, degrees", found, found.rotation)
    yield from _corruptions(found)
    yield from _selective(found)
    yield from _adaptive(found)
    yield Text(f"\nconfiguration {found.config_hash}")
    yield "all the data: --json on stdout, or --out DIR for tables and manifest"


def _figures(found: Uncertainty) -> Iterator[list[Cell]]:
    meanings = QUALITY if found.task == "classification" else VALUES
    for name, e in found.test.figures.items():
        say = percent if _is_share(name) else _number
        yield [
            name.replace("_", " "),
            Text(say(e.value), "bold"),
            f"{say(e.low)} to {say(e.high)}",
            Text(meanings[name], "dim"),
        ]
    if found.noise_std is not None:
        yield [
            "stated noise",
            _number(found.noise_std),
            "",
            Text("standard deviation of the data about the truth", "dim"),
        ]


def _reliability(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield the reliability diagram: confidence beside accuracy, bin by bin."""
    if found.reliability:
        yield heading("Reliability" + _of_first(found))
        yield table(
            ["confidence", "images", "mean", "right", "", "95 % interval"],
            (
                [
                    f"{percent(b.low, 0)} to {percent(b.high, 0)}",
                    count(b.images),
                    percent(b.confidence),
                    percent(b.accuracy.value),
                    bar(b.accuracy.value),
                    f"{percent(b.accuracy.low)} to {percent(b.accuracy.high)}",
                ]
                for b in found.reliability
            ),
            right=[1, 2, 3],
        )


def _detection(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield how well each score tells the images of each OOD set from those of the test set."""
    if not found.ood:
        return
    yield heading("Unknown images (OOD), told from the test set by each score")
    columns = ["", "AUROC", "range", "AUPR out", "AUPR in", "FPR95", "detected"]
    yield table(columns, (row for s in found.ood for row in _detected(s)), right=range(1, 7))
    alarms = [d.false_alarms.value for d in found.ood[0].detection.values()]
    if alarms:
        raised = f"{percent(min(alarms))} to {percent(max(alarms))}"
        yield Text(f"  detected: at a threshold for 5 % false alarms, which raises {raised}", "dim")
    if found.test.flagged:
        yield from _rule(found)


def _detected(found: SetFindings) -> Iterator[list[Cell]]:
    name = found.name if found.severity is None else f"{found.name} {found.severity:g}"
    yield [Text(name, "bold"), "", Text(f"{count(found.images)} images", "dim"), *[""] * 4]
    for score, d in found.detection.items():
        yield [
            f"  {SCORES.get(score, score)}",
            _share(d.auroc.value),
            f"{_share(d.auroc.low)} to {_share(d.auroc.high)}",
            _share(d.aupr_out.value),
            _share(d.aupr_in.value),
            percent(d.fpr95.value),
            percent(d.detected.value),
        ]


def _rule(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield what the papers' percentile rule calls unknown."""
    rule = found.rule
    yield heading(
        f"Flagged by the papers' rule: {percent(rule.level, 0)} percentile below {rule.threshold:g} ({rule.grade})"
    )
    rows = [("test set (false alarms)", found.test), *((s.name, s) for s in found.ood)]
    yield table(
        ["", "", "", ""],
        (
            [
                name,
                percent(s.flagged.value),
                f"{percent(s.flagged.low)} to {percent(s.flagged.high)}",
                bar(s.flagged.value),
            ]
            for name, s in rows
            if s.flagged
        ),
        right=[1],
    )


def _curve(title: str, found: Uncertainty, sets: Sequence[SetFindings]) -> Iterator[RenderableType]:
    """Yield quality against severity, the test set first."""
    if not sets:
        return
    names = CURVE[found.task]
    score = next(iter(sets[0].detection), None)
    yield heading(title)
    head = ["", *(n.replace("_", " ") for n in names), ""]
    rows = []
    for s in (found.test, *sets):
        first = s.figures[names[0]].value
        row: list[Cell] = ["0" if s is found.test else f"{s.severity:g}"]
        row += [percent(s.figures[n].value) if _is_share(n) else _number(s.figures[n].value) for n in names]
        row.append(bar(first) if _is_share(names[0]) else "")
        row.append(_share(s.detection[score].auroc.value) if score and score in s.detection else "")
        row.append(percent(s.flagged.value) if s.flagged else "")
        rows.append(row)
    yield table([*head, f"AUROC ({score})" if score else "", "flagged"], rows, right=range(len(head) - 1))


def _corruptions(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield the first figure by corruption and severity, and the means of all of them by severity."""
    if not found.corruptions:
        return
    names = CURVE[found.task]
    levels = sorted({s.severity for s in found.corruptions if s.severity is not None})
    by_name: dict[str, dict[float | None, SetFindings]] = {}
    for s in found.corruptions:
        by_name.setdefault(s.name, {})[s.severity] = s
    yield heading(f"Corruptions: {names[0]} by severity; {_say(names[0], found.test)} on the test set")
    yield table(
        ["", *(f"{level:g}" for level in levels)],
        ([name, *(_say(names[0], row[level]) for level in levels)] for name, row in by_name.items()),
        right=range(1, len(levels) + 1),
    )
    yield heading("Mean over these corruptions")
    rows = []
    for name in names:
        means = [_mean([row[level].figures[name] for row in by_name.values()]) for level in levels]
        say = percent if _is_share(name) else _number
        rows.append([name.replace("_", " "), _say(name, found.test), *(say(m) for m in means)])
    yield table(["", "test set", *(f"{level:g}" for level in levels)], rows, right=range(1, len(levels) + 2))


def _selective(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield how wrong the answers are that are kept when the least certain are refused."""
    if not found.selective:
        return
    yield heading("Wrong answers among those kept, if the least certain are refused" + _of_first(found))
    rows = []
    for score, curve in found.selective.items():
        area = f"{curve.aurc.value:.5f}"
        rows.append([SCORES.get(score, score), area, f"{curve.aurc.low:.5f} to {curve.aurc.high:.5f}"])
        rows[-1] += [percent(curve.at(c).value, 2) for c in COVERAGES]
    yield table(["", "AURC", "range", *(percent(c, 0) for c in COVERAGES)], rows, right=range(1, 7))


def _adaptive(found: Uncertainty) -> Iterator[RenderableType]:
    """Yield what stopping early saves, and what it does to the answers."""
    if not found.adaptive:
        return
    yield heading("Adaptive Monte-Carlo: passes until certain, and what an image then costs" + _of_first(found))
    full, enough = found.adaptive[0].full, found.adaptive[0].enough
    rows = [_costs("all passes", full, full), _costs("fewest not worse", enough, full)]
    rows += [row for a in found.adaptive for row in _saved(a)]
    yield table(["", "passes", "latency", "", "energy", "", "range"], rows, right=range(1, 6))
    equal = [a.quality.rule.name for a in found.adaptive if not a.quality.to_full.is_worse]
    notes = [
        ["energy", f"with the decisions and {found.adaptive[0].in_flight} passes that have begun when an image stops"],
        ["not worse", "than all passes, or not shown to be (95 %): " + (", ".join(equal) or "none of these rules")],
    ]
    yield table(["", ""], notes)
    yield heading("Its answers less those of fixed passes (paired 95 % intervals)")
    yield table(
        ["", "passes", "accuracy", "interval", "NLL", "interval"],
        (row for a in found.adaptive for row in _differences(a)),
        right=range(1, 6),
    )
    if found.ood:
        yield heading("And how well their entropy still tells unknown images (AUROC)")
        names = list(found.adaptive[0].full.auroc)
        yield table(["", "mean", *names[:SETS_SHOWN]], _still_told(found), right=range(1, SETS_SHOWN + 2))


def _saved(a: Adaptive) -> Iterator[list[Cell]]:
    yield _costs(a.quality.rule.name, a.effort, a.full)
    yield _costs("  as many, fixed", a.fixed, a.full)


def _costs(name: str, effort: Effort, full: Effort) -> list[Cell]:
    return [
        name,
        f"{effort.passes:.4g}",
        show(effort.latency_s, "s"),
        percent(effort.latency_s / full.latency_s, 0),
        joules(effort.energy_j.value),
        percent(effort.energy_j.value / full.energy_j.value, 0),
        f"{joules(effort.energy_j.low)} to {joules(effort.energy_j.high)}",
    ]


def _still_told(found: Uncertainty) -> Iterator[list[Cell]]:
    """Yield how well entropy tells unknown images after so many passes, for each way to choose them."""
    first = found.adaptive[0]
    efforts = [("all passes", first.full), ("fewest not worse", first.enough)]
    for name, effort in (*efforts, *((a.quality.rule.name, a.effort) for a in found.adaptive)):
        areas = list(effort.auroc.values())
        yield [name, _share(_mean(areas)), *(_share(area.value) for area in areas[:SETS_SHOWN])]


def _differences(a: Adaptive) -> Iterator[list[Cell]]:
    for label, c in ((a.quality.rule.name, a.quality.to_full), ("", a.quality.to_fixed)):
        yield [
            label,
            str(c.passes),
            f"{100 * c.accuracy.value:+.2f} %",
            f"{100 * c.accuracy.low:+.2f} to {100 * c.accuracy.high:+.2f}",
            f"{c.nll.value:+.4f}",
            f"{c.nll.low:+.4f} to {c.nll.high:+.4f}",
        ]


def _of_first(found: Uncertainty) -> str:
    return " (first chip)" if found.per_chip else ""


def _say(name: str, found: SetFindings) -> str:
    value = found.figures[name].value
    return percent(value) if _is_share(name) else _number(value)


def _mean(estimates: Sequence[Estimate]) -> float:
    return sum(e.value for e in estimates) / len(estimates)


def _is_share(name: str) -> bool:
    return name in SHARES or name.startswith("coverage")


def _number(value: float) -> str:
    return f"{value:.4f}"


def _share(value: float) -> str:
    return f"{value:.3f}"
