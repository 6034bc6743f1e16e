"""How the modules of a chip draw random numbers: what differs from the network's own rates.

Shift registers and true random generators in CMOS have no spread; spintronic modules have what the architecture's
`imperfections.random_bits` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from archsim.hardware.chip import Chip
from archsim.hardware.device import KINDS, MtjDevice
from archsim.hardware.mtj import ROOM
from archsim.hardware.random_bits import (
    ModuleVariation,
    ShortPulseSwitching,
    SwitchingLaw,
    ThermalSwitching,
    module_probabilities,
)
from archsim.hardware.variation import ChipSample
from archsim.mapping.plan import Mapping, Placed, random_modules
from archsim.workload.trace import Draw, FloatArray, Node


@dataclass(frozen=True, eq=False)
class Chance:
    """How a chip's modules draw the numbers of one `Draw` of one node.

    `p`: float32 (modules,), the actual probability that each module's bit is 1 (for a dropout: that the element is
    dropped); element e is drawn by module e modulo modules. Elements of a map count pixel by pixel, the channels of a
    pixel in a row; all bits of an index or of a Gaussian are of one module. None: exactly the nominal probability.
    `correlation`: chance that a bit repeats the one that its module drew for it in the pass before (same image) instead
    of being drawn afresh; the share of ones stays what it is. `gaussian_bits`: bits that are summed for one Gaussian;
    None: exactly normal, whatever `p`.
    """

    p: FloatArray | None = None
    correlation: float = 0.0
    gaussian_bits: int | None = None


IDEAL = Chance()


def chances_on(mapping: Mapping, sample: ChipSample) -> dict[str, tuple[Chance, ...]]:
    """Return how the modules of one sampled chip draw, by node, for those nodes whose numbers are not ideal.

    A node draws with the modules of the layer that it belongs to. Modules of a tile or of the chip are the same devices
    for every layer that they serve, each time trimmed to the probability that is wanted there.
    """
    found = {node.name: _chances(mapping.chip, node, placed, sample) for node, placed in _drawing(mapping)}
    return {name: chances for name, chances in found.items() if any(c is not IDEAL for c in chances)}


def switching_law(chip: Chip) -> SwitchingLaw | None:
    """Return how the bits of a chip's modules follow from their currents, None for modules without a junction."""
    kind = chip.arch.stochastic.kind if chip.arch.stochastic else None
    if kind not in KINDS:
        return None
    exponent = chip.effects.exponent.value
    if kind == "sot_mtj":
        return ShortPulseSwitching(chip.library.number("devices.sot_mtj.beta_V50").value, exponent)
    device = MtjDevice.from_library(chip.library, kind)
    pulse = chip.library.figure("rng.stt_set_read_reset.t_set", "time").value
    return ThermalSwitching(device.delta_random.value, pulse, device.attempt_time.value, exponent)


def module_variation(chip: Chip) -> ModuleVariation:
    """Return how the modules of a chip differ from each other, and at which temperature from what they were."""
    value = chip.effects.value
    return ModuleVariation(
        shared=chip.arch.imperfections.random_bits.trim == "shared",
        delta_spread=value("random_bits.delta_spread"),
        current_spread=value("random_bits.current_spread"),
        trim_error=value("random_bits.trim_error"),
        temperature=chip.arch.temperature if value("random_bits.temperature_drift") else ROOM,
    )


def _drawing(mapping: Mapping) -> Iterator[tuple[Node, Placed]]:
    """Yield each node that draws, with the layer whose modules it draws from."""
    owners: dict[str, Placed] = {}
    for placed in reversed(mapping.placed()):
        gate = placed.stage.dropout
        mine = (placed.stage.node, *placed.stage.digital, *([gate] if gate else []))
        owners |= {node.name: placed for node in mine}
    first = mapping.placed()[0]  # what comes before the first layer is computed beside it
    for node in mapping.trace.stochastic_nodes():
        yield node, owners.get(node.name, first)


def _chances(chip: Chip, node: Node, placed: Placed, sample: ChipSample) -> tuple[Chance, ...]:
    return tuple(_chance(chip, draw, placed, sample) for draw in node.draws())


def _chance(chip: Chip, draw: Draw, placed: Placed, sample: ChipSample) -> Chance:
    modules = chip.arch.stochastic
    assert modules is not None, "the mapping refuses a network that draws on a chip without modules"
    bits = modules.gaussian_bits if draw.kind == "gaussian" else None
    law, variation = switching_law(chip), module_variation(chip)
    correlation = chip.effects.value("random_bits.correlation")
    p = None
    if law is not None and not variation.is_ideal:
        places: dict[str, tuple[str | int, ...]] = {
            "chip": (), "tile": (placed.tiles.start,), "crossbar": (placed.name,)
        }  # fmt: skip
        source = partial(sample.generator, "modules", *places[modules.scope])
        p = module_probabilities(draw.p, random_modules(placed, chip), law, variation, source).astype(np.float32)
    chance = Chance(p, correlation, bits)
    return chance if p is not None or correlation or bits else IDEAL
