"""A network on a chip and on other platforms, from configuration to comparison."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from archsim.comparison.chip import chip_platform
from archsim.comparison.comparison import Comparison
from archsim.comparison.figures import ALLOWANCES, Allowance, Terms
from archsim.comparison.software import Software, in_software
from archsim.comparison.sources import Progress, Task, plans
from archsim.errors import ConfigError, nearest
from archsim.pipeline import Deployment, deploy
from archsim.pipeline.evaluation import answers_of, measured
from archsim.pipeline.inputs import ChipLike, NetworkLike
from archsim.sim.run import check_timing
from archsim.uncertainty import Uncertainty, evaluate_uncertainty
from archsim.workload.spec import Workload

DEFAULT_BASELINE = "modelled:jetson_agx_orin"
ONE_BY_ONE = (1,)
MAX_BATCH = 65_536  # images of a call


def compare(
    arch: ChipLike,
    workload: NetworkLike,
    baselines: Sequence[str] = (DEFAULT_BASELINE,),
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    chip_sample: int = 0,
    schedule: str | None = None,
    grain: str | None = None,
    overrides: Iterable[str] = (),
    batches: Sequence[int] = ONE_BY_ONE,
    rate: float | None = None,
    allow: Collection[Allowance] = (),
    function: bool = True,
    uncertainty: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Return what a network takes on a chip and on other platforms, and how good its answers are.

    `arch`, `workload`, `passes`, `images`, `seed`, `chip_sample`, `schedule`, `grain`, `overrides`, `function`: as in
    `evaluate`. `baselines`: such as "measured:cpu", "measured:cuda:1", "modelled:jetson_agx_orin" (all its power
    modes are tried), or one of them, "modelled:jetson_agx_orin@15W", "record:NAME", "published"; the file of a device
    or record may stand for its name. `batches`: images of a call; the first is what is compared, 1 by default, as
    images come one by one at the edge. `rate`: images that come in a second, for energy with idle power. `allow`:
    comparisons that are refused otherwise, across boundaries of energy ("boundary") and of different networks
    ("network"). `uncertainty`: also judge the chip on unknown images.

    A measurement that ends midway leaves its points, and a sentence in `lost`. Raises an `ArchsimError` for whatever
    does not fit together; all baselines are checked before anything runs.
    """
    batches, allowed = _batches(batches), _allowed(allow)
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise ConfigError(f"rate: images a second must be more than 0, got {rate:g}")
    check_timing(schedule, grain)
    at_work = deploy(arch, workload, passes=passes, images=images, seed=seed, overrides=overrides)
    planned = plans(baselines, Task(at_work.source, at_work.trace, at_work.passes, batches, progress))
    chip = at_work.on_chip(chip_sample)
    run, quality = answers_of(at_work, chip, progress) if function else (None, None)
    result = measured(at_work, chip, run, quality, schedule=schedule, grain=grain)
    judged = _judged(at_work, chip_sample, images, progress) if uncertainty and function else None
    software = in_software(at_work) if function else Software(None, "costs alone were asked for")
    found = [plan.find() for plan in planned]
    return Comparison(
        result=result,
        chip=chip_platform(result, at_work.trace, batches),
        others=tuple(p for f in found for p in f.platforms),
        terms=Terms(at_work.passes, batches[0], rate, allowed),
        software=software,
        uncertainty=judged,
        asked=tuple(baselines),
        lost=tuple(f.lost for f in found if f.lost),
    )


def _batches(batches: Sequence[int]) -> tuple[int, ...]:
    wrong = [b for b in batches if not 1 <= b <= MAX_BATCH]
    if wrong or not batches:
        raise ConfigError(f"batch: images of a call must be 1 to {MAX_BATCH}, got {wrong[0] if wrong else 'none'}")
    return tuple(dict.fromkeys(batches))


def _allowed(allow: Collection[str]) -> tuple[Allowance, ...]:
    for word in allow:
        if word not in ALLOWANCES:
            raise ConfigError(f"allow: unknown '{word}'{nearest(word, ALLOWANCES)}")
    return tuple(word for word in ALLOWANCES if word in allow)


def _judged(at_work: Deployment, chip_sample: int, images: int | None, progress: Progress | None) -> Uncertainty | None:
    """Return the evaluation of uncertainty on unknown images; None where it would mean nothing."""
    trained = not isinstance(at_work.source, Workload) or at_work.source.is_trained
    if not trained or not at_work.data.labelled or len(at_work.data) < 2:
        return None
    return evaluate_uncertainty(
        at_work.chip, at_work.source, passes=at_work.passes, images=images, seed=at_work.seed, chip_sample=chip_sample,
        corruptions=["none"], rotation_step=0, progress=progress,
    )  # fmt: skip
