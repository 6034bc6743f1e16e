"""The commands, their arguments and their help texts. What they do stands in the modules above this package.

Nothing heavy is imported here, so that `archsim --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from archsim.cli.commands import compare, explore, inspect, simulate

COMMANDS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        "run": simulate.run,
        "evaluate": simulate.evaluate,
        "compare": compare.compare,
        "report": compare.report,
        "sweep": explore.sweep,
        "search": explore.search,
        "pareto": explore.pareto,
        "waterfall": simulate.waterfall,
        "check": inspect.check,
        "show": inspect.show,
        "map": inspect.dry_run,
        "trace": inspect.trace,
        "claims": simulate.claims,
        "calibration": compare.calibration,
        "measure": compare.measure,
        "verify": inspect.verify,
        "train": inspect.train,
        "schema": inspect.schema,
        "list": inspect.catalogue_of_files,
    }
)
"""By name, in the order of `archsim --help`."""
