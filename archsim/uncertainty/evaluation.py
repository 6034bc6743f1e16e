"""The evaluation of a network's uncertainty on a chip, from configuration to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from archsim.config import content_hash
from archsim.errors import ConfigError, DataError
from archsim.hardware.arch import ArchConfig
from archsim.hardware.describe import cited, describe
from archsim.metrics.adaptive import RULES, StoppingRule
from archsim.metrics.ood import CALIBRATION_IMAGES, SEVERAL, PercentileRule
from archsim.pipeline import Deployment, SampledChip, activities, check_chips, deploy
from archsim.pipeline.inputs import ChipLike, NetworkLike
from archsim.sim.run import check_timing
from archsim.uncertainty.adaptive import check_rules, judge_rules
from archsim.uncertainty.costs import Simulator
from archsim.uncertainty.findings import Adaptive, SetFindings, Uncertainty, over_chips
from archsim.uncertainty.judging import ClassJudge, Judge, Logits, Reference, ValueJudge
from archsim.uncertainty.sets import EvaluationSet, choose_sets
from archsim.workload.spec import Workload

Progress = Callable[[str, int, int], None]


def evaluate_uncertainty(
    arch: ChipLike,
    workload: NetworkLike,
    *,
    passes: int | None = None,
    images: int | None = None,
    chips: int | None = None,
    seed: int = 0,
    chip_sample: int = 0,
    schedule: str | None = None,
    grain: str | None = None,
    overrides: Iterable[str] = (),
    ood: Sequence[str] | None = None,
    corruptions: Sequence[str] | None = None,
    rotation_step: float | None = None,
    adaptive: bool = False,
    stopping: Sequence[StoppingRule] = RULES,
    rule: PercentileRule | None = None,
    progress: Progress | None = None,
) -> Uncertainty:
    """Return how good a network's answers and its uncertainty are on a chip, on its test set and on shifted ones.

    `arch`, `workload`, `passes`, `images`, `seed`, `overrides`: as in `evaluate`. `chips`: so many sampled chips, where
    the architecture has imperfections; None for one, `chip_sample`. `schedule`, `grain`: as in `evaluate`, for what it
    costs to stop early. `ood`, `corruptions`, `rotation_step`: see `choose_sets`.
    `adaptive`: also stop images when they are certain, by the rules of `stopping`. `rule`: the papers' OOD rule.
    `progress`: called with (what, done, of how many). Every set is computed with the same random bits, so that
    differences between sets are those of the images.

    Raises an `ArchsimError` for whatever does not fit together, before anything is computed.
    """
    at_work = deploy(arch, workload, passes=passes, images=images, seed=seed, overrides=overrides)
    check_chips(at_work, 1 if chips is None else chips)
    sets, notes = choose_sets(at_work.data, ood, corruptions, rotation_step)
    rules = tuple(stopping) if adaptive else ()
    _check(at_work, rules)
    check_timing(schedule, grain)
    rule, total, found = rule or PercentileRule(), 1 + len(sets), []
    for number in range(chips or 1):

        def note(done: int, before: int = number * total) -> None:
            if progress:
                progress("sets", before + done, (chips or 1) * total)

        chip = at_work.on_chip(chip_sample if chips is None else number)
        stops = Stops(rules if number == 0 else (), schedule, grain)
        found.append(_on_one_chip(at_work, chip, sets, rule, notes, stops=stops, note=note))
    return found[0] if len(found) == 1 else _on_several_chips(found)


@dataclass(frozen=True)
class Stops:
    """The rules by which images stop early, none for no adaptive Monte-Carlo, and how it is timed."""

    rules: tuple[StoppingRule, ...]
    schedule: str | None
    grain: str | None

    def timing(self, arch: ArchConfig) -> dict[str, str]:
        """Return schedule and grain by name, where anything is timed."""
        return {"schedule": self.schedule or arch.schedule, "grain": self.grain or arch.grain} if self.rules else {}


def _check(at_work: Deployment, rules: Sequence[StoppingRule]) -> None:
    """Refuse what cannot be evaluated."""
    if not at_work.data.labelled:
        raise DataError(f"data set '{at_work.data.name}' has no labels, and without them there is nothing to evaluate")
    if len(at_work.data) < 2:
        raise ConfigError("images: an evaluation of uncertainty needs at least 2 test images, got 1")
    if rules and at_work.data.task == "regression":
        raise ConfigError("adaptive Monte-Carlo stops when a class leads; a regression has no classes")
    if rules:
        check_rules(at_work.mapping, at_work.passes, rules)


def _on_one_chip(
    at_work: Deployment,
    chip: SampledChip,
    sets: Sequence[EvaluationSet],
    rule: PercentileRule,
    notes: Sequence[str],
    *,
    stops: Stops,
    note: Callable[[int], None],
) -> Uncertainty:
    note(0)
    known, by_class = at_work.data, at_work.data.task == "classification"
    run = chip.answers(known.images)
    noise = None if by_class else at_work.stated_noise(chip)
    judge: Judge = ClassJudge(rule, at_work.seed) if noise is None else ValueJudge(noise)
    reference = Reference(judge, known, run.logits)
    rows: dict[str, list[SetFindings]] = {"ood": [], "rotation": [], "corruption": []}
    unknown: dict[str, Logits] = {}
    for done, chosen in enumerate(sets, start=1):
        note(done)
        data = chosen.images(known, at_work.seed)
        outputs = chip.answers(data.images).logits
        if stops.rules and chosen.role == "ood":
            unknown[chosen.label] = outputs
        rows[chosen.role].append(reference.compare(chosen.name, chosen.severity, data, outputs))
    note(1 + len(sets))
    adaptive: tuple[Adaptive, ...] = ()
    if stops.rules:
        busy = activities(at_work.mapping, run.activity)
        simulator = Simulator(at_work.mapping, len(known), busy, stops.schedule, stops.grain)
        adaptive = judge_rules(run.logits, known.labels, unknown, simulator, stops.rules)
    config = at_work.config(
        images=len(known),
        chip_sample=chip.sample.number,
        sets=[s.label for s in sets],
        percentile_rule=[rule.level, rule.threshold],
        adaptive=[r.name for r in stops.rules],
        **stops.timing(at_work.chip.arch),
    )
    figures = tuple(describe(at_work.chip))
    return Uncertainty(
        arch=at_work.chip.arch.name,
        workload=at_work.trace.name,
        task=known.task,
        seed=at_work.seed,
        images=len(known),
        passes=at_work.passes,
        rule=rule,
        test=reference.findings(),
        ood=tuple(rows["ood"]),
        rotation=tuple(rows["rotation"]),
        corruptions=tuple(rows["corruption"]),
        reliability=reference.reliability(equal_mass=False) if by_class else (),
        adaptive_reliability=reference.reliability(equal_mass=True) if by_class else (),
        selective=reference.selective() if by_class else {},
        adaptive=adaptive,
        noise_std=noise,
        warnings=(*at_work.chip.warnings, *notes, *_doubts(at_work)),
        config=config,
        config_hash=content_hash(dict(config)),
        figures=figures,
        citations=cited(at_work.chip, figures),
    )


def _doubts(at_work: Deployment) -> Iterator[str]:
    """Yield what a reader of the findings should not overlook."""
    source, count, alone = at_work.source, len(at_work.data), at_work.passes == 1
    if isinstance(source, Workload) and not source.is_trained:
        yield f"network '{source.config.name}' is untrained (checkpoint: null): nothing found here means anything"
    if alone and at_work.data.task == "regression":
        yield "one pass tells nothing about how passes differ: nothing is detected; take two passes at least"
    elif alone:
        missing = " and ".join(name.replace("_", " ") for name in SEVERAL)
        yield (
            f"one pass tells nothing about how passes differ: {missing} scores and the percentile rule are left out;"
            " take two passes at least"
        )
    elif not at_work.trace.stochastic_nodes():
        yield "the network draws no random bits, so all passes agree unless its arrays are noisy"
    if (count + 1) // 2 < CALIBRATION_IMAGES:
        yield (
            f"{count} images: every other one helps to choose the detection threshold, and {CALIBRATION_IMAGES} of them"
            " are needed to promise 5 % false alarms; nothing is detected"
        )


def _on_several_chips(found: Sequence[Uncertainty]) -> Uncertainty:
    """Return the first chip's evaluation with the sets' figures replaced by their spread over all chips."""
    first = found[0]
    return replace(
        first,
        test=over_chips([f.test for f in found]),
        ood=_each([f.ood for f in found]),
        rotation=_each([f.rotation for f in found]),
        corruptions=_each([f.corruptions for f in found]),
        per_chip=tuple(found),
    )


def _each(rows: Sequence[tuple[SetFindings, ...]]) -> tuple[SetFindings, ...]:
    return tuple(over_chips(same) for same in zip(*rows, strict=True))
