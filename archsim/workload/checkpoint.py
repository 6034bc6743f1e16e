"""Networks with their trained weights, kept in small safetensors files with binary weights packed."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from archsim.errors import ConfigError, DataError, nearest
from archsim.nn import BinaryConv1d, BinaryConv2d, BinaryLinear
from archsim.workload.files import write_atomically
from archsim.workload.spec import Workload

SCHEMA = "archsim/checkpoint@1"
BINARY = (BinaryLinear, BinaryConv1d, BinaryConv2d)


def build_model(workload: Workload) -> nn.Module:
    """Return the network of a workload with fresh weights, drawn from torch's generator.

    Raises `ConfigError` when its file, class or arguments are wrong.
    """
    file = workload.model_file()
    module = _import(file, workload)
    class_name = workload.config.model.partition(":")[2]
    networks = {n: v for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, nn.Module)}
    if class_name not in networks:
        what = f"'{class_name}' is not a torch module" if hasattr(module, class_name) else f"has no '{class_name}'"
        raise ConfigError(f"{workload.path}: model: {file.name}: {what}{nearest(class_name, networks)}")
    try:
        return networks[class_name](**workload.config.arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{workload.path}: arguments: {class_name} refuses them: {error}") from error


def load_model(workload: Workload) -> nn.Module:
    """Return the trained network of a workload, in evaluation mode.

    Raises `DataError` when its checkpoint is missing or does not fit, `ConfigError` when the network cannot be built.
    """
    path = workload.require_checkpoint()
    model = build_model(workload)
    load_checkpoint(model, path)
    return model.eval()


def save_checkpoint(model: nn.Module, path: Path, trained: Mapping[str, Any] | None = None) -> Path:
    """Write a network's weights, atomically; latent binary weights as one bit each. `trained` says how they came."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    shapes = {}
    for name, bits in _binary_weights(model).items():
        shapes[name] = list(bits.shape)
        state[name] = torch.from_numpy(np.packbits(bits.numpy().ravel() > 0))
    metadata = {"schema": SCHEMA, "packed": json.dumps(shapes), "trained": json.dumps(dict(trained or {}))}
    contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
    return write_atomically(path, safetensors.torch.save(contiguous, metadata))


def load_checkpoint(model: nn.Module, path: Path) -> dict[str, Any]:
    """Fill a network with the weights of a file and return what the file says about its training.

    Latent weights become -1 and +1, which the network binarises to themselves.

    Raises `DataError` for a file that is missing, damaged, or of another network.
    """
    state, shapes, trained = _read(path)
    for name, shape in shapes.items():
        packed = np.unpackbits(state[name].numpy(), count=int(np.prod(shape)))
        state[name] = torch.from_numpy(packed.astype(np.float32) * 2 - 1).view(shape)
    _check_fit(model, state, path)
    model.load_state_dict(state)
    for name, bits in _binary_weights(model).items():
        if name not in shapes or not torch.equal(bits, state[name].sign()):
            raise DataError(f"{path}: '{name}' does not hold binary weights that this network can represent")
    return trained


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, list[int]], dict[str, Any]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("schema") != SCHEMA:
                raise DataError(f"{path}: wanted schema '{SCHEMA}', found '{metadata.get('schema', 'none')}'")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        return state, json.loads(metadata["packed"]), json.loads(metadata["trained"])
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a checkpoint, or a truncated one ({error})") from error


def _check_fit(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    problems = [f"'{n}' is missing" for n in wanted.keys() - state.keys()]
    problems += [f"'{n}' is not in the network" for n in state.keys() - wanted.keys()]
    problems += [
        f"'{n}' has shape {tuple(state[n].shape)}, the network wants {wanted[n]}"
        for n in wanted.keys() & state.keys()
        if tuple(state[n].shape) != wanted[n]
    ]
    problems += [f"'{n}' holds NaN or infinite values" for n, t in state.items() if not torch.isfinite(t).all()]
    if problems:
        raise DataError(f"{path}: does not fit {type(model).__name__}: {'; '.join(sorted(problems)[:5])}")


def _binary_weights(model: nn.Module) -> dict[str, Tensor]:
    with torch.no_grad():
        return {
            f"{name}.weight" if name else "weight": module.binary_weight().cpu()
            for name, module in model.named_modules()
            if isinstance(module, BINARY)
        }


def _import(file: Path, workload: Workload) -> Any:
    """Execute a model's file under a name of its own, so that two projects may both have a `workloads` folder."""
    name = f"archsim_model_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    depth = workload.config.model.partition(":")[0].count(".") + (file.name == "__init__.py")
    sys.path.insert(0, str(file.parents[depth]))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's: anything may go wrong in it
        del sys.modules[name]
        raise ConfigError(
            f"{workload.path}: model: {file} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove(str(file.parents[depth]))
    return module
