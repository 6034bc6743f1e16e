"""Short words for the LLVM instructions of which `kernels.vector` is made.

Addresses are integers (`array.ctypes.data`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def emitter(function: Callable[..., Any]) -> Any:
    """Make an intrinsic of a function that returns (signature, emit); kernels call it without its first argument."""
    return intrinsic(function)


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with `value` in every lane."""
    vector = ir.VectorType(value.type, lanes)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), zeros)


def doubled(builder: Any, address: Any, vector: Any) -> Any:
    """Return a lane in every element of a vector; as it is stored twice, this is a load and no shuffle."""
    pair = splat(builder, load(builder, address, I32, 4), vector.count // 2)
    return builder.bitcast(pair, vector)


def load(builder: Any, address: Any, kind: Any, align: int = 2) -> Any:
    """Return the value of type `kind` at an address."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def number(builder: Any, table: Any, index: Any) -> Any:
    """Return an element of a table of int64."""
    return load(builder, builder.add(table, builder.shl(index, I64(3))), I64, 8)


def store(builder: Any, value: Any, address: Any, align: int = 2) -> None:
    """Write a value to an address."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = align


def variable(builder: Any, initial: Any) -> Any:
    """Return the address of a local variable, which LLVM keeps in a register."""
    return cgutils.alloca_once_value(builder, initial)  # type: ignore[no-untyped-call]


def in_bytes(builder: Any, elements: Any) -> Any:
    """Return a distance in bytes, from one in 16-bit elements."""
    return builder.shl(elements, I64(1))


def opaque(builder: Any, value: Any) -> Any:
    """Return the value by way of an instruction that is none, but keeps LLVM from making vectors of a short loop.

    Loading vectors from scattered addresses takes longer than the loop.
    """
    return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)


def vector_function(module: Any, name: str, vector: Any, operands: int) -> Any:
    """Return LLVM's function `name` on 16-bit vectors."""
    name = f"llvm.{name}.v{vector.count}i16"
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(vector, [vector] * operands), name=name)
