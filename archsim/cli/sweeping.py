"""`archsim sweep`: evaluate every point of a study."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee
from pathlib import Path

from archsim.cli.campaigning import Options, Shard, campaign, checked, conclude, keep
from archsim.cli.previewing import preview
from archsim.study import DesignPoint, StudyConfig, Task, design_points, load_study_file
from archsim.study.checks import check_data, check_study
from archsim.study.keys import tasks_of
from archsim.study.ranges import with_ranges


def sweep(file: Path, settings: tuple[str, ...], options: Options, *, dry_run: bool, as_json: bool) -> None:
    """Evaluate the points of a study that have no outcome yet, and say how it went; or only what there would be to do.

    Raises an `ArchsimError` for a study that cannot be run, and where not a single point came through.
    """
    workers = checked(options)
    config, where = load_study_file(file, settings), str(file)
    check_study(config, where)
    check_data(config)
    config = with_ranges(config, where)
    shard = Shard.read(options.shard)
    if dry_run:
        preview(config, where, shard, workers, as_json=as_json)
        return
    with campaign(config, file, options) as work:
        work.store.plan(_pairs(config, where, shard))
        work.campaign.run(task for task, _ in _pairs(config, where, shard))
        ended = work.ended()
    keep(ended, options)
    conclude(config, ended, as_json=as_json)


def _pairs(config: StudyConfig, where: str, shard: Shard) -> Iterator[tuple[Task, DesignPoint]]:
    """Yield the points of a part of a study with their tasks, made as they are asked for."""
    points, same = tee(point for point in design_points(config, where) if shard.has(point.number))
    return zip(tasks_of(config, where, points), same, strict=True)
