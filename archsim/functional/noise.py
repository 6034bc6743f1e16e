"""The random numbers of a node, made of the random bits of its modules.

A bit is a bit. An index is the binary number of its fair bits. A Gaussian is what the chip makes of bits: the number of
ones among n fair bits, centred and scaled to deviation 1 (binomial); or, where nothing is said of a chip, a 32-bit
uniform through the inverse of the normal distribution.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError, TraceError, nearest
from archsim.functional.chance import Chance
from archsim.functional.randomness import BitSource, Probabilities
from archsim.functional.values import Samples, Words, layout, unpack
from archsim.kernels.constants import LANE
from archsim.workload.trace import Draw, Dropout, Node, Noise, Trace

Chances = Mapping[str, tuple[Chance, ...]]

IDEAL = Chance()
UNIFORM_BITS = 32


def noise_of(node: Node, index: int, samples: Samples, chance: Chance = IDEAL) -> Noise:
    """Return the numbers of a node's draw number `index` for each sample: (samples, count).

    A pure function of seed, node name, draw, image, pass and element. Bits are bool, indices int64, Gaussians float32.
    The bits of an element-wise dropout come channels first, as its input does in torch.
    """
    draw, source = node.draws()[index], source_of(node, index, samples.seed, chance)
    words = source.bits(samples.images, samples.passes)
    if draw.kind == "bit":
        return np.reshape(unpack(words, source.live).swapaxes(1, 2), (len(words), -1))
    if draw.kind == "index":
        return _numbers(words)
    if chance.gaussian_bits is None:
        return normal(_numbers(words))
    n = chance.gaussian_bits
    grid = ((np.arange(n + 1) - n / 2) / np.sqrt(n / 4)).astype(np.float32)
    return np.asarray(grid[unpack(words, n).sum(axis=-1)])


def _numbers(words: Words) -> npt.NDArray[np.int64]:
    """Return the binary number that each row of bits is, lowest bit first."""
    place = LANE * np.arange(words.shape[-1])
    return np.asarray((words.astype(np.int64) << place).sum(axis=-1))


def normal(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the normal number that each uniform whole number below 2**`UNIFORM_BITS` stands for."""
    from scipy.special import ndtri  # loads slowly

    return np.asarray(ndtri((numbers + 0.5) / 2**UNIFORM_BITS), np.float32)


def source_of(node: Node, index: int, seed: int, chance: Chance = IDEAL) -> BitSource:
    """Return what draws the bits of a node's draw number `index`: a row for each pixel, or for each number."""
    draw = node.draws()[index]
    rows, live = _arrangement(node, draw, chance)
    p = _probabilities(draw, rows, live, chance)
    return BitSource(seed, node.name, f"draw {index}" if index else "", rows, live, p, chance.correlation)


def _arrangement(node: Node, draw: Draw, chance: Chance) -> tuple[int, int]:
    if isinstance(node.op, Dropout) and node.op.granularity == "element":
        height, width, channels = layout(node.shape)
        return height * width, channels
    if draw.kind == "bit":
        return 1, draw.count
    return draw.count, _bits_each(draw, chance)


def _bits_each(draw: Draw, chance: Chance) -> int:
    return (chance.gaussian_bits or UNIFORM_BITS) if draw.kind == "gaussian" else draw.bits_each


def _probabilities(draw: Draw, rows: int, live: int, chance: Chance) -> Probabilities:
    is_exact = draw.kind == "gaussian" and chance.gaussian_bits is None
    if chance.p is None or is_exact:
        return np.array([[draw.p if draw.kind == "bit" else 0.5]])
    bits = np.arange(rows * live).reshape(rows, live)
    element = bits if draw.kind == "bit" else bits // live
    return chance.p.astype(np.float64)[element % len(chance.p)]


def chances_of(node: Node, chances: Chances) -> tuple[Chance, ...]:
    """Return the chances of a node's draws; ideal where none are given."""
    return chances.get(node.name, (IDEAL,) * len(node.draws()))


