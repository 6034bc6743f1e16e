"""Inputs that a network was not trained on: pure noise, rotation, corruptions of five severities, other data sets."""

from archsim.workload.shifts.levels import SEVERITIES
from archsim.workload.shifts.registry import SHIFTS
from archsim.workload.shifts.shift import Kind, Shift, kind_of
from archsim.workload.shifts.shifting import shifted, shifts_for

__all__ = ["SEVERITIES", "SHIFTS", "Kind", "Shift", "kind_of", "shifted", "shifts_for"]
