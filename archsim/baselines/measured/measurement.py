"""A workload's network on a device of this machine: all its operating points."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archsim.baselines.measured.campaign import Campaign, Network, Progress, about, jobs_of
from archsim.baselines.measured.deployed import deployed
from archsim.baselines.measured.device import Device, device_of
from archsim.baselines.measured.modes import repeated, sharing
from archsim.baselines.measured.offers import offers_of
from archsim.baselines.measured.protocol import Clock, Protocol
from archsim.baselines.measured.software import KINDS
from archsim.baselines.network import signature
from archsim.baselines.platform import MODES, Mode, OperatingPoint, Platform
from archsim.errors import ConfigError, DeviceError, TraceError, nearest
from archsim.nn import BAYESIAN
from archsim.nn.stochastic import always_on
from archsim.workload.cache import trace_of
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import Workload


def measure(
    workload: Workload,
    target: str,
    *,
    passes: Sequence[int],
    batches: Sequence[int],
    protocol: Protocol | None = None,
    modes: Collection[Mode] | None = None,
    software: Collection[str] | None = None,
    skip: Collection[tuple[int, int, Mode, str]] = (),
    on_start: Callable[[Platform], None] | None = None,
    on_point: Callable[[OperatingPoint], None] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Platform:
    """Measure what a workload's network takes on "cpu", "cuda" or "cuda:1", for each number of passes and batch size.

    Each point is an answer: the scores of all passes made and averaged, with dropout on, in single precision (TF32
    where a GPU has it). `modes`: of `archsim.baselines.platform.MODES`, all that the network allows by default; with
    one pass they are the same program, which is measured once and reported for each. `software`: of "eager", "compile",
    "cuda_graph"; by default all that the device and the protocol have. On a processor each runs on one thread and on
    all that torch has. What is not possible is left out, and the platform's notes say why. `skip`: setups (passes,
    batch, mode, software) that are known already.

    `on_start` hears of the platform, without points, before the first one is measured; `on_point` of each point as soon
    as it is there; `progress` of what is done, of how many. Threads, settings and random state of torch are put back.

    Raises `ConfigError` for arguments that cannot be, `DeviceError` when there is no such device or the network cannot
    run there, `DeviceLostError` when the device is lost midway, `DataError` when the checkpoint is missing.
    """
    device, rules = device_of(target), protocol or Protocol()
    _check(passes, batches, modes, software)
    network, notes = _network(workload, device)
    jobs = jobs_of(device, network.offers, rules, passes, batches, modes, software, skip)
    campaign = Campaign(network, device, rules, clock or Clock())
    campaign.notes += notes
    if software is None and not rules.compile:
        campaign.notes.append("torch.compile was not tried (protocol 'quick'); it may be faster")
    return campaign.run(jobs, on_point, progress, on_start)


def check_target(target: str) -> None:
    """Raise `ConfigError` or `DeviceError` unless one can measure on a target; takes no time."""
    device_of(target)


def describe(target: str, protocol: Protocol | None = None) -> tuple[str, dict[str, Any]]:
    """Return a target in words, and what `Platform.about` will say when it is measured: machine, software, protocol."""
    device = device_of(target)
    return device.title, about(device, protocol or Protocol())


def scores(model: nn.Module, images: Tensor, passes: int, mode: Mode = "sequential") -> Tensor:
    """Return the scores of stochastic passes as `measure` runs them, (passes, N, outputs), on the model's device.

    `images`: (N, ...). Raises `DeviceError` with the reason when the network does not allow the mode.
    """
    network = deployed(model)
    offers = offers_of(network, tuple(images.shape[1:]))
    if mode in offers.refused:
        raise DeviceError(f"{mode}: not possible: {offers.refused[mode]}")
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if offers.switched:
            stack.enter_context(always_on())
        if mode == "sequential":
            return torch.stack([network(images) for _ in range(passes)])
        if mode == "shared_prefix" and offers.cut is not None:
            stack.enter_context(sharing(network, offers.cut, len(images), passes))
            return network(images).unflatten(0, (passes, len(images)))  # type: ignore[no-any-return]
        return network(repeated(images, passes)).unflatten(0, (passes, len(images)))  # type: ignore[no-any-return]


def _network(workload: Workload, device: Device) -> tuple[Network, list[str]]:
    """Return a workload's network ready to be measured, and what a reader should know of it."""
    notes = []
    with torch.random.fork_rng(devices=()):  # a network is built with random weights
        model = deployed(load_model(workload))
    try:
        structure = signature(trace_of(workload))
    except TraceError as error:
        structure = None
        notes.append(f"the network cannot be traced, so nothing knows it by its structure: {error}")
    if workload.config.members:
        notes.append("of the deep ensemble the first network alone is measured, in every pass")
    if device.overlaps and any(isinstance(m, BAYESIAN) and m.frozen for m in model.modules()):
        notes.append(
            "the host looks up which copy of its weights each layer takes, and waits for the device to know; a program"
            " written for a GPU could choose there"
        )
    offers = offers_of(model, workload.input_shape)
    if offers.switched:
        notes.append(
            "dropouts that are called as functions are switched on from outside, which costs about a microsecond a"
            " call of torch; nn.Dropout modules need not be"
        )
    answer = partial(torch.softmax, dim=-1) if workload.task == "classification" else _as_it_is
    return Network(workload.config.name, model, workload.input_shape, answer, offers, structure), notes


def _as_it_is(scores: Tensor) -> Tensor:
    return scores


def _check(
    passes: Sequence[int], batches: Sequence[int], modes: Iterable[str] | None, software: Iterable[str] | None
) -> None:
    """Refuse what cannot be measured."""
    for name, values in (("passes", passes), ("batches", batches)):
        if not values or any(value < 1 for value in values):
            raise ConfigError(f"{name}: wanted at least one number, each at least 1; got {list(values)}")
    for what, chosen, known in (("mode", modes, MODES), ("software", software, KINDS)):
        for name in chosen or ():
            if name not in known:
                raise ConfigError(f"unknown {what} '{name}'{nearest(name, known)}")
