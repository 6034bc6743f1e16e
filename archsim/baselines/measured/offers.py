"""Which ways of running several passes a network allows: each is tried against single passes, under the same noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archsim.baselines.measured.failures import RefusedError, first_line
from archsim.baselines.measured.modes import Cut, repeated, sharing
from archsim.baselines.measured.watching import Seen, watch
from archsim.baselines.platform import Mode
from archsim.errors import DeviceError
from archsim.nn import Stochastic, masks

ROWS, DRAWS = 8, 6  # of a layer's noise: enough that independent rows are never equal in every draw
IMAGES, PASSES = 2, 3  # of a trial: more than one, and not the same
TOLERANCE = 1e-6  # of the largest score, in double precision


@dataclass(frozen=True)
class Offers:
    """What a network allows. `refused`: modes that it does not, with the reason. `cut`: the end of the shared prefix.

    `stochastic`: whether passes differ at all. `switched`: whether it calls dropouts as functions that are off at
    inference, so that they must be switched on from outside.
    """

    refused: Mapping[Mode, str]
    cut: Cut | None
    stochastic: bool
    switched: bool


def offers_of(model: nn.Module, shape: tuple[int, ...]) -> Offers:
    """Try a network on inputs of a shape (without batch axis) in each mode, under the same random numbers.

    What is computed in double precision cannot flip a sign by rounding, so that answers are equal or wrong. Torch's
    generator and the network are left as they were. Raises `DeviceError` when the network cannot run at all.
    """
    trial = copy.deepcopy(model).cpu().double()
    with torch.random.fork_rng(devices=()), torch.inference_mode():
        torch.manual_seed(0)
        images = torch.rand(IMAGES, *shape, dtype=torch.double)
        noise = _Noise(trial)
        try:
            seen = watch(trial, images)
            singles = torch.cat([noise.run(images, [t]) for t in range(PASSES)])
        except Exception as error:  # the forward of a user's network may raise anything
            raise DeviceError(f"the network cannot run: {first_line(error)}") from error
        try:
            _same(singles, lambda: noise.run(repeated(images, PASSES), range(PASSES)))
        except RefusedError as error:
            why = str(error)
            return Offers({"folded": why, "shared_prefix": why}, None, seen.stochastic, seen.switched)
        try:
            cut = _cut(trial, seen, lambda: _same(singles, lambda: noise.run(images, range(PASSES))))
        except RefusedError as error:
            return Offers({"shared_prefix": str(error)}, None, seen.stochastic, seen.switched)
    return Offers({}, cut, seen.stochastic, seen.switched)


def _cut(trial: nn.Module, seen: Seen, check: Callable[[], None]) -> Cut:
    """Return the last value before all chance from which one can go on with a copy for each pass."""
    if not seen.stochastic:
        raise RefusedError("it draws no random numbers, so that all its passes are the same")
    if not seen.cuts:
        raise RefusedError("chance enters with its first layer")
    for cut in reversed(seen.cuts):
        try:
            with sharing(trial, cut, IMAGES, PASSES):
                check()
            return cut
        except RefusedError:
            continue  # something computed before the cut is used behind it by another way
    raise RefusedError("no single value separates what all passes share from what they do not")


def _same(singles: Tensor, run: Callable[[], Tensor]) -> None:
    """Refuse a way to run all passes that does not give the answers of single ones."""
    try:
        found = run()
    except RefusedError:
        raise
    except Exception as error:  # as above
        raise RefusedError(f"its forward does not take the passes as a batch: {first_line(error)}") from error
    allowed = TOLERANCE * float(singles.abs().max())
    if found.shape != singles.shape or not torch.allclose(found, singles, rtol=0, atol=allowed):
        raise RefusedError("the images of a batch affect each other's answers")


class _Noise:
    """The random numbers of a trial: for each stochastic call and pass the same, however the passes are run."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.drawn: dict[tuple[str, int], tuple[Tensor, ...]] = {}

    def run(self, images: Tensor, passes: Sequence[int]) -> Tensor:
        """Return the scores of a forward whose batch holds these passes, one after the other."""

        def provider(name: str, module: nn.Module | None, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
            each = [self._of(name, module, shape, t) for t in passes]
            if len(passes) > 1 and (any(len(numbers) != IMAGES for numbers in each[0]) or _in_step(module, shape)):
                raise RefusedError(f"one sample of '{name}' serves a whole batch")
            return tuple(torch.cat(numbers) for numbers in zip(*each, strict=True))

        before = torch.get_rng_state()
        with masks(self.model, provider):
            scores: Tensor = self.model(images)
        if len(passes) > 1 and not torch.equal(before, torch.get_rng_state()):
            raise RefusedError("it draws random numbers outside its stochastic layers")
        return scores

    def _of(self, name: str, module: nn.Module | None, shape: tuple[int, ...], t: int) -> tuple[Tensor, ...]:
        if (name, t) not in self.drawn:
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(len(self.drawn))
                self.drawn[name, t] = _drawn(name, module, (IMAGES, *shape[1:]))
        return self.drawn[name, t]


def _drawn(name: str, module: nn.Module | None, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return noise for a call; bits are fair ones, as passes with the same noise would tell nothing."""
    if isinstance(module, Stochastic):
        numbers = module.noise(torch.zeros(shape, dtype=torch.double))
    else:
        each_value = isinstance(module, torch.nn.Dropout) or name.partition("@")[0] == "F.dropout"
        numbers = (torch.zeros(IMAGES, math.prod(shape[1:]) if each_value else shape[1], dtype=torch.bool),)
    return tuple(
        torch.rand(n.shape) < 0.5 if n.dtype == torch.bool else n.double() if n.is_floating_point() else n
        for n in numbers
    )


def _in_step(module: nn.Module | None, shape: tuple[int, ...]) -> bool:
    """Tell whether a layer gives all images of a batch the same random numbers, other ones in each call."""
    if not isinstance(module, Stochastic):
        return False
    x = torch.zeros((ROWS, *shape[1:]), dtype=torch.double)
    with torch.random.fork_rng(devices=()):
        draws = [module.noise(x) for _ in range(DRAWS)]
    equal_rows = all(torch.equal(n, n[:1].expand_as(n)) for numbers in draws for n in numbers)
    return equal_rows and any(not torch.equal(a, b) for n in draws for a, b in zip(draws[0], n, strict=True))
