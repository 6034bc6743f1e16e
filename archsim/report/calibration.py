"""The GPU model beside published measurements: what fits them and how far off it is, for terminal, machine and page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.baselines.calibration.check import Row
from archsim.baselines.calibration.overview import Overview, SystemFit
from archsim.baselines.device import Device
from archsim.baselines.devices import device_names, find_device
from archsim.hardware.component import Figure
from archsim.metrics.result import finite
from archsim.report.layout import Cell, heading, percent, table
from archsim.units import show

DEVICE_HEAD = ("device", "", "energies at the", "power modes", "fitted to measurements of its own (INT8)")
FIT_HEAD = ("measured system", "mode", "utilisation", "floor", "idle", "active", "an operation")
ROW_HEAD = ("measured system", "run", "published", "modelled", "error", "roofline", "")
SUMMARY_HEAD = ("", "figures", "mean error", "worst", "in its interval")


def calibration_report(found: Overview) -> Iterator[RenderableType]:
    """Yield what a terminal shows: the fits, each published figure beside the model's, and the errors in short."""
    yield heading("Measured systems")
    yield table(["", ""], ([fit.system, _title(fit)] for fit in found.fits))
    yield heading("What fits them")
    yield table(FIT_HEAD, ([fit.system, *_fit(fit)] for fit in found.fits), right=range(2, 7))
    for fit in found.fits:
        for problem in _problems(fit):
            yield Text(f"  {fit.system}: {problem}", style="yellow")
    yield heading("Published beside modelled, with the figures of each device's own file")
    yield table(ROW_HEAD, ([row.system, *_row(row)] for row in found.rows), right=range(2, 6))
    if found.left_out:
        yield heading("The same, with nothing measured on the device itself: from the others of its family")
        yield table(ROW_HEAD, ([row.system, *_row(row)] for row in found.left_out), right=range(2, 6))
    yield heading("In short")
    yield table(SUMMARY_HEAD, _summaries(found), right=range(1, 5))
    yield Text("\n".join(f"  {line}" for line in _notes(found)))


def calibration_data(found: Overview) -> dict[str, Any]:
    """Return plain data for JSON, in SI units."""
    return {
        "fits": [finite(_plain_fit(f)) for f in found.fits],
        "rows": [finite(_plain_row(r)) for r in (*found.rows, *found.left_out)],
        "summaries": [{"what": what, **asdict(errors)} for what, errors in found.summaries()],
        "roofline_alone": dict(zip(("least", "most"), found.roofline() or (None, None), strict=True)),
    }


def calibration_markdown(found: Overview) -> str:
    """Return the tables that are kept in docs/gpu_models.md."""
    fits = ([_title(fit), *_fit(fit)] for fit in found.fits)
    devices = [find_device(name) for name in device_names()]
    lines = ["### Devices", "", *_markdown(DEVICE_HEAD, (_device(d, found) for d in devices), len(DEVICE_HEAD)), ""]
    lines += ["### What fits each measured system", "", *_markdown(FIT_HEAD, fits, 2), ""]
    lines += [f"* {fit.title}: {problem}" for fit in found.fits for problem in _problems(fit)]
    for title, rows in (
        ("With the figures of each device's own file", found.rows),
        ("With nothing measured on the device itself", found.left_out),
    ):
        cells = ([row.title, *_row(row)] for row in rows)
        lines += ["", f"### {title}", "", *_markdown(ROW_HEAD, cells, 2)]
    lines += ["", "### In short", "", *_markdown(SUMMARY_HEAD, _summaries(found), 1), ""]
    return "\n".join([*lines, *(f"{line}\n" for line in _notes(found))])


def _device(device: Device, found: Overview) -> list[Cell]:
    known: dict[str, list[str]] = {}  # what was fitted: in which modes
    for fit in found.fits:
        if fit.device == device.name and "latency" in fit.used:
            known.setdefault("time" if fit.time.floor else "large batches alone", []).append(fit.power_mode)
    for fit in found.fits:
        if fit.device == device.name and "energy" in fit.used:
            known.setdefault("energy", []).append(fit.power_mode)
    fitted = "; ".join(f"{what} in {', '.join(modes)}" for what, modes in known.items())
    names = ", ".join(f"`{mode}`" for mode in device.modes)
    return [f"`{device.name}`", device.description, device.boundary, names, fitted or "nothing: its family's figures"]


