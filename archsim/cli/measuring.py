"""`archsim measure`: what networks take on this machine, kept in a record as it is measured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from archsim.baselines.network import signature
from archsim.baselines.platform import Mode, Platform
from archsim.baselines.records import ABOUT, Record, RecordedNetwork, RecordWriter
from archsim.cli.console import print_all, print_json, progress_bar, say
from archsim.cli.sources import is_yaml
from archsim.config import validate
from archsim.errors import ArchsimError, ConfigError
from archsim.report.measurements import record_data, record_report
from archsim.workload.cache import trace_of
from archsim.workload.spec import Workload, load_workload

if TYPE_CHECKING:
    from archsim.baselines.measured import Protocol

MOST = 1_000_000  # passes, or images of a call
DIGITS = 16  # of a checkpoint's hash


@dataclass(frozen=True)
class Options:
    """What the command line says about a measurement; None, or nothing, where the protocol or the device decides."""

    on: str
    passes: tuple[int, ...]
    batches: tuple[int, ...]
    modes: tuple[str, ...]
    software: tuple[str, ...]
    quick: bool
    limit_s: float | None
    name: str | None
    description: str


def run(workloads: Sequence[Path], options: Options, out: Path, *, as_json: bool) -> None:
    """Measure networks, each point kept in the file `out` as soon as it is there, and print the record.

    What ends it midway, a lost device or the user, is raised on when all until then is kept and printed.
    """
    from archsim.baselines.measured import check_target  # torch

    check_target(options.on)
    protocol = _protocol(options)
    writer = RecordWriter(out)
    held = writer.record
    networks = [_network(path) for path in workloads]
    try:
        for workload, network in networks:
            _measure(workload, network, options, protocol, writer)
    except (ArchsimError, KeyboardInterrupt):
        if writer.record is not held and writer.record and writer.record.networks:
            _print(writer.record, as_json=as_json)
            say(f"all that was measured is in {out}; the same command goes on from there")
        raise
    assert writer.record is not None, "something was measured"
    _print(writer.record, as_json=as_json)


def _protocol(options: Options) -> Protocol:
    from archsim.baselines.measured import Protocol

    protocol = Protocol.quick() if options.quick else Protocol()
    if options.limit_s is None:
        return protocol
    if not 0 < options.limit_s < math.inf:
        raise ConfigError(f"--limit {options.limit_s}: expected a number of seconds, more than 0")
    return replace(protocol, limit_s=options.limit_s)


def _measure(
    workload: Workload, network: RecordedNetwork, options: Options, protocol: Protocol, writer: RecordWriter
) -> None:
    """Measure what is not in the file yet."""
    from archsim.baselines.measured import Setup, measure

    known = writer.known(network.structure)
    with progress_bar() as note:
        found = measure(
            workload,
            options.on,
            passes=options.passes,
            batches=options.batches,
            protocol=protocol,
            modes=cast(tuple[Mode, ...], options.modes) or None,  # it checks them
            software=options.software or None,
            skip=[Setup(p.passes, p.batch, p.mode, p.software) for p in known if p.passes and p.mode],
            on_start=lambda platform: writer.begin(_head(platform, options, writer.path)),
            on_point=lambda point: writer.add(network, point),
            progress=lambda what, done, of: note(f"{network.name}: {what}", done, of),
        )
    writer.note(network, found.notes)


def _head(platform: Platform, options: Options, out: Path) -> Record:
    """Return what a record says of a platform before it holds any network."""
    name = options.name or re.sub(r"[^A-Za-z0-9_.-]", "_", out.stem)
    about = {key: platform.about[key] for key in ABOUT if platform.about.get(key)}
    sources = [asdict(source) for source in platform.sources]
    facts = {"device": platform.device, "boundary": platform.boundary, "no_energy": platform.no_energy}
    head = {"schema": Record.SCHEMA, "name": name, "description": options.description, "origin": "measured"}
    return validate(Record, head | facts | about | {"sources": sources}, "--name" if options.name else str(out))


def _network(path: Path) -> tuple[Workload, RecordedNetwork]:
    """Return a workload and its network as a record knows it, by the structure of its graph; the weights are told."""
    if not is_yaml(path):
        raise ConfigError(f"{path}: a trace holds no torch module to measure; give the workload's file")
    workload = load_workload(path)
    structure, checkpoint = signature(trace_of(workload)), None
    if workload.is_trained:
        checkpoint = sha256(workload.require_checkpoint().read_bytes()).hexdigest()[:DIGITS]
    today = datetime.now(UTC).date().isoformat()
    network = RecordedNetwork(
        name=workload.config.name, structure=structure, checkpoint=checkpoint, date=today, points=()
    )
    return workload, network


def _print(record: Record, *, as_json: bool) -> None:
    if as_json:
        print_json(record_data(record))
    else:
        print_all(record_report(record))


def counts(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers in a list such as "1,10,20"; `ConfigError` unless each is a whole number of at least 1."""
    numbers = []
    for word in text.split(","):
        if not re.fullmatch(r"\s*\d{1,7}\s*", word) or not 0 < int(word) <= MOST:
            raise ConfigError(f"{option} {text}: expected numbers from 1 to {MOST}, such as 1,10,20; got '{word}'")
        numbers.append(int(word))
    return tuple(dict.fromkeys(numbers))
