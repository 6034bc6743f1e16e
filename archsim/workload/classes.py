"""Classes that a workload file names: its network, and operations of one's own. No torch of its own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from archsim.errors import ConfigError, nearest
from archsim.workload.ops import Stochastic
from archsim.workload.spec import Workload

Base = TypeVar("Base")


def import_class(workload: Workload, reference: str, field: str, base: type[Base], kind: str) -> type[Base]:
    """Return the class of a "module:class" in a workload file.

    `field`, `kind`: where it stands and what `base` is called, for messages.

    Raises `ConfigError` when the file cannot be found or imported, or has no such subclass of `base` that is complete.
    """
    file = workload.source_file(reference, field)
    module_name, _, class_name = reference.partition(":")
    module = _import(file, module_name, f"{workload.path}: {field}")
    found = {n: v for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, base)}
    if class_name not in found:
        what = f"'{class_name}' is not a {kind}" if hasattr(module, class_name) else f"has no '{class_name}'"
        raise ConfigError(f"{workload.path}: {field}: {file.name}: {what}{nearest(class_name, found)}")
    if left_out := sorted(getattr(found[class_name], "__abstractmethods__", ())):
        raise ConfigError(f"{workload.path}: {field}: {file.name}: '{class_name}' lacks {', '.join(left_out)}")
    return found[class_name]


def operations_of(workload: Workload) -> tuple[type[Stochastic], ...]:
    """Return the operations of one's own that a workload declares."""
    base: type[Stochastic] = Stochastic  # type: ignore[type-abstract]  # what is returned is complete
    return tuple(
        import_class(workload, o, "operations", base, "stochastic operation") for o in workload.config.operations
    )


def _import(file: Path, module_name: str, where: str) -> ModuleType:
    """Execute a file under a name of its own, so that two projects may both have a `workloads` folder."""
    name = f"archsim_model_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    depth = module_name.count(".") + (file.name == "__init__.py")
    sys.path.insert(0, str(file.parents[depth]))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's: anything may go wrong in it
        del sys.modules[name]
        raise ConfigError(f"{where}: {file} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(file.parents[depth]))
    return module
