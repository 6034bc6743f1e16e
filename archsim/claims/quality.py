"""Claims about accuracy and uncertainty: trained networks, real data, the chips' own converters and imperfections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from archsim.claims.bench import COMMON_CHIP, METHODS, TRUSTED_PASSES, Bench
from archsim.claims.finding import Finding
from archsim.errors import DataError
from archsim.metrics.intervals import Estimate, mean
from archsim.metrics.ood import PercentileRule, detection, share_of, uncertainty_scores
from archsim.metrics.quality import predict
from archsim.pipeline import Deployment
from archsim.workload.shifts import SEVERITIES

NETWORK = "lenet5_mnist"
UNKNOWN = (("uniform_noise", None), ("gaussian_noise", None), ("cifar10", None), ("rotation", 90.0))
CORRUPTIONS = ("noise", "shot_noise", "salt_pepper", "blur", "contrast", "brightness", "fog", "occlusion", "translate")
SPREADS = (0.1, 0.2, 0.3, 0.5)
STUCK = (0.01, 0.05, 0.1, 0.2)  # of all cells, half of them at each end
CHIPS = 3  # sampled for each strength
Floats = npt.NDArray[np.float64]


def ood_detection(bench: Bench) -> Finding:
    """Flag unknown images with the papers' percentile rule; the best set counts."""
    rule = PercentileRule()
    found: dict[str, Estimate] = {}
    false, calibrated = [], []
    for method in ("spindrop", "spatial"):
        on, title = _own(bench, method), METHODS[method].title
        false.append(f"{title} {share_of(rule.flags(bench.logits(on))).value:.1%}")
        for name, logits in _unknown(bench, on):
            found[f"{title}, {name}"] = share_of(rule.flags(logits))
            calibrated.append(f"{title}, {name} {_detected(bench, on, logits).value:.1%}")
    best = max(found, key=lambda name: found[name].value)
    return Finding(
        found[best],
        f"{best}; all: " + "; ".join(f"{n} {e.value:.1%}" for n, e in found.items()),
        f"the rule also flags known images ({', '.join(false)}); with an entropy threshold at 5 % false alarms: "
        + "; ".join(calibrated),
    )


def affine_ood(bench: Bench) -> Finding:
    """Flag unknown images by predictive entropy at 5 % false alarms; the best set counts."""
    on = _own(bench, "affine")
    found = {name: _detected(bench, on, logits) for name, logits in _unknown(bench, on)}
    best = max(found, key=lambda name: found[name].value)
    return Finding(found[best], f"{best}; " + ", ".join(f"{n} {e.value:.1%}" for n, e in found.items()))


def clean_accuracy(method: str, bench: Bench) -> Finding:
    """Compare a method with the deterministic network, image by image."""
    with_it, without = _own(bench, method), _deterministic(bench, method)
    gain = _gain(bench, with_it, without)
    right = [_right(bench, on).mean() for on in (with_it, without)]
    return Finding(
        gain,
        f"{bench.images} MNIST images, paired",
        f"{right[0]:.2%} against {right[1]:.2%} of a deterministic network",
    )


def corrupted_accuracy(bench: Bench) -> Finding:
    """Compare SpinDrop with the deterministic network on every corruption at every severity; the best counts."""
    with_it, without = _own(bench, "spindrop"), _deterministic(bench, "spindrop")
    gains = {(name, level): _gain(bench, with_it, without, name, level) for name in CORRUPTIONS for level in SEVERITIES}
    (name, level), best = max(gains.items(), key=lambda item: item[1].value)
    average = sum(g.value for g in gains.values()) / len(gains)
    worst = min(g.value for g in gains.values())
    return Finding(
        best,
        f"{name} {level} of {len(gains)} corruptions (the best of so many is partly luck)",
        f"over all corruptions and severities the gain is {average:+.2%} on average, {worst:+.2%} at worst",
    )


