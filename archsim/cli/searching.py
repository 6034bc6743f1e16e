"""`archsim search`: look for the best points of a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.cli.campaigning import Ended, Options, Work, campaign, checked, conclude, keep
from archsim.cli.console import print_all, print_json, say
from archsim.cli.following import EVERY_S, duration
from archsim.cli.previewing import Estimate, estimated
from archsim.report.layout import count, heading, table
from archsim.report.study.findings import findings
from archsim.report.study.terminal import pareto_data, pareto_report
from archsim.study import DesignPoint, Outcome, StudyConfig, load_study_file
from archsim.study.checks import check_data, check_study
from archsim.study.keys import tasks_of
from archsim.study.objectives import objectives_of
from archsim.study.ranges import with_ranges
from archsim.study.search import Searched, first_points, run_search, search_of
from archsim.study.spec import Search
from archsim.study.tables import read_study

TOP = 15  # points of the front that are listed
SHOWN = 5  # points that a dry run lists


def search(
    file: Path, settings: tuple[str, ...], options: Options, trials: int | None, *, dry_run: bool, as_json: bool
) -> None:
    """Search a study, and say what was found; or only what would be tried first.

    What has an outcome in the store is not evaluated again, so the same command goes on after an interruption. Raises
    an `ArchsimError` for a study that cannot be searched, and where not a single point came through.
    """
    workers, where = checked(options), str(file)
    config = _with_trials(load_study_file(file, settings), trials)
    search_of(config, where)
    check_study(config, where)
    check_data(config)
    config = with_ranges(config, where)
    if dry_run:
        _preview(config, where, workers, as_json=as_json)
        return
    with campaign(config, file, options) as work:
        searched = run_search(config, where, _evaluation(work, config, where), _Teller())
        ended = work.ended()
    keep(ended, options)
    _conclude(config, searched, ended, as_json=as_json)


def _with_trials(config: StudyConfig, trials: int | None) -> StudyConfig:
    if trials is None:
        return config
    said = config.search or Search(trials=trials)
    return config.model_copy(update={"search": said.model_copy(update={"trials": trials})})


def _evaluation(
    work: Work, config: StudyConfig, where: str
) -> Callable[[Sequence[DesignPoint]], Mapping[int, Outcome]]:
    def evaluate(points: Sequence[DesignPoint]) -> Mapping[int, Outcome]:
        tasks = [*tasks_of(config, where, points)]
        work.store.plan(zip(tasks, points, strict=True))
        work.campaign.run(tasks)
        return work.store.outcomes(point.number for point in points)

    return evaluate


class _Teller:
    """Says on stderr how far a search is, now and then, and when it ends."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, now: Searched) -> None:
        if now.tried == now.wanted or time.monotonic() - self._last > EVERY_S:
            self._last = time.monotonic()
            say(
                f"{count(now.tried)} of {count(now.wanted)} tried, front of {count(now.front)},"
                f" hypervolume {now.hypervolume:.3f}"
            )


# --- at the end ---


def _conclude(config: StudyConfig, searched: Searched, ended: Ended, *, as_json: bool) -> None:
    more: dict[str, Any] = {"search": asdict(searched)}
    if ended.counts.done > ended.counts.failed:
        found = findings(read_study(ended.folder))
        more |= {"objectives": dict(found.objectives), "front": pareto_data(found)["front"]}
        if not as_json:
            print_all(pareto_report(found, TOP))
    if not as_json:
        print_all(_summary(config, searched))
    conclude(config, ended, as_json=as_json, more=more)


def _summary(config: StudyConfig, searched: Searched) -> Iterator[RenderableType]:
    yield heading("Search")
    rows = [("tried", f"{count(searched.tried)} of {count(searched.wanted)} candidates, {_how(config)}")]
    if searched.used_up:
        rows.append(("", "nothing new was left to be tried"))
    if searched.points != searched.tried:
        rows.append(("", f"{count(searched.points)} points: averaged over {', '.join(config.average)}"))
    if searched.repeated or searched.left_out:
        said = f"{count(searched.repeated)} repeats, {count(searched.left_out)} that keep or skip leave out"
        rows.append(("at no cost", said))
    rows.append(("front", f"{count(searched.front)} candidates, hypervolume {searched.hypervolume:.3f}"))
    yield table(["", ""], rows)


def _how(config: StudyConfig) -> str:
    assert config.search is not None
    return f"{config.search.sampler} with seed {config.search.seed}, {config.search.batch} at a time"


# --- dry runs ---


def _preview(config: StudyConfig, where: str, workers: int, *, as_json: bool) -> None:
    """Print what a search tries first, and an estimate of the time from evaluating some of that."""
    wanted, points = search_of(config, where), first_points(config, where)
    each = len(points) / max(1, min(wanted.batch, wanted.trials))
    estimate = estimated([*tasks_of(config, where, points)], round(wanted.trials * each), config.quality)
    low, high = estimate.seconds(workers)
    if as_json:
        print_json({
            "study": config.name, "trials": wanted.trials, "points": estimate.points, "workers": workers,
            "objectives": objectives_of(config),
            "first": [{"point": p.number, "values": dict(p.values), "settings": dict(p.settings)} for p in points],
            "seconds": {"at_least": low, "at_most": high, "of_a_pass": estimate.pass_s, "of_a_point": estimate.point_s},
            "error": estimate.error,
        })  # fmt: skip
    else:
        print_all(_previewed(config, points, estimate, workers))


def _previewed(
    config: StudyConfig, points: Sequence[DesignPoint], estimate: Estimate, workers: int
) -> Iterator[RenderableType]:
    yield Text(f"Study {config.name}: a search of {count(estimate.points)} points", style="bold")
    low, high = estimate.seconds(workers)
    rows = [("how", _how(config)), ("objectives", ", ".join(f"{n} {g}" for n, g in objectives_of(config).items()))]
    if config.limits:
        rows.append(("limits", ", ".join(config.limits)))
    said = duration(low) if duration(low) == duration(high) else f"{duration(low)} to {duration(high)}"
    rows.append(("time", f"about {said} with {workers} worker{'s' * (workers > 1)}"))
    yield table(["", ""], rows)
    yield heading("First")
    yield table(["point", "settings"], [
        [str(p.number), ", ".join(f"{path}={value}" for path, value in p.settings.items())] for p in points[:SHOWN]
    ], right=(0,))  # fmt: skip
    if estimate.error:
        yield Text(f"  a point that was tried fails: {estimate.error}", style="yellow")
