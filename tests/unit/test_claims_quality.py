"""Claims about quality, found on answers that are known: what is compared with what, and what counts."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archsim.claims.bench import METHODS, Bench
from archsim.claims.quality import affine_robustness, clean_accuracy, corrupted_accuracy, ood_detection

IMAGES = 40
LABELS = np.arange(IMAGES) % 10


def answers(right: int) -> np.ndarray[Any, Any]:
    """Certain answers of three passes, so many of them right."""
    given = np.where(np.arange(IMAGES) < right, LABELS, (LABELS + 1) % 10)
    return np.broadcast_to(20 * np.eye(10, dtype=np.float32)[given], (3, IMAGES, 10))


class Canned(Bench):
    """A bench whose networks answer what a function says: (workload, settings, shift, severity) -> logits."""

    def __init__(self, say: Callable[..., Any]) -> None:
        super().__init__(images=IMAGES)
        self.asked: list[tuple[str, str]] = []
        self.answer = say

    def deployment(self, chip: str, workload: str, passes: int = 0, *settings: str) -> Any:
        del passes
        self.asked.append((chip, workload))
        return SimpleNamespace(trace=SimpleNamespace(name=workload), settings=settings)

    def inputs(self, *_: Any) -> Any:
        return SimpleNamespace(labels=LABELS)

    def logits(self, on: Any, shift: str | None = None, severity: float | None = None, sample: int = 0) -> Any:
        del sample
        return self.answer(on.trace.name, on.settings, shift, severity)


@pytest.mark.parametrize("method", ["spindrop", "scale"])
def test_the_gain_is_paired_and_on_the_same_chip(method: str) -> None:
    bench = Canned(lambda name, *_: answers(28 if name.endswith("deterministic") else 36))
    assert clean_accuracy(method, bench).value.value == pytest.approx(8 / IMAGES)
    assert {chip for chip, _ in bench.asked} == {METHODS[method].chip}


def test_the_best_corruption_counts_and_is_named() -> None:
    def say(name: str, _: object, shift: str, level: float) -> np.ndarray[Any, Any]:
        return answers(10 if (name.endswith("deterministic") and (shift, level) == ("blur", 3)) else 30)

    found = corrupted_accuracy(Canned(say))
    assert found.value.value == pytest.approx(0.5)
    assert found.condition.startswith("blur 3 of 45 ")
    assert "+0.00% at worst" in found.why


def test_flags_of_known_images_are_reported_beside_those_of_unknown_ones() -> None:
    doubtful = np.zeros((3, IMAGES, 10), np.float32)
    found = ood_detection(Canned(lambda _, __, shift, ___: doubtful if shift == "cifar10" else answers(IMAGES)))
    assert found.value.value == 1.0
    assert found.condition.startswith("SpinDrop, cifar10; ")
    assert "SpinDrop, uniform_noise 0.0%" in found.condition
    assert "known images (SpinDrop 0.0%, Spatial-SpinDrop 0.0%)" in found.why


def test_robustness_takes_the_strength_at_which_the_networks_differ_most() -> None:
    def say(name: str, settings: tuple[str, ...], *_: object) -> np.ndarray[Any, Any]:
        lost = settings == ("imperfections.cells.spread=0.3",) and name.endswith("deterministic")
        return answers(4 if lost else IMAGES)

    found = affine_robustness(Canned(say))
    assert found.value.value == pytest.approx(0.9)
    assert found.condition.startswith("spread 30%")
