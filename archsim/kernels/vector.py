"""The innermost loops, written as LLVM vector code because no compiler finds them by itself.

Each factory or function here is a numba *intrinsic*: it emits instructions into the kernel that calls it, so it costs
no call. Addresses are integers (`array.ctypes.data`), distances are in 16-bit elements. Nothing names an instruction
set: LLVM lowers the vectors to AVX-512 (where popcounts of 16-bit lanes exist), AVX2, SSE or NEON.

A change in this file is not seen by numba's cache of the kernels that use it: touch those files too.
"""

# ruff: noqa: ARG001 (numba reads the signature of an intrinsic; its arguments reach `emit` as a list)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from archsim.kernels.constants import GAMMA, MIX_1, MIX_2, ROW_BLOCK


def _emitter(function: Callable[..., Any]) -> Any:
    """Make an intrinsic of a function that returns (signature, emit); kernels call it without its first argument."""
    return intrinsic(function)


I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    vector = ir.VectorType(value.type, lanes)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), zeros)


def _doubled(builder: Any, address: Any, vector: Any) -> Any:
    """Return a lane in every element of a vector; as it is stored twice, this is a load and no shuffle."""
    pair = _splat(builder, _load(builder, address, I32, 4), vector.count // 2)
    return builder.bitcast(pair, vector)


def _load(builder: Any, address: Any, kind: Any, align: int = 2) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def _store(builder: Any, value: Any, address: Any, align: int = 2) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = align


def _variable(builder: Any, initial: Any) -> Any:
    """Return the address of a local variable, which LLVM keeps in a register."""
    return cgutils.alloca_once_value(builder, initial)  # type: ignore[no-untyped-call]


def _bytes(builder: Any, elements: Any) -> Any:
    """Return a distance in bytes, from one in 16-bit elements."""
    return builder.shl(elements, I64(1))


def _clip(builder: Any, value: Any, low: Any, high: Any) -> Any:
    value = builder.select(builder.icmp_signed("<", value, low), low, value)
    return builder.select(builder.icmp_signed(">", value, high), high, value)


def _popcount(module: Any, vector: Any) -> Any:
    name = f"llvm.ctpop.v{vector.count}i16"
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(vector, [vector]), name=name)


def tile(width: int, masked: bool) -> Any:
    """Return the intrinsic for one row group, `ROW_BLOCK` input vectors and `width` columns.

    It counts, for every input vector and column, the mismatches p of the group's lanes (with `masked`, of driven
    rows only), each slice of a cell (the first is the highest) worth half of the one before, and adds the code

        clip((c - p + half) >> step, low, high),    c = (2**slices - 1) ceil(n / 2),    half = 2**step >> 1

    to `sums`, where n is the number of `driven` rows. Every lane of `x` and `mask` is stored twice, as a 32-bit word;
    `x_pitch` counts those words. The counts stay in registers: `ROW_BLOCK` x `width` 16-bit accumulators.
    """
    lanes = min(width, 32)
    blocks = width // lanes
    vector = ir.VectorType(I16, lanes)

    @_emitter
    def run(  # type: ignore[no-untyped-def]
        _context, x, mask, weights, sums, driven, lane_count, slice_count, x_pitch, lane_pitch, slice_pitch,
        sum_pitch, driven_pitch, step, low, high,
    ):  # fmt: skip
        signature = types.void(*[types.intp] * 15)

        def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
            (x, mask, weights, sums, driven, lane_count, slice_count, x_pitch, lane_pitch,
             slice_pitch, sum_pitch, driven_pitch, step, low, high) = arguments  # fmt: skip
            count = _popcount(b.module, vector)
            zero = ir.Constant(vector, [0] * lanes)
            acc = [[_variable(b, zero) for _ in range(blocks)] for _ in range(ROW_BLOCK)]
            with cgutils.for_range(b, slice_count) as outer:
                base = b.add(weights, _bytes(b, b.mul(outer.index, slice_pitch)))
                with b.if_then(b.icmp_signed(">", outer.index, I64(0))):
                    for cell in (cell for row in acc for cell in row):
                        b.store(b.shl(b.load(cell), ir.Constant(vector, [1] * lanes)), cell)
                with cgutils.for_range(b, lane_count) as inner:
                    at = b.add(base, _bytes(b, b.mul(inner.index, lane_pitch)))
                    w = [_load(b, b.add(at, I64(2 * lanes * j)), vector) for j in range(blocks)]
                    for r in range(ROW_BLOCK):
                        shift = b.shl(b.add(b.mul(I64(r), x_pitch), inner.index), I64(2))
                        bits = _doubled(b, b.add(x, shift), vector)
                        if masked:
                            allowed = _doubled(b, b.add(mask, shift), vector)
                        for j in range(blocks):
                            differ = b.xor(w[j], bits)
                            if masked:
                                differ = b.and_(differ, allowed)
                            b.store(b.add(b.load(acc[r][j]), b.call(count, [differ])), acc[r][j])
            peak = b.sub(b.shl(I64(1), slice_count), I64(1))
            half = b.lshr(b.shl(I64(1), step), I64(1))
            step, low, high = (_splat(b, b.trunc(v, I16), lanes) for v in (step, low, high))
            for r in range(ROW_BLOCK):
                n = b.sext(_load(b, b.add(driven, _bytes(b, b.mul(I64(r), driven_pitch))), I16), I64)
                centre = b.mul(peak, b.ashr(b.add(n, I64(1)), I64(1)))
                middle = _splat(b, b.trunc(b.add(centre, half), I16), lanes)
                for j in range(blocks):
                    code = _clip(b, b.ashr(b.sub(middle, b.load(acc[r][j])), step), low, high)
                    at = b.add(sums, _bytes(b, b.add(b.mul(I64(r), sum_pitch), I64(j * lanes))))
                    _store(b, b.add(_load(b, at, vector), code), at)
            return context.get_dummy_value()

        return signature, emit

    return run


