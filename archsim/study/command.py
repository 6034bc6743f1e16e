"""The shell command that runs one point of a study alone."""

from __future__ import annotations

import shlex

from archsim.study.task import Task


def command_of(task: Task) -> str:
    """Return a command that prints what a study found for a task; two of them, joined by &&, where one cannot say all.

    Costs and quality come from `archsim run`, or from `archsim compare` with a baseline; what a stopping rule does, and
    how well unknown images are told, from `archsim evaluate`.
    """
    commands = [] if task.stopping else [_compare(task) if task.baseline else _run(task)]
    if task.ood or task.stopping:
        commands.append(_evaluate(task))
    return " && ".join(shlex.join(["archsim", *words]) for words in commands)


def _run(task: Task) -> list[str]:
    return ["run", *_common(task), *([] if task.quality else ["--costs-only"])]


def _compare(task: Task) -> list[str]:
    return ["compare", *_common(task), "--baseline", task.baseline, *([] if task.quality else ["--costs-only"])]


def _evaluate(task: Task) -> list[str]:
    sets = [word for name in task.ood or ("none",) for word in ("--ood", name)]
    stopping = ["--stopping", task.stopping] if task.stopping else []
    return ["evaluate", *_common(task), *sets, "--corruption", "none", "--rotation", "0", *stopping]


def _common(task: Task) -> list[str]:
    given = {"passes": task.passes, "images": task.images, "schedule": task.schedule, "grain": task.grain}
    words = [task.arch, task.workload]
    words += [word for setting in task.overrides for word in ("--set", setting)]
    words += [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
    words += [
        word
        for name, value in (("seed", task.seed), ("chip", task.chip))
        if value
        for word in (f"--{name}", str(value))
    ]
    return words
