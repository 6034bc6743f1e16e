"""Plots of a study: fronts, curves, heat maps, parallel coordinates, sensitivity, convergence, failures."""

from archsim.report.plots.study.catalogue import plots_of_study

__all__ = ["plots_of_study"]