def node_noise(
    node: Node, seed: int, image: int | npt.ArrayLike, pass_index: int, chances: tuple[Chance, ...] | None = None
) -> tuple[Noise, ...]:
    """Return the random numbers that `compute` draws for a node, an array (images, count) for each of its draws.

    `image`: index of an image in the whole run, or several; for a single one the arrays are (count,). `chances`: of
    the node. The bits of a dropout say what is dropped, channels first.
    """
    images = np.atleast_1d(np.asarray(image, np.int64))
    samples = Samples(seed, images, np.full(images.shape, pass_index, np.int64))
    each = chances_of(node, {} if chances is None else {node.name: chances})
    drawn = tuple(noise_of(node, i, samples, chance) for i, chance in enumerate(each))
    return drawn if np.ndim(image) else tuple(numbers[0] for numbers in drawn)


def dropout_mask(
    node: Node, shape: tuple[int, ...], seed: int, image: int | npt.ArrayLike, pass_index: int,
    chances: tuple[Chance, ...] | None = None,
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Return True where the dropout `node` keeps its input: the very bits that `compute` draws.

    `shape`: shape of its input without batch axis, `node.shape`. `image`: index of an image in the whole run, or
    several, which then become the first axis of the answer. `chances`: of the node. Raises `TraceError` for another
    node or shape.
    """
    if not isinstance(node.op, Dropout):
        raise TraceError(f"node '{node.name}' is a {node.op.kind}, not a dropout")
    if tuple(shape) != tuple(node.shape):
        raise TraceError(f"node '{node.name}' has shape {node.shape}, not {tuple(shape)}")
    (dropped,) = node_noise(node, seed, np.atleast_1d(image), pass_index, chances)
    kept = ~dropped
    if node.op.granularity == "channel":
        kept = kept.repeat(np.prod(shape) // maps_of(node), axis=1)
    mask = kept.reshape(len(kept), *shape)
    return mask if np.ndim(image) else mask[0]


def maps_of(node: Node) -> int:
    """Return how many feature maps a channel-wise dropout has. Raises `TraceError` if they do not divide its input."""
    (draw,) = node.draws()
    if draw.count < 1 or node.shape[0] % draw.count:
        raise TraceError(f"node '{node.name}': {node.shape[0]} elements cannot be divided into {draw.count} equal maps")
    return draw.count


def bits_per_evaluation(node: Node, chances: tuple[Chance, ...]) -> int:
    """Return the random bits that one evaluation of a node draws; an exactly normal number counts as one."""
    return sum(
        d.count * ((c.gaussian_bits or 1) if d.kind == "gaussian" else d.bits_each)
        for d, c in zip(node.draws(), chances, strict=True)
    )


def noise_bytes(node: Node, chances: tuple[Chance, ...]) -> int:
    """Estimate the memory that the random numbers of one evaluation of a node take while they are drawn."""
    kept = {"bit": 1, "index": 8, "gaussian": 4}

    def drawing(draw: Draw, chance: Chance) -> int:
        if draw.kind == "gaussian":
            return 44 if chance.gaussian_bits is None else chance.gaussian_bits + 16
        return 24 if draw.kind == "index" else 1

    pairs = tuple(zip(node.draws(), chances, strict=True))
    return sum(d.count * kept[d.kind] for d, _ in pairs) + max((d.count * drawing(d, c) for d, c in pairs), default=0)


def check_chances(trace: Trace, chances: Chances) -> None:
    """Refuse chances that do not fit a network. Raises `ConfigError`, naming node and draw."""
    counts = {n.name: len(n.draws()) for n in trace.stochastic_nodes()}
    for name, given in chances.items():
        if name not in counts:
            raise ConfigError(f"chances: no node '{name}' draws random numbers{nearest(name, counts)}")
        if len(given) != counts[name]:
            raise ConfigError(f"chances of node '{name}': {counts[name]} draws, but {len(given)} chances")
        for i, chance in enumerate(given):
            _check(f"chances of node '{name}', draw {i}", chance)


def _check(where: str, chance: Chance) -> None:
    p = chance.p
    if p is not None and not (p.ndim == 1 and p.size and np.all((p >= 0) & (p <= 1))):
        raise ConfigError(f"{where}: p must be one probability in [0, 1] for each module, got {p!r}")
    if not 0 <= chance.correlation <= 1:
        raise ConfigError(f"{where}: correlation must be in [0, 1], got {chance.correlation}")
    if chance.gaussian_bits is not None and chance.gaussian_bits < 1:
        raise ConfigError(f"{where}: gaussian_bits must be at least 1, got {chance.gaussian_bits}")
