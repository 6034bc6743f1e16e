"""Stored results as plots: plain data in, matplotlib figures out. Nothing else in archsim imports matplotlib."""

from archsim.report.plots.catalogue import plots_of
from archsim.report.plots.data import Plot
from archsim.report.plots.output import save, to_png, to_svg

__all__ = ["Plot", "plots_of", "save", "to_png", "to_svg"]
