"""Results as one HTML page that needs no network: stored ones, one or several side by side."""

from __future__ import annotations

from archsim.report.html.page import Report, html_report, write_report
from archsim.report.html.stored import Stored, read_stored

__all__ = ["Report", "Stored", "html_report", "read_stored", "write_report"]
