"""Results as one HTML page that needs no network: stored ones, one or several side by side."""

from __future__ import annotations

from archsim.report.html.page import html_report, plots_report, write_report
from archsim.report.html.stored import Stored, read_stored

__all__ = ["Stored", "html_report", "plots_report", "read_stored", "write_report"]
