"""Many sampled chips of one design: what it costs is found once, what it answers for every chip."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from archsim.errors import ConfigError
from archsim.metrics.chips import Batch
from archsim.pipeline.deployment import Deployment, deploy
from archsim.pipeline.evaluation import Progress, measured
from archsim.pipeline.inputs import ChipLike, NetworkLike
from archsim.sim.station import Recorder

MAX_CHIPS = 10_000


def evaluate_chips(
    arch: ChipLike,
    workload: NetworkLike,
    chips: int,
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    schedule: str | None = None,
    grain: str | None = None,
    overrides: Iterable[str] = (),
    recorder: Recorder | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Return how good a network is on each of many sampled chips, with the costs of the first.

    The arguments are those of `evaluate`. Time is simulated once: it does not depend on the sample, and the activity of
    the arrays hardly does. Chips differ in their devices alone; images, passes and random bits are the same on all.

    Raises an `ArchsimError` for whatever does not fit together, and for a design without imperfections.
    """
    at_work = deploy(arch, workload, passes=passes, images=images, seed=seed, overrides=overrides)
    check_chips(at_work, chips)
    result, qualities = None, []
    for number in range(chips):

        def note(what: str, done: int, of: int, before: int = number) -> None:
            if progress:
                progress(what if chips == 1 else f"images on {chips} chips", before * of + done, chips * of)

        chip = at_work.on_chip(number)
        run = chip.answers(at_work.data.images, progress=partial(note, "images"))
        quality = at_work.judged(chip, run)
        if result is None:
            result = measured(at_work, chip, run, quality, schedule=schedule, grain=grain, recorder=recorder)
        qualities.append(quality)
    assert result is not None, "there is at least one chip"
    return Batch(result, tuple(qualities))


def check_chips(at_work: Deployment, chips: int) -> None:
    """Raise `ConfigError` unless there can be so many sampled chips, and they differ where there are several."""
    if not 1 <= chips <= MAX_CHIPS:
        raise ConfigError(f"chips: must be between 1 and {MAX_CHIPS}, got {chips}")
    if chips > 1 and not any(e.drawn in ("chip", "programming") for e in at_work.chip.effects.on):
        raise ConfigError(
            f"chips: all chips of '{at_work.chip.arch.name}' are alike; give it 'imperfections' that differ from"
            " chip to chip, such as --set imperfections.cells=library"
        )
