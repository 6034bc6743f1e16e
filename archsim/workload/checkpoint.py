"""Networks with their trained weights, kept in small safetensors files with weights of few bits packed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from archsim.errors import ConfigError, DataError
from archsim.nn import BAYESIAN, BINARY, freeze
from archsim.workload.classes import import_class
from archsim.workload.files import write_atomically
from archsim.workload.grid import pack, unpack
from archsim.workload.spec import Workload

SCHEMA = "archsim/checkpoint@1"
Grids = dict[str, tuple[list[int], int]]  # shape and bits of the weights that are odd integers, by name


def build_model(workload: Workload) -> nn.Module:
    """Return the network of a workload with fresh weights, drawn from torch's generator.

    Raises `ConfigError` when its file, class or arguments are wrong.
    """
    network = import_class(workload, workload.config.model, "model", nn.Module, "torch module")
    try:
        return network(**workload.config.arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{workload.path}: arguments: {network.__name__} refuses them: {error}") from error


def load_model(workload: Workload) -> nn.Module:
    """Return the trained network of a workload, in evaluation mode; without a checkpoint, that of its training's seed.

    Raises `DataError` when its checkpoint is missing or does not fit, `ConfigError` when the network cannot be built.
    """
    if workload.is_trained:
        path = workload.require_checkpoint()
        model = build_model(workload)
        load_checkpoint(model, path)
        return model.eval()
    with torch.random.fork_rng():
        torch.manual_seed(workload.config.training.seed)
        model = build_model(workload)
        freeze(model)
    return model.eval()


def save_checkpoint(model: nn.Module, path: Path, trained: Mapping[str, Any] | None = None) -> Path:
    """Write a network's weights, atomically; binary weights and frozen copies in as few bits as they have.

    `trained` says how they came to be.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    grids: Grids = {}
    for name, values, bits in _on_grids(model):
        grids[name] = (list(values.shape), bits)
        state[name] = torch.from_numpy(pack(values.numpy(), bits))
    metadata = {
        "schema": SCHEMA,
        "packed": json.dumps({name: shape for name, (shape, _) in grids.items()}),
        "bits": json.dumps({name: bits for name, (_, bits) in grids.items() if bits > 1}),
        "trained": json.dumps(dict(trained or {})),
    }
    contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
    return write_atomically(path, safetensors.torch.save(contiguous, metadata))


def load_checkpoint(model: nn.Module, path: Path) -> dict[str, Any]:
    """Fill a network with the weights of a file and return what the file says about its training.

    Latent weights become -1 and +1, which the network binarises to themselves; Bayesian layers of which the file holds
    copies are frozen.

    Raises `DataError` for a file that is missing, damaged, or of another network.
    """
    state, grids, trained = _read(path)
    for name, (shape, bits) in grids.items():
        state[name] = _unpacked(state[name], shape, bits, path)
    _hold_copies(model, state)
    _check_fit(model, state, path)
    model.load_state_dict(state)
    for name, values, bits in _on_grids(model):
        if name not in grids or bits != grids[name][1] or not torch.equal(values.float(), state[name].float()):
            raise DataError(f"{path}: '{name}' does not hold {bits}-bit weights that this network can represent")
    return trained


def _unpacked(packed: Tensor, shape: list[int], bits: int, path: Path) -> Tensor:
    """Return latent binary weights as float32, copies as int8."""
    try:
        values = unpack(packed.numpy(), math.prod(shape), bits).reshape(shape)
    except ValueError as error:
        raise DataError(f"{path}: not a checkpoint, or a truncated one ({error})") from error
    return torch.from_numpy(values.astype(np.float32 if bits == 1 else np.int8))


def _hold_copies(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Freeze the Bayesian layers for which a checkpoint has copies."""
    for name, module in model.named_modules():
        copies = state.get(f"{name}.copies")
        if isinstance(module, BAYESIAN) and copies is not None:
            module.hold(torch.zeros_like(copies))


def _read(path: Path) -> tuple[dict[str, Tensor], Grids, dict[str, Any]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("schema") != SCHEMA:
                raise DataError(f"{path}: wanted schema '{SCHEMA}', found '{metadata.get('schema', 'none')}'")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        bits = json.loads(metadata.get("bits", "{}"))
        grids = {name: (shape, bits.get(name, 1)) for name, shape in json.loads(metadata["packed"]).items()}
        return state, grids, json.loads(metadata["trained"])
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


def _on_grids(model: nn.Module) -> list[tuple[str, Tensor, int]]:
    """Return name in the state, values and bits of all weights that are odd integers."""
    found = []
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(module, BINARY):
            found.append((f"{prefix}weight", module.binary_weight().detach().cpu(), 1))
        elif isinstance(module, BAYESIAN) and module.copies is not None:
            found.append((f"{prefix}copies", module.copies.cpu(), module.bits or 1))
    return found
