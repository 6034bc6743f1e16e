"""What a chip gains over other platforms: the same network, as many passes, within stated boundaries of energy."""

from __future__ import annotations

from archsim.comparison.chip import chip_platform, platform_of_costs
from archsim.comparison.comparison import Comparison
from archsim.comparison.figures import Terms
from archsim.comparison.headline import Headline, headline
from archsim.comparison.ratios import Ratio, quotient, ratios
from archsim.comparison.run import DEFAULT_BASELINE, ONE_BY_ONE, compare
from archsim.comparison.software import Software
from archsim.comparison.sources import KINDS, Task, plans

__all__ = [
    "DEFAULT_BASELINE",
    "KINDS",
    "ONE_BY_ONE",
    "Comparison",
    "Headline",
    "Ratio",
    "Software",
    "Task",
    "Terms",
    "chip_platform",
    "compare",
    "headline",
    "plans",
    "platform_of_costs",
    "quotient",
    "ratios",
]  # fmt: skip
