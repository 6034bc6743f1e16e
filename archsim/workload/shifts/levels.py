"""How strong each corruption is at severities 1 to 5, and where the numbers come from.

MNIST-C: Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision" (2019), `corruptions.py` of
google-research/mnist-c. CIFAR-10-C: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (ICLR 2019), `make_cifar_c.py` of hendrycks/robustness. Grey images take the first,
colour images the second. READ means read in that code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Strength = TypeVar("Strength")

SEVERITIES = (1, 2, 3, 4, 5)
GREY_SIDE = 28  # pixels; MNIST-C's lengths are given for images of this size, and are scaled to others
COLOUR_SIDE = 32  # pixels, CIFAR-10-C


@dataclass(frozen=True)
class Levels(Generic[Strength]):
    """The strength at each severity, and its source with a grade. What a strength means, the corruption says."""

    strengths: tuple[Strength, ...]
    source: str

    def at(self, severity: int) -> Strength:
        """Return the strength at a severity from 1 to 5."""
        return self.strengths[severity - 1]


NOISE_GREY = Levels((0.08, 0.12, 0.18, 0.26, 0.38), "MNIST-C gaussian_noise, READ")
NOISE_COLOUR = Levels((0.04, 0.06, 0.08, 0.09, 0.10), "CIFAR-10-C gaussian_noise, READ")
SHOT_GREY = Levels((60.0, 25.0, 12.0, 5.0, 3.0), "MNIST-C shot_noise, READ")
SHOT_COLOUR = Levels((500.0, 250.0, 100.0, 75.0, 50.0), "CIFAR-10-C shot_noise, READ")
IMPULSE_GREY = Levels((0.03, 0.06, 0.09, 0.17, 0.27), "MNIST-C impulse_noise, READ")
IMPULSE_COLOUR = Levels((0.01, 0.02, 0.03, 0.05, 0.07), "CIFAR-10-C impulse_noise, READ")
BLUR_GREY = Levels(tuple(c / GREY_SIDE for c in (1, 2, 3, 4, 6)), "MNIST-C gaussian_blur, READ")
BLUR_COLOUR = Levels(tuple(c / COLOUR_SIDE for c in (0.4, 0.6, 0.7, 0.8, 1)), "CIFAR-10-C gaussian_blur, READ")
CONTRAST_GREY = Levels((0.4, 0.3, 0.2, 0.1, 0.05), "MNIST-C contrast, READ")
CONTRAST_COLOUR = Levels((0.75, 0.5, 0.4, 0.3, 0.15), "CIFAR-10-C contrast, READ")
BRIGHTNESS_GREY = Levels((0.1, 0.2, 0.3, 0.4, 0.5), "MNIST-C brightness, READ")
BRIGHTNESS_COLOUR = Levels((0.05, 0.1, 0.15, 0.2, 0.3), "CIFAR-10-C brightness, READ")
FOG_GREY = Levels(
    ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    "MNIST-C fog, READ; finer grained than there, see `fog`",
)
FOG_COLOUR = Levels(((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)), "CIFAR-10-C fog, READ")
TRANSLATE = Levels(tuple(c / GREY_SIDE for c in (1, 2, 3, 4, 5)), "MNIST-C translate, READ; ASSUMED for colour")
OCCLUSION = Levels((0.1, 0.2, 0.3, 0.4, 0.5), "ASSUMED, up to Cutout's half side (DeVries and Taylor, 2017; READ)")

# Signals, and features, which are standardised as signals are.
STRESS = Levels((24.0, 18.0, 12.0, 6.0, 0.0), "signal-to-noise ratios of the MIT-BIH Noise Stress Test Database, READ")
AMPLITUDE = Levels((0.1, 0.2, 0.3, 0.4, 0.5), "ASSUMED; 0.1 is the spread in Um et al., ICMI 2017 (READ in their code)")
WARP = Levels((0.1, 0.2, 0.3, 0.4, 0.5), "ASSUMED; 0.2 is the spread in Um et al., ICMI 2017 (READ in their code)")
DELAY = Levels((0.01, 0.02, 0.03, 0.04, 0.05), "ASSUMED: up to 50 ms of a beat of a second")
MISSING_SEGMENT = Levels((0.05, 0.1, 0.2, 0.3, 0.4), "ASSUMED")
MISSING_FEATURES = Levels((0.1, 0.2, 0.3, 0.4, 0.5), "ASSUMED")
