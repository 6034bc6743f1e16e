"""One design point, from configuration to result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archsim.config import content_hash
from archsim.functional import FunctionalRun
from archsim.hardware.describe import cited, describe
from archsim.mapping.plan import Mapping
from archsim.metrics.costs import costs_of
from archsim.metrics.critical import critical_path
from archsim.metrics.endurance import endurance_of
from archsim.metrics.layers import layer_rows
from archsim.metrics.memory import memory_of
from archsim.metrics.plausibility import Check, plausibility
from archsim.metrics.quality import Quality
from archsim.metrics.regression import RegressionQuality
from archsim.metrics.result import Result
from archsim.metrics.roofline import roofline
from archsim.pipeline.deployment import Deployment, deploy
from archsim.pipeline.inputs import ChipLike, NetworkLike
from archsim.pipeline.sampled import SampledChip, activities
from archsim.sim.run import check_timing, simulate
from archsim.sim.station import Recorder
from archsim.workload.spec import Workload

Progress = Callable[[str, int, int], None]


def evaluate(
    arch: ChipLike,
    workload: NetworkLike,
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    chip_sample: int = 0,
    schedule: str | None = None,
    grain: str | None = None,
    overrides: Iterable[str] = (),
    function: bool = True,
    recorder: Recorder | None = None,
    progress: Progress | None = None,
) -> Result:
    """Return what a network costs on a chip, and how good its answers and its uncertainty are there.

    `arch`: a chip, an architecture, or its YAML file; `overrides`: "path.to.key=value" apply to it. `workload`: a
    workload or its YAML file, a trace or a trace file. `passes`, `images`: default to the workload's. `seed`: of
    everything random. `chip_sample`: which of the chips that the seed makes, where the architecture has imperfections.
    `schedule`, `grain`: default to the architecture's. `function` = False skips the functional pass: costs alone, from
    expected activity. `recorder`: hears of every use of a station (for a timeline). `progress`: called with (what,
    done, of how many).

    Raises an `ArchsimError` for whatever does not fit together.
    """
    check_timing(schedule, grain)
    at_work = deploy(arch, workload, passes=passes, images=images, seed=seed, overrides=overrides)
    chip = at_work.on_chip(chip_sample)
    run, quality = answers_of(at_work, chip, progress) if function else (None, None)
    return measured(at_work, chip, run, quality, schedule=schedule, grain=grain, recorder=recorder)


def answers_of(
    at_work: Deployment, chip: SampledChip, progress: Progress | None
) -> tuple[FunctionalRun, Quality | RegressionQuality | None]:
    """Return what a sampled chip answers to the images, and how good that is."""
    note = (lambda done, of: progress("images", done, of)) if progress else None
    run = chip.answers(at_work.data.images, progress=note)
    return run, at_work.quality(chip, run)


def measured(
    at_work: Deployment,
    chip: SampledChip,
    run: FunctionalRun | None,
    quality: Quality | RegressionQuality | None,
    *,
    schedule: str | None = None,
    grain: str | None = None,
    recorder: Recorder | None = None,
) -> Result:
    """Simulate time and energy of what was computed, `run`, or of what is to be expected, and put all together."""
    mapping, design = at_work.mapping, at_work.chip
    activity = activities(mapping, run.activity if run else None)
    count = at_work.wanted if run is None else len(at_work.data)
    log = simulate(
        mapping, images=count, passes=at_work.passes, activity=activity, schedule=schedule, grain=grain,
        recorder=recorder,
    )  # fmt: skip
    costs = costs_of(log, design)
    checks = plausibility(mapping, log, costs.energy)
    config = at_work.config(
        images=log.images, schedule=log.schedule, grain=log.grain, function=run is not None,
        chip_sample=chip.sample.number,
    )  # fmt: skip
    figures = tuple(describe(design))
    return Result(
        arch=design.arch.name,
        workload=at_work.trace.name,
        seed=at_work.seed,
        config_hash=content_hash(dict(config)),
        log=log,
        energy=costs.energy,
        area_m2=costs.area_m2,
        memory=memory_of(mapping, log),
        endurance=endurance_of(mapping, log),
        plausibility=checks,
        layers=layer_rows(mapping, log, activity, costs.energy),
        critical_path=critical_path(mapping, log.schedule, log.grain),
        roofline=roofline(mapping, log),
        quality=quality,
        warnings=(*design.warnings, *_untrained(at_work, run), *_doubts(mapping, checks)),
        config=config,
        chip_sample=chip.sample.number,
        effects=design.effects.on,
        tiers=chip.tiers if run is not None else {},
        figures=figures,
        citations=cited(design, figures),
    )


def _untrained(at_work: Deployment, run: FunctionalRun | None) -> Iterator[str]:
    source = at_work.source
    if run is not None and isinstance(source, Workload) and not source.is_trained:
        yield f"network '{source.config.name}' is untrained (checkpoint: null): its answers mean nothing, its costs do"


def _doubts(mapping: Mapping, checks: Iterable[Check]) -> Iterator[str]:
    """Yield what a reader of the result should not overlook."""
    if mapping.reprogrammed and mapping.chip.arch.memory is None:
        yield (
            "the weights of every round come from beyond the chip at no modelled cost; give the architecture a 'memory'"
            " to count it"
        )
    for c in checks:
        if not c.plausible:
            yield f"{c.name} of {c.value:.3g} {c.unit} lies outside {c.low:.3g} to {c.high:.3g} ({c.basis})"