def affine_robustness(bench: Bench) -> Finding:
    """Compare Inverted Normalisation with batch norm on chips of ever more spread and ever more stuck cells."""
    gains: dict[str, Estimate] = {}
    levels: dict[str, tuple[float, float]] = {}
    for label, settings in _strengths():
        pair = [
            bench.deployment(COMMON_CHIP, f"{NETWORK}_affine", TRUSTED_PASSES // 2, *settings),
            bench.deployment(COMMON_CHIP, f"{NETWORK}_deterministic", 1, *settings),
        ]
        right = [np.mean([_right(bench, on, sample=c) for c in range(CHIPS)], axis=0) for on in pair]
        gains[label] = mean(right[0] - right[1], -1.0, 1.0)
        levels[label] = float(right[0].mean()), float(right[1].mean())
    best = max(gains, key=lambda label: gains[label].value)
    return Finding(
        gains[best],
        f"{best}, mean of {CHIPS} sampled chips",
        "accuracy with inverted against batch norm: "
        + ", ".join(f"{label} {a:.1%}/{b:.1%}" for label, (a, b) in levels.items()),
    )


def affine_regression(bench: Bench) -> Finding:
    """Compare the error of a regression with inverted norm and with batch norm on chips of ever more spread."""
    savings: dict[str, tuple[float, float, float]] = {}
    for label, settings in _strengths():
        errors = []
        for name, passes in (("gap_affine", TRUSTED_PASSES), ("gap_deterministic", 1)):
            on = bench.deployment(COMMON_CHIP, name, passes, *settings)
            wanted = bench.inputs(name).labels
            errors.append(
                [_error(bench.logits(on, sample=c).mean(0)[:, 0], np.asarray(wanted, float)) for c in range(CHIPS)]
            )
        ratios = 1 - np.array(errors[0]) / np.array(errors[1])
        savings[label] = float(ratios.mean()), float(ratios.min()), float(ratios.max())
    best = max(savings, key=lambda label: savings[label][0])
    return Finding(
        Estimate(*savings[best], f"range of {CHIPS} chips"),
        f"{best}, mean of {CHIPS} sampled chips",
        "lower RMSE by: " + ", ".join(f"{label} {value:.1%}" for label, (value, _, _) in savings.items()),
    )


def _strengths() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "no imperfection", ()
    for spread in SPREADS:
        yield f"spread {spread:.0%}", (f"imperfections.cells.spread={spread}",)
    for share in STUCK:
        each = share / 2
        yield (
            f"stuck {share:.0%}",
            (f"imperfections.cells.stuck_parallel={each}", f"imperfections.cells.stuck_antiparallel={each}"),
        )


def _own(bench: Bench, method: str) -> Deployment:
    return bench.deployment(METHODS[method].chip, f"{NETWORK}_{method}")


def _deterministic(bench: Bench, method: str) -> Deployment:
    """Return the network without chance, on the chip of a method, so that nothing else differs."""
    return bench.deployment(METHODS[method].chip, f"{NETWORK}_deterministic", 1)


def _unknown(bench: Bench, on: Deployment) -> Iterable[tuple[str, npt.NDArray[np.float32]]]:
    """Yield the answers to every set of unknown images that is here."""
    for name, severity in UNKNOWN:
        try:
            yield name if severity is None else f"{name} {severity:g}", bench.logits(on, name, severity)
        except DataError:
            if name != "cifar10":  # another data set, which may not be here; its absence shows in the list
                raise


def _detected(bench: Bench, on: Deployment, logits: npt.NDArray[np.float32]) -> Estimate:
    known, unknown = (uncertainty_scores(scores)["entropy"] for scores in (bench.logits(on), logits))
    return detection(known, unknown).detected


def _right(bench: Bench, on: Deployment, shift: str | None = None, severity: float | None = None,
           sample: int = 0) -> Floats:  # fmt: skip
    """Return 1 for each image whose most probable class is right, else 0."""
    answers = predict(bench.logits(on, shift, severity, sample)).label
    right: Floats = (answers == bench.inputs(on.trace.name, shift, severity).labels).astype(np.float64)
    return right


def _gain(
    bench: Bench, with_it: Deployment, without: Deployment, shift: str | None = None, severity: float | None = None
) -> Estimate:
    """Return by how much the accuracy differs, paired by image."""
    return mean(_right(bench, with_it, shift, severity) - _right(bench, without, shift, severity), -1.0, 1.0)


def _error(answers: npt.NDArray[np.float32], wanted: Floats) -> float:
    return float(np.sqrt(np.mean((answers - wanted) ** 2)))