def _title(fit: SystemFit) -> str:
    return fit.title if fit.fused else f"{fit.title}, launches not fused"


def _fit(fit: SystemFit) -> list[Cell]:
    time, energy = fit.time, fit.energy
    return [
        fit.power_mode,
        _mark(f"{time.utilisation.value:.3f}" if time.utilisation else "", "latency" in fit.used),
        _mark(_say(time.floor, "s"), "latency" in fit.used),
        _mark(_say(energy.idle if energy else None, "W"), "energy" in fit.used),
        _mark(_say(energy.active if energy else None, "W") or _always(fit), "energy" in fit.used),
        _mark(_say(energy.operation if energy else None, "J"), "energy" in fit.used),
    ]


def _always(fit: SystemFit) -> str:
    return f"{show(fit.energy.always.value, 'W')}, all" if fit.energy else ""


def _mark(text: str, used: bool) -> str:
    """Return a value that no device file takes over in brackets."""
    return text if used or not text else f"({text})"


def _say(figure: Figure | None, unit: str) -> str:
    return show(figure.value, unit) if figure else ""


def _problems(fit: SystemFit) -> Iterator[str]:
    if fit.time.problem:
        yield fit.time.problem
    if fit.energy and fit.energy.problem:
        yield fit.energy.problem


def _row(row: Row) -> list[Cell]:
    if row.quantity == "throughput":
        published, modelled = (f"{value:.0f} /s" for value in (row.published, row.modelled))
    else:
        unit = "s" if row.quantity == "latency" else "J"
        published, modelled = (show(value, unit) for value in (row.published, row.modelled))
    bare = "" if row.roofline is None else f"{_faster(row):.3g} x"
    return [row.scenario, published, modelled, _error(row), bare, _role(row)]


def _faster(row: Row) -> float:
    """Return how many times too fast a roofline alone is."""
    assert row.roofline is not None
    return row.roofline / row.published if row.quantity == "throughput" else row.published / row.roofline


def _error(row: Row) -> Cell:
    if not row.comparable:
        return "-"
    style = "" if row.covered else "yellow"
    return Text(f"{100 * row.error:+.0f} %".replace("-0 %", "+0 %"), style)


def _role(row: Row) -> str:
    if row.comparable or row.boundaries is None:
        return "" if row.role == "left out" else row.role
    return "{}, {}".format(*row.boundaries)


def _summaries(found: Overview) -> Iterator[list[Cell]]:
    for what, errors in found.summaries():
        yield [what, str(errors.rows), percent(errors.mape, 0), f"{errors.worst:.2f} x", percent(errors.covered, 0)]


def _notes(found: Overview) -> Iterator[str]:
    yield (
        "Values in brackets are fitted, but no device file takes them over; an A2's or L4's server hides its card."
        " Energies of two boundaries (published, modelled) are shown, not compared. Roofline: how many times too fast"
        " operations over peak, or bytes over bandwidth, are alone."
    )
    least, most = found.roofline() or (1.0, 1.0)
    yield f"Without floor and utilisation, one image would be {least:.2g} to {most:.2g} times too fast."


def _markdown(head: Sequence[str], rows: Iterable[Sequence[Cell]], texts: int) -> list[str]:
    """Return a table whose first columns are text and the others numbers."""
    rule = "| " + " | ".join("---" if i < texts else "---:" for i in range(len(head))) + " |"
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(str(c) for c in row)} |" for row in rows)]


def _plain_fit(fit: SystemFit) -> dict[str, Any]:
    time, energy = fit.time, fit.energy
    figures = {"utilisation": time.utilisation, "floor_s": time.floor}
    if energy:
        figures |= {"always_w": energy.always, "idle_w": energy.idle, "active_w": energy.active}
        figures["operation_j"] = energy.operation
    return {
        "system": fit.system,
        "title": fit.title,
        "device": fit.device,
        "power_mode": fit.power_mode,
        "used": list(fit.used),
        "problems": list(_problems(fit)),
        **{n: {"value": f.value, "low": f.low, "high": f.high} if f else None for n, f in figures.items()},
    }


def _plain_row(row: Row) -> dict[str, Any]:
    return asdict(row) | {"error": row.error, "covered": row.covered, "comparable": row.comparable}
