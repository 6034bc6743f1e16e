"""Evaluates design points one by one, in one process; what points share is read, computed and kept once."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, dataclass
from functools import cached_property, partial

from archsim.baselines import Platform
from archsim.comparison import Task as Wanted
from archsim.comparison import plans, platform_of_costs
from archsim.config import content_hash
from archsim.errors import ArchsimError, ConfigError
from archsim.functional import FunctionalRun
from archsim.functional.activity import LayerActivity
from archsim.metrics.adaptive import StoppingRule
from archsim.metrics.costs import costs_of
from archsim.pipeline import Deployment, SampledChip, activities, deploy
from archsim.pipeline.identity import identity
from archsim.pipeline.inputs import Inputs
from archsim.pipeline.recent import Recent
from archsim.study.figures import Figures, cost_figures, gains, stopped_figures
from archsim.study.judged import check_rule, judged
from archsim.study.keys import Keys, images_hash, sources_hash
from archsim.study.task import Answers, Outcome, Task
from archsim.uncertainty.costs import Simulator
from archsim.uncertainty.sets import NONE, choose_sets
from archsim.workload.data import ImageSet
from archsim.workload.trace import Trace

DEPLOYED, RUNS, SETS, HASHES, PLATFORMS = 8, 6, 6, 32, 32  # how many of each are kept
OF_GROUPS = "group_reads"  # count of a layer that depends on how rows are grouped, which answers need not


class Evaluator:
    """All that one process needs to evaluate tasks. What files say is kept until a task was made from others."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Begin without anything that is shared."""
        self.inputs = Inputs()
        self.keys = Keys(self.inputs)
        self._points: Recent[tuple[object, ...], _Point] = Recent(DEPLOYED)
        self._runs: Recent[str, FunctionalRun] = Recent(RUNS)
        self._platforms: Recent[tuple[str, str, int], Platform] = Recent(PLATFORMS)
        self._sets: Recent[tuple[str, str, int], ImageSet] = Recent(SETS)
        self._hashes: Recent[int, tuple[object, str]] = Recent(HASHES)

    def function_key(self, task: Task) -> str:
        """Return a hash of all that decides what `answers` finds, and of nothing else.

        Raises an `ArchsimError` where the chip or the network of the task is at fault.
        """
        self._check(task)
        point = self._point(task)
        data, mapping = point.at_work.data, point.at_work.mapping
        return content_hash(
            {
                "run": self._run_key(point, data),
                "training": self._hash(point.at_work.training_data) if data.task == "regression" else None,
                "stopping": [task.stopping, mapping.reprogrammed] if task.stopping else None,
                "ood": [[name, self._hash(images)] for name, images in self._unknown(task, point)],
            }
        )

    def answers(self, task: Task) -> Answers:
        """Compute the answers to all images of a task, and judge them.

        Raises an `ArchsimError` where the chip, the network or the stopping rule of the task is at fault.
        """
        start = time.process_time()
        self._check(task)
        point = self._point(task)
        rule = StoppingRule.parse(task.stopping) if task.stopping else None
        if rule:
            check_rule(point.at_work, rule)
        data, unknown = point.at_work.data, self._unknown(task, point)
        run = self._run(point, data)
        others = {name: self._run(point, images).logits for name, images in unknown}
        figures, histogram = judged(point.at_work, point.chip, run, others, rule)
        counts = {name: {k: v for k, v in asdict(a).items() if k != OF_GROUPS} for name, a in run.activity.items()}
        return Answers(len(data), figures, counts, histogram, point.chip.tiers, time.process_time() - start)

    def outcome(self, task: Task, answers: Answers | None = None) -> Outcome:
        """Return what comes of a task; whatever goes wrong is said in the outcome.

        `answers`: of the task, or of another with the same function key; computed if not given.
        """
        start = time.thread_time()
        try:
            self._check(task)
            function = self.function_key(task) if task.quality else ""
            if task.quality and answers is None:
                answers, start = self.answers(task), time.thread_time()
            figures, texts = self._evaluate(task, answers if task.quality else None)
        except ArchsimError as error:
            return _failed(task, "; ".join(str(error).splitlines()), "", start)
        except Exception as error:  # a fault of archsim in one point must not end a study
            return _failed(task, f"{type(error).__name__}: {error}", traceback.format_exc(), start)
        return Outcome(task.number, task.key, figures, texts, function, seconds=time.thread_time() - start)

    def _check(self, task: Task) -> None:
        """Refuse a task whose files are others than when its key was made: its outcome would be taken for theirs."""
        if not task.key or task.key == self.keys.key(task):
            return
        self._forget()  # the files that are known here may be the older ones
        if task.key != self.keys.key(task):
            raise ConfigError(
                "its files, or archsim's own, are not those that the study was planned with; run the study again"
            )

    def _evaluate(self, task: Task, answers: Answers | None) -> tuple[Figures, dict[str, str]]:
        point = self._point(task)
        at_work, mapping = point.at_work, point.at_work.mapping
        counts = {name: LayerActivity(**c) for name, c in answers.activity.items()} if answers else None
        images = answers.images if answers else at_work.wanted
        simulator = Simulator(mapping, images, activities(mapping, counts), task.schedule, task.grain)
        costs = costs_of(simulator.log(at_work.passes), at_work.chip)
        figures = cost_figures(costs, mapping)
        texts = {
            "arch": at_work.chip.arch.name,
            "workload": at_work.trace.name,
            "bottleneck": costs.bottleneck.name,
            "schedule": costs.log.schedule,
            "grain": costs.log.grain,
        }
        if task.stopping and answers:
            figures = stopped_figures(figures, *simulator.stopped(answers.histogram, at_work.passes))
        if task.baseline:
            chip = platform_of_costs(at_work.chip.arch.name, costs, at_work.trace)
            gained, texts["refused"] = gains(chip, self._platform(task.baseline, at_work), at_work.passes)
            figures |= gained
        if answers:
            figures |= answers.figures
            texts["tiers"] = "+".join(sorted(set(answers.tiers.values())))
        return figures, texts

    def _point(self, task: Task) -> _Point:
        of = (task.arch, task.workload, task.overrides, task.passes, task.images, task.seed, task.chip)
        return self._points.get(of, lambda: self._deployed(task))

    def _deployed(self, task: Task) -> _Point:
        at_work = deploy(
            task.arch, task.workload, passes=task.passes, images=task.images, seed=task.seed, overrides=task.overrides,
            inputs=self.inputs,
        )  # fmt: skip
        return _Point(at_work, at_work.on_chip(task.chip), self._hash(at_work.trace))

    def _unknown(self, task: Task, point: _Point) -> list[tuple[str, ImageSet]]:
        """Return the sets of images that are to be told from those of the test, by the names that the study gives."""
        data, found = point.at_work.data, []
        for name in task.ood:
            for chosen in choose_sets(data, [name], [NONE], 0)[0]:
                place = (self._hash(data), name, task.seed)
                found.append((name, self._sets.get(place, partial(chosen.images, data, task.seed))))
        return found

    def _run(self, point: _Point, images: ImageSet) -> FunctionalRun:
        return self._runs.get(self._run_key(point, images), lambda: point.chip.answers(images.images))

    def _run_key(self, point: _Point, images: ImageSet) -> str:
        return f"{sources_hash()} {point.identity} {self._hash(images)}"

    def _platform(self, name: str, at_work: Deployment) -> Platform:
        def find() -> Platform:
            wanted = Wanted(at_work.source, at_work.trace, at_work.passes, (1,))
            (platform,) = plans([name], wanted)[0].find().platforms
            return platform

        return self._platforms.get((name, self._hash(at_work.trace), at_work.passes), find)

    def _hash(self, what: Trace | ImageSet) -> str:
        """Return the hash of a network or of images; they are held, so that their ids stay their own."""

        def hashed() -> tuple[object, str]:
            return what, what.content_hash() if isinstance(what, Trace) else images_hash(what)

        return self._hashes.get(id(what), hashed)[1]


@dataclass(frozen=True, eq=False)
class _Point:
    """A network on a sampled chip. `trace_hash`: of the network."""

    at_work: Deployment
    chip: SampledChip
    trace_hash: str

    @cached_property
    def identity(self) -> str:
        """A hash of what the answers depend on, apart from the images."""
        return content_hash(identity(self.chip, self.trace_hash))


def _failed(task: Task, error: str, trace: str, start: float) -> Outcome:
    return Outcome(task.number, task.key, error=error, trace=trace, seconds=time.thread_time() - start)
