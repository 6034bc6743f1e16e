"""How well uncertainty tells unknown images (out-of-distribution, OOD) from known ones.

A *score* is a number for each image that should be larger the less the network knows it. Known images are those of the
network's own test set; whether it answers them rightly does not matter here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError
from archsim.metrics.intervals import LEVEL, Estimate, Floats, proportion, roc_area
from archsim.metrics.quality import check_logits, log_softmax, predict

Mask = npt.NDArray[np.bool_]
ACCEPTED = 0.95  # of the known images, at the working point of FPR95 and of the calibrated threshold
DIGITS = 12  # of a score; what is beyond is rounding
BLOCK = 2**22  # probabilities held at a time
CALIBRATION_IMAGES = 19  # the least that promise 5 % false alarms
SEVERAL = ("mutual_information", "percentile")  # what one pass alone cannot tell


@dataclass(frozen=True)
class PercentileRule:
    """The OOD rule of the NeuSpin papers: an image is unknown if no class is probable in nearly all passes.

    `level`: percentile over the passes of each class's probability, as a share. `threshold`: an image is flagged if the
    largest of these percentiles over the classes lies below it. The defaults are those of SpinDrop, Spatial-SpinDrop
    and Scale-Dropout as RECALLED (medium confidence); the papers' text was not at hand.
    """

    level: float = 0.10
    threshold: float = 0.95
    grade: str = "RECALLED"

    def __post_init__(self) -> None:
        for name in ("level", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"percentile rule: {name} is a share between 0 and 1, got {getattr(self, name)}")

    def flags(self, logits: npt.NDArray[Any]) -> Mask:
        """Return which images are called unknown, shape (N,); `logits`: (T, N, C)."""
        return percentile_score(logits, self.level) < self.threshold


@dataclass(frozen=True)
class Detection:
    """How well one score tells two sets of images apart.

    `auroc`: chance that an unknown image scores higher than a known one, ties counting half (1: perfect, 0.5: blind).
    `aupr_out`, `aupr_in`: average precision with the unknown, or the known, as what is looked for; a blind score
    has the share of these images. `fpr95`: share of the unknown images accepted where 95 % of the known ones are
    (Liang et al. 2018). `detected`: share of the unknown images above a threshold that was chosen on other known images
    to raise 5 % false alarms; `false_alarms`: what it does raise.
    """

    auroc: Estimate
    aupr_out: Estimate
    aupr_in: Estimate
    fpr95: Estimate
    detected: Estimate
    false_alarms: Estimate
    threshold: float


def uncertainty_scores(logits: npt.NDArray[Any], rule: PercentileRule | None = None) -> dict[str, Floats]:
    """Return the scores of each image, shape (N,), by name, all of them larger for the less known.

    * `entropy`: of the mean of the passes' softmax, in nats.
    * `max_probability`: one minus the largest probability of that mean (Hendrycks & Gimpel 2017).
    * `mutual_information`: between the answer and the pass, in nats.
    * `percentile`: one minus the score of the papers' rule (`PercentileRule`).

    The last two need several passes and are left out where there is one. Scores are rounded to 1e-12, so that images
    of which the network is equally certain tie. `logits`: class scores, shape (T, N, C). Raises `DataError` for logits
    that are none (see `predict`).
    """
    prediction = predict(logits)
    scores = {"entropy": prediction.entropy, "max_probability": 1 - prediction.confidence}
    if prediction.passes > 1:
        level = (rule or PercentileRule()).level
        scores |= {
            "mutual_information": prediction.mutual_information,
            "percentile": 1 - percentile_score(logits, level),
        }
    return {name: np.round(score, DIGITS) for name, score in scores.items()}


def percentile_score(logits: npt.NDArray[Any], level: float = 0.10) -> Floats:
    """Return the largest over the classes of a low percentile over the passes of the class's softmax, shape (N,).

    Percentiles between two passes are interpolated linearly (definition 7 of Hyndman & Fan 1996). `logits`: (T, N, C).
    """
    check_logits(logits)
    score = np.empty(logits.shape[1])
    step = max(1, BLOCK // (logits.shape[0] * logits.shape[2]))  # images whose passes are held at a time
    for start in range(0, len(score), step):
        probabilities = np.exp([log_softmax(one) for one in logits[:, start : start + step]])
        score[start : start + step] = np.quantile(probabilities, level, axis=0).max(axis=1)
    return score


def detection(known: Floats, unknown: Floats) -> Detection:
    """Judge one score on known and unknown images, shapes (N,) and (M,).

    The threshold of `detected` is chosen on the known images of even index and its false alarms are counted on the
    others; all other figures use all images. Raises `DataError` for fewer than two known images, or no unknown one.
    """
    for name, scores, least in (("known", known, 2), ("unknown", unknown, 1)):
        if scores.ndim != 1 or len(scores) < least or not np.isfinite(scores).all():
            raise DataError(f"scores of {name} images: need at least {least} finite numbers, got shape {scores.shape}")
    threshold = calibrated_threshold(known[::2])
    return Detection(
        auroc=auroc(known, unknown),
        aupr_out=average_precision(unknown, known),
        aupr_in=average_precision(-known, -unknown),
        fpr95=accepted_share(known, unknown),
        detected=share_of(unknown > threshold),
        false_alarms=share_of(known[1::2] > threshold),
        threshold=threshold,
    )


def detections(known: Mapping[str, Floats], unknown: Mapping[str, Floats]) -> dict[str, Detection]:
    """Judge every score that both sets have; see `detection`."""
    return {name: detection(known[name], unknown[name]) for name in known if name in unknown}


def share_of(flags: Mask) -> Estimate:
    """Return which share of the images is flagged, with its Wilson interval."""
    return proportion(int(flags.sum()), len(flags))


def auroc(negatives: Floats, positives: Floats) -> Estimate:
    """Return the chance that a positive scores higher than a negative, ties counting half (Mann & Whitney 1947)."""
    beaten = (_below(negatives, positives) + _up_to(negatives, positives)) / 2 / len(negatives)
    beating = 1 - (_below(positives, negatives) + _up_to(positives, negatives)) / 2 / len(positives)
    deviation = math.hypot(_standard_error(beaten), _standard_error(beating))
    return roc_area(float(beaten.mean()), deviation, len(positives), len(negatives))


def average_precision(positives: Floats, negatives: Floats) -> Estimate:
    """Return the area under the precision-recall curve as a step function: the mean precision over the positives.

    A precision is taken at each positive's own score, with everything at or above it retrieved. The interval is that of
    a proportion among so many positives (Boyd, Eng & Page 2013), in Wilson's form.
    """
    hits = len(positives) - _below(positives, positives)
    false = len(negatives) - _below(negatives, positives)
    precision = hits / (hits + false)
    return proportion(float(precision.sum()), len(positives))


def accepted_share(known: Floats, unknown: Floats, accepted: float = ACCEPTED) -> Estimate:
    """Return the share of the unknown that score no higher than `accepted` of the known do: FPR at 95 % TPR.

    The interval holds for any scores: order statistics of the known bracket the threshold with 97.5 % confidence, and
    a Wilson interval of 97.5 % takes what they accept; both fail together at most as often as 5 %.
    """
    from scipy.special import bdtrik, ndtri  # loads slowly

    ordered, n = np.sort(known), len(known)
    risk = (1 - LEVEL) / 2
    z = float(ndtri(1 - risk / 2))
    ranks = [math.ceil(bdtrik(side, n, accepted)) for side in (risk / 2, 1 - risk / 2)]

    def below(rank: int) -> float:
        """Count the unknown that score no higher than the known image of a rank, the lowest being 1."""
        if rank > n:
            return float(len(unknown))
        return float((unknown <= ordered[rank - 1]).sum()) if rank > 0 else 0.0

    value = below(math.ceil(accepted * n - 1e-9)) / len(unknown)
    low = proportion(below(ranks[0]), len(unknown), z).low
    high = proportion(below(ranks[1] + 1), len(unknown), z).high
    return Estimate(value, low, high, "order statistics and Wilson")


def calibrated_threshold(known: Floats, false_alarms: float = 1 - ACCEPTED) -> float:
    """Return a threshold which another known image exceeds with a chance of at most `false_alarms`.

    It is the score of rank ceil((N + 1) (1 - false_alarms)) of N, which promises this for any distribution (split
    conformal prediction, Papadopoulos et al. 2002); infinite where N is too small to promise it (19 images for 5 %).
    """
    rank = math.ceil((len(known) + 1) * (1 - false_alarms) - 1e-9)
    return math.inf if rank > len(known) else float(np.sort(known)[rank - 1])


def _below(among: Floats, of: Floats) -> Floats:
    """Return how many of `among` lie below each of `of`."""
    return np.searchsorted(np.sort(among), of, "left").astype(np.float64)


def _up_to(among: Floats, of: Floats) -> Floats:
    """Return how many of `among` lie below or at each of `of`."""
    return np.searchsorted(np.sort(among), of, "right").astype(np.float64)


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