@_emitter
def rebuild(_context, codes, out, index, count, factor, offset):  # type: ignore[no-untyped-def]
    """Add `factor` * code + `offset` to `count` elements of the array `out` from flat position `index` on.

    `codes`: address of as many int16 sums of codes. `out`: int16 or int32 array. `count`: a multiple of 16.
    """
    signature = types.void(types.intp, out, types.intp, types.intp, types.intp, types.intp)
    element = I16 if out.dtype.bitwidth == 16 else I32
    size = out.dtype.bitwidth // 8

    def emit(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        codes, out, index, count, factor, offset = arguments
        data = b.ptrtoint(context.make_array(signature.args[1])(context, b, out).data, I64)
        wide = b.and_(count, I64(-64))
        for lanes, start, stop in ((64, I64(0), wide), (16, wide, count)):
            vector = ir.VectorType(element, lanes)
            scale, shift = (_splat(b, b.trunc(v, element), lanes) for v in (factor, offset))
            with cgutils.for_range_slice(b, start, stop, I64(lanes)) as (at, _):
                code = _load(b, b.add(codes, _bytes(b, at)), ir.VectorType(I16, lanes))
                if element is I32:
                    code = b.sext(code, vector)
                target = b.add(data, b.mul(b.add(index, at), I64(size)))
                value = b.add(b.mul(code, scale), shift)
                _store(b, b.add(_load(b, target, vector, size), value), target, size)
        return context.get_dummy_value()

    return signature, emit


@_emitter
def at_least16(_context, values, index, levels, first):  # type: ignore[no-untyped-def]
    """Return 16 bits: bit i tells whether `values`[index + i] >= `levels`[first + i] (flat positions, one dtype)."""
    signature = types.uint16(values, types.intp, levels, types.intp)
    real = isinstance(values.dtype, types.Float)
    element = ir.FloatType() if real else ir.IntType(values.dtype.bitwidth)
    size = values.dtype.bitwidth // 8

    def emit(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(element, 16)

        def fetch(kind: Any, array: Any, position: Any) -> Any:
            data = context.make_array(kind)(context, b, array).data
            return _load(b, b.add(b.ptrtoint(data, I64), b.mul(position, I64(size))), vector, size)

        left = fetch(signature.args[0], arguments[0], arguments[1])
        right = fetch(signature.args[2], arguments[2], arguments[3])
        compare = b.fcmp_ordered if real else b.icmp_signed
        return b.bitcast(compare(">=", left, right), I16)

    return signature, emit


@_emitter
def keep32(_context, key, block, limits):  # type: ignore[no-untyped-def]
    """Return 32 random bits, bit i being 1 where the i-th uniform is at most the i-th limit.

    The uniforms are the 16-bit parts of eight SplitMix64 outputs (Steele, Lea and Flood, OOPSLA 2014), numbers
    `block` to `block` + 7 of the stream `key`. `limits`: address of 32 uint16.
    """
    signature = types.uint32(types.uint64, types.uint64, types.intp)

    def emit(_context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        key, block, limits = arguments
        vector = ir.VectorType(I64, 8)

        def constant(value: int) -> Any:
            return ir.Constant(vector, [value] * 8)

        z = b.add(_splat(b, b.add(block, I64(1)), 8), ir.Constant(vector, list(range(8))))
        z = b.add(b.mul(z, constant(GAMMA)), _splat(b, key, 8))
        z = b.mul(b.xor(z, b.lshr(z, constant(30))), constant(MIX_1))
        z = b.mul(b.xor(z, b.lshr(z, constant(27))), constant(MIX_2))
        z = b.xor(z, b.lshr(z, constant(31)))
        halves = ir.VectorType(I16, 32)
        kept = b.icmp_unsigned("<=", b.bitcast(z, halves), _load(b, limits, halves))
        return b.bitcast(kept, I32)

    return signature, emit


@_emitter
def count_ones(_context, lanes, count):  # type: ignore[no-untyped-def]
    """Return the number of ones in `count` lanes, stored twice each, from an address on."""
    signature = types.intp(types.intp, types.intp)

    def emit(_context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        lanes, count = arguments
        total = _variable(b, I32(0))
        with cgutils.for_range(b, count) as loop:
            lane = _load(b, b.add(lanes, b.shl(loop.index, I64(2))), I32, 4)
            b.store(b.add(b.load(total), b.ctpop(lane)), total)
        return b.zext(b.lshr(b.load(total), I32(1)), I64)

    return signature, emit


@_emitter
def copy_blocks(_context, source, target, blocks, count):  # type: ignore[no-untyped-def]
    """Copy blocks of four words into lanes, storing each word twice.

    `blocks`: address of `count` rows of two int32, as in `LanePlan.blocks`; `target`: address of 32-bit lanes.
    """
    signature = types.void(types.intp, types.intp, types.intp, types.intp)

    def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        source, target, blocks, count = arguments
        four = ir.VectorType(I16, 4)
        twice = ir.Constant(ir.VectorType(I32, 8), [0, 0, 1, 1, 2, 2, 3, 3])
        with cgutils.for_range(b, count) as loop:
            row = b.add(blocks, b.shl(loop.index, I64(3)))
            offset, lane = (b.sext(_load(b, b.add(row, I64(4 * i)), I32, 4), I64) for i in range(2))
            words = _load(b, b.add(source, _bytes(b, offset)), four)
            doubled = b.shuffle_vector(words, ir.Constant(four, ir.Undefined), twice)
            _store(b, doubled, b.add(target, b.shl(lane, I64(2))), 4)
        return context.get_dummy_value()

    return signature, emit


@_emitter
def copy_pieces(_context, source, target, pieces, count):  # type: ignore[no-untyped-def]
    """Put parts of words into lanes, storing each twice.

    `pieces`: address of `count` rows of five int32, as in `LanePlan.pieces`. For each, the bits of the pair of words
    at `source` + offset, shifted down and masked, are shifted up and or-ed into the 32-bit lane of `target`.
    """
    signature = types.void(types.intp, types.intp, types.intp, types.intp)

    def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        source, target, pieces, count = arguments
        with cgutils.for_range(b, count) as loop:
            row = b.add(pieces, b.mul(loop.index, I64(20)))
            offset, down, mask, lane, up = (_load(b, b.add(row, I64(4 * i)), I32, 4) for i in range(5))
            pair = _load(b, b.add(source, _bytes(b, b.sext(offset, I64))), I32)
            part = b.shl(b.and_(b.lshr(pair, down), mask), up)
            doubled = b.or_(part, b.shl(part, I32(16)))
            at = b.add(target, b.shl(b.sext(lane, I64), I64(2)))
            _store(b, b.or_(_load(b, at, I32, 4), doubled), at, 4)
        return context.get_dummy_value()

    return signature, emit
