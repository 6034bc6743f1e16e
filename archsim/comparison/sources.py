"""Baselines by name: which kinds there are, and how each makes its platforms. All names are checked before one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from archsim.baselines.network import signature
from archsim.baselines.platform import OperatingPoint, Platform
from archsim.errors import ArchsimError, ConfigError, nearest
from archsim.workload.spec import Workload
from archsim.workload.trace import Trace

Progress = Callable[[str, int, int], None]
LARGER = MappingProxyType({"cuda": (64,)})  # images of a call that are measured as well, for the most images a second
EXAMPLES = "measured:cpu, modelled:jetson_agx_orin, record:NAME, published"


@dataclass(frozen=True)
class Task:
    """What every platform is asked for: a network, passes of an image, and images of a call."""

    source: Workload | Trace
    trace: Trace
    passes: int
    batches: tuple[int, ...]
    progress: Progress | None = None


@dataclass(frozen=True)
class Baseline:
    """A baseline as the user named it, such as "modelled:jetson_agx_orin"; `what` follows the colon."""

    name: str
    what: str
    task: Task


@dataclass(frozen=True)
class Found:
    """The platforms of a baseline. `lost`: what ended it midway, in a sentence; then the points until then are here."""

    platforms: tuple[Platform, ...]
    lost: str | None = None


@dataclass(frozen=True)
class Plan:
    """A baseline that has been checked: the names of its platforms, and what makes them, which may take its time."""

    names: tuple[str, ...]
    find: Callable[[], Found]


def plans(names: Sequence[str], task: Task) -> list[Plan]:
    """Return how each baseline makes its platforms, in order.

    Raises `ConfigError` for an unknown kind, whatever a kind finds wrong with a name, and a platform that comes twice.
    """
    made = [_plan(name, task) for name in names]
    seen: set[str] = set()
    for name, plan in zip(names, made, strict=True):
        for platform in plan.names:
            if platform in seen:
                raise ConfigError(f"baseline '{name}': '{platform}' is there already")
            seen.add(platform)
    return made


def _plan(name: str, task: Task) -> Plan:
    kind, _, what = name.partition(":")
    if kind not in KINDS:
        raise ConfigError(f"baseline '{name}': unknown kind '{kind}'{nearest(kind, KINDS)} (such as {EXAMPLES})")
    return KINDS[kind](Baseline(name, what, task))


def _at_once(*platforms: Platform) -> Plan:
    """Return the plan of platforms that are there already."""
    return Plan(tuple(p.name for p in platforms), lambda: Found(platforms))


def _measured(asked: Baseline) -> Plan:
    source = asked.task.source
    if not isinstance(source, Workload):
        raise ConfigError(
            f"baseline '{asked.name}': a trace holds no torch module to measure; give the workload's file"
        )
    from archsim.baselines.measured import check_target  # torch

    check_target(asked.what)
    return Plan((asked.name,), lambda: _measure(asked, source))


def _measure(asked: Baseline, workload: Workload) -> Found:
    """Measure; what ends it midway takes nothing away of what it had."""
    from archsim.baselines.measured import Protocol, measure

    task = asked.task
    larger = LARGER.get(asked.what.partition(":")[0], ())
    begun: list[Platform] = []
    points: list[OperatingPoint] = []
    try:
        platform = measure(
            workload, asked.what, passes=(task.passes,), batches=tuple(dict.fromkeys((*task.batches, *larger))),
            protocol=Protocol.quick(), on_start=begun.append, on_point=points.append, progress=task.progress,
        )  # fmt: skip
    except ArchsimError as error:
        why = (f"ended midway: {error}",)
        kept = [replace(p, points=tuple(points), notes=(*p.notes, *why)) for p in begun if points]
        return Found(tuple(kept), f"{asked.name}: {error}")
    return Found((platform,))


def _modelled(asked: Baseline) -> Plan:
    from archsim.baselines import find_device, modelled

    device, _, power_mode = asked.what.partition("@")
    task = asked.task
    return _at_once(
        modelled(
            find_device(device), task.trace, passes=task.passes, batches=task.batches, power_mode=power_mode or None
        )
    )


def _recorded(asked: Baseline) -> Plan:
    from archsim.baselines.records import find_record

    trace = asked.task.trace
    return _at_once(find_record(asked.what).platform(signature(trace), trace.name, asked.task.passes))


def _published(asked: Baseline) -> Plan:
    if asked.what:
        raise ConfigError(f"baseline '{asked.name}': 'published' stands alone, for all rivals that the papers name")
    from archsim.baselines.records import published_rivals

    return _at_once(*published_rivals())


KINDS: Mapping[str, Callable[[Baseline], Plan]] = MappingProxyType(
    {"measured": _measured, "modelled": _modelled, "record": _recorded, "published": _published}
)
