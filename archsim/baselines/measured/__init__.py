"""A network measured on this machine: latency, and energy where there is a meter.

`measure` is all of it. What needs a GPU is kept small: `device.Cuda`, and the captured graph in `software`.
"""

from archsim.baselines.measured.campaign import Setup
from archsim.baselines.measured.measurement import check_target, describe, measure, scores
from archsim.baselines.measured.protocol import Clock, Protocol

__all__ = ["Clock", "Protocol", "Setup", "check_target", "describe", "measure", "scores"]
