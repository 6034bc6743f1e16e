"""Does the chip answer as torch does? The network itself, run in torch under the random numbers the hardware draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archsim.functional import LayerEncoding, compute, ideal_encodings, node_noise
from archsim.functional.chance import Chance
from archsim.workload.trace import Trace

if TYPE_CHECKING:
    import torch

BATCH = 500


@dataclass(frozen=True)
class Agreement:
    """How many of all answers (one for each image and pass) are equal to torch's.

    `identical`: with every score equal bit for bit. `same_class`: with the same winner. `largest_difference`: of a
    score, relative to the largest score of all.
    """

    answers: int
    identical: int
    same_class: int
    largest_difference: float


def compare_with_torch(
    model: torch.nn.Module,
    trace: Trace,
    images: npt.NDArray[np.float32],
    passes: int,
    *,
    seed: int = 0,
    encodings: Mapping[str, LayerEncoding] | None = None,
    chances: Mapping[str, tuple[Chance, ...]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Run a traced model both ways, on all images and passes, and compare all scores.

    Torch is given the very random numbers that the hardware draws, whatever the method. All scores are equal bit for
    bit, but where a `Normalise` adds up real numbers: NumPy and torch do so in different orders, the mean of n values
    then differs by at most about n eps max|x|, and a value that lies so close to it may get the other sign.

    `encodings`: how the chip reads each layer, `chances`: how its modules draw, by node; ideal hardware unless given.
    `progress`: called with passes done, of how many. The model should be in evaluation mode.
    """
    ours = compute(trace, encodings or ideal_encodings(trace), images, passes, seed, chances=chances).logits
    identical = same = 0
    difference = 0.0
    for t in range(passes):
        theirs = np.concatenate(
            [
                torch_scores(model, trace, images[i : i + BATCH], seed, i, t, chances)
                for i in range(0, len(images), BATCH)
            ]
        )
        identical += int((ours[t] == theirs).all(axis=1).sum())
        same += int((ours[t].argmax(axis=1) == theirs.argmax(axis=1)).sum())
        difference = max(difference, float(np.abs(ours[t] - theirs).max()))
        if progress:
            progress(t + 1, passes)
    return Agreement(ours.shape[0] * ours.shape[1], identical, same, difference / float(np.abs(ours).max()))


def torch_scores(
    model: torch.nn.Module,
    trace: Trace,
    images: npt.NDArray[np.float32],
    seed: int,
    first: int,
    pass_index: int,
    chances: Mapping[str, tuple[Chance, ...]] | None = None,
) -> npt.NDArray[np.float32]:
    """Return torch's scores for one pass, (N, classes), under the noise that the hardware draws for these images.

    `first`: index of the first image in the whole run. `chances`: as in `compare_with_torch`.
    """
    import torch

    from archsim.nn import masks

    def provider(name: str, _: object, shape: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
        indices = np.arange(first, first + shape[0])
        drawn = node_noise(trace[name], seed, indices, pass_index, (chances or {}).get(name))
        return tuple(torch.from_numpy(numbers) for numbers in drawn)

    with torch.no_grad(), masks(model, provider):
        scores: npt.NDArray[np.float32] = model(torch.from_numpy(images)).numpy()
    return scores.reshape(len(images), -1)
