"""Traces on disk: one safetensors file, arrays as tensors, the graph as JSON in its metadata. No torch, no pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from archsim.errors import ArchsimError, TraceError
from archsim.workload.files import write_atomically
from archsim.workload.grid import pack, unpack
from archsim.workload.trace import OPS, Node, Op, Trace, Weights

SCHEMA = "archsim/trace@1"
Arrays = dict[str, npt.NDArray[Any]]


def save_trace(trace: Trace, path: Path | str) -> Path:
    """Write a trace to one file, atomically; return its path.

    Weights are packed: one of b bits takes b bits.

    Raises `TraceError` when the file cannot be written.
    """
    arrays: Arrays = {}
    nodes = [
        {
            "name": node.name,
            "kind": node.op.kind,
            "inputs": node.inputs,
            "shape": node.shape,
            "op": _encode(node.op, node.name, arrays),
        }
        for node in trace.nodes
    ]
    graph = {"name": trace.name, "input_shape": trace.input_shape, "nodes": nodes, "meta": trace.meta}
    metadata = {"schema": SCHEMA, "graph": json.dumps(graph, allow_nan=False)}
    blob = safetensors.numpy.save(arrays, metadata)
    try:
        return write_atomically(Path(path), blob)
    except OSError as error:
        raise TraceError(f"{path}: cannot write the trace ({error.strerror})") from error


def load_trace(path: Path | str, operations: Iterable[type[Op]] = ()) -> Trace:
    """Read a trace that `save_trace` wrote. `operations`: classes of one's own that it may hold.

    Raises `TraceError` for a file that is missing, truncated, foreign, of another version, or inconsistent.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("schema") != SCHEMA:
                raise TraceError(f"{path}: wanted schema '{SCHEMA}', found '{metadata.get('schema', 'none')}'")
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError as error:
        raise TraceError(f"{path}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise TraceError(f"{path}: not a trace file, or a truncated one ({error})") from error
    try:
        kinds = _kinds(operations)
        graph = json.loads(metadata["graph"])
        nodes = tuple(_node(record, arrays, kinds) for record in graph["nodes"])
        return Trace(graph["name"], tuple(graph["input_shape"]), nodes, graph["meta"])
    except ArchsimError as error:
        raise TraceError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TraceError(f"{path}: the graph in the file is damaged ({type(error).__name__}: {error})") from error


def _encode(value: Op | Weights, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """Return the plain fields of an operation; arrays go to `arrays` and leave their key behind."""
    out: dict[str, Any] = {}
    for f in fields(value):
        item, key = getattr(value, f.name), f"{prefix}/{f.name}"
        if isinstance(item, Weights):
            out[f.name] = _encode(item, key, arrays)
        elif f.name == "alternatives":
            out[f.name] = [_encode(copy, f"{key}/{i}", arrays) for i, copy in enumerate(item)]
        elif isinstance(item, np.ndarray):
            packed = value.bits if isinstance(value, Weights) and f.name == "values" else 0
            arrays[key] = pack(item, packed) if packed else np.ascontiguousarray(item)
            out[f.name] = {"array": key, "shape": item.shape, "dtype": item.dtype.str, "packed": packed}
        else:
            out[f.name] = item
    return out


def _kinds(operations: Iterable[type[Op]]) -> dict[str, type[Op]]:
    kinds = dict(OPS)
    for operation in operations:
        if kinds.setdefault(operation.kind, operation) is not operation:
            raise TraceError(f"operation {operation.__name__}: the kind '{operation.kind}' is taken; give it another")
    return kinds


def _node(record: dict[str, Any], arrays: Arrays, kinds: Mapping[str, type[Op]]) -> Node:
    kind = record["kind"]
    if kind not in kinds:
        raise TraceError(
            f"node '{record['name']}': unknown operation '{kind}'; one of your own is listed under 'operations' of the"
            " workload, or given to load_trace"
        )
    op = _decode(kinds[kind], record["op"], arrays)
    return Node(record["name"], op, tuple(record["inputs"]), tuple(record["shape"]))


def _decode(kind: Any, record: dict[str, Any], arrays: Arrays) -> Any:
    return kind(**{name: _value(item, arrays) for name, item in record.items()})


def _value(item: Any, arrays: Arrays) -> Any:
    if isinstance(item, list):
        return tuple(_value(part, arrays) for part in item)
    if not isinstance(item, dict):
        return item
    if "array" not in item:
        return _decode(Weights, item, arrays)
    stored, shape, dtype = arrays[item["array"]], tuple(item["shape"]), np.dtype(item["dtype"])
    if bits := int(item["packed"]):
        try:
            stored = unpack(stored, int(np.prod(shape)), bits).astype(dtype)
        except ValueError as error:
            raise TraceError(f"'{item['array']}': {error}") from error
    if stored.dtype != dtype:
        raise TraceError(f"'{item['array']}' holds {stored.dtype}, the graph says {dtype}")
    return stored.reshape(shape)
