"""From the ideal chip to the real one, one kind of imperfection after the other: which of them costs how much?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from archsim.errors import ConfigError
from archsim.hardware.effects import Effect, Effects
from archsim.metrics.chips import spread_of
from archsim.metrics.waterfall import Step, Waterfall
from archsim.pipeline.chips import check_chips
from archsim.pipeline.deployment import Deployment, deploy
from archsim.pipeline.evaluation import Progress
from archsim.pipeline.inputs import ChipLike, NetworkLike

IDEAL = "ideal"
KINDS = (
    ("converter errors", ("converter.",)),
    ("cell spread", ("cells.spread", "cells.tmr_spread")),
    ("read noise", ("cells.read_noise",)),
    ("IR drop", ("crossbar.ir_drop",)),
    ("faults", ("cells.stuck_", "cells.write_error")),
    ("age and reads", ("cells.age", "cells.inferences", "cells.delta_spread", "cells.current_spread")),
    ("random bits", ("random_bits.",)),
)


def waterfall(
    arch: ChipLike,
    workload: NetworkLike,
    chips: int = 5,
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    overrides: Iterable[str] = (),
    progress: Progress | None = None,
) -> Waterfall:
    """Return the quality on `chips` sampled chips with more and more of a design's imperfections.

    The arguments are those of `evaluate_chips`. Every effect keeps its draws when others join it, so that a step is
    the effect of what it adds. Raises an `ArchsimError` for whatever does not fit together, and for an ideal design.
    """
    at_work = deploy(arch, workload, passes=passes, images=images, seed=seed, overrides=overrides)
    check_chips(at_work, chips)
    if not at_work.chip.effects.on:
        raise ConfigError(f"'{at_work.chip.arch.name}' has no imperfections (section 'imperfections')")
    kinds = [(IDEAL, ()), *_kinds(at_work.chip.effects.on)]
    on: tuple[Effect, ...] = ()
    steps = []
    for done, (name, added) in enumerate(kinds):
        on = (*on, *added)
        count = 1 if name == IDEAL else chips
        values = [_quality(at_work, on, number) for number in range(count)]
        spreads = {key: spread_of(key, tuple(v[key] for v in values)) for key in values[0]}
        steps.append(Step(name, tuple(e.path for e in added), spreads))
        if progress:
            progress("kinds of imperfection", done + 1, len(kinds))
    return Waterfall(
        at_work.chip.arch.name, at_work.trace.name, len(at_work.data), at_work.passes, seed, chips, tuple(steps)
    )


def _kinds(effects: Iterable[Effect]) -> Iterator[tuple[str, tuple[Effect, ...]]]:
    """Yield the kinds that are on, in the order of `KINDS`."""
    order = [name for name, _ in KINDS]
    ranked = sorted(effects, key=lambda e: order.index(_kind(e)))
    yield from ((name, tuple(members)) for name, members in groupby(ranked, key=_kind))


def _kind(effect: Effect) -> str:
    return next(name for name, prefixes in KINDS if effect.path.startswith(prefixes))


def _quality(at_work: Deployment, on: tuple[Effect, ...], number: int) -> dict[str, float]:
    """Return the figures of quality on one chip with only these imperfections."""
    chip = replace(at_work.chip, effects=Effects(on, at_work.chip.effects.exponent))
    here = replace(at_work, mapping=replace(at_work.mapping, chip=chip))
    sampled = here.on_chip(number)
    quality = at_work.judged(sampled, sampled.answers(at_work.data.images))
    return {name: estimate.value for name, estimate in quality.estimates()}
