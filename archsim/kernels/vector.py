"""The innermost loops, written as LLVM vector code because no compiler finds them by itself.

Each factory or function here is a numba *intrinsic*: it emits instructions into the kernel that calls it, so it costs
no call. Addresses are integers (`array.ctypes.data`), distances are in 16-bit elements. Nothing names an instruction
set: LLVM lowers the vectors to AVX-512 (where popcounts of 16-bit lanes exist), AVX2, SSE or NEON.

Numba's cache does not see a change in this file: the kernels that use it carry its digest, which must change with it.
"""

# ruff: noqa: ARG001 (numba reads the signature of an intrinsic; its arguments reach `emit` as a list)
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from archsim.kernels.constants import CELLS, GAMMA, MIX_1, MIX_2, MOST_ROWS
from archsim.kernels.emit import (
    I16,
    I32,
    I64,
    doubled,
    emitter,
    in_bytes,
    load,
    number,
    opaque,
    splat,
    store,
    variable,
    vector_function,
)  # fmt: skip


def tile(width: int, masked: bool) -> Any:
    """Return the intrinsic for a few input vectors (see `MOST_ROWS`), `width` columns and a stretch of row groups.

    For every vector, column and group it counts the mismatches p of the group's lanes (with `masked`, of driven rows
    only), each slice of a cell worth half of the next, and writes to `sums` (vectors, width) the sum over the groups of

        min(max(start - p, 0) >> step, top)

    which is the converter's code, counted from its lowest one: with start = c + half - (lowest << step), where
    c = (2**slices - 1) ceil(n / 2), half = 2**step >> 1 and n is the number of driven rows, and top = highest - lowest.
    One subtraction with saturation is the lower clip. Counts and sums stay in registers.

    `x`, `mask`: addresses of words stored twice; `x_rows`, `mask_rows`: of int64, the first word of each vector;
    `source`: of int64, the word of each lane, counted from there. `starts`: of uint16 stored twice, (states,
    `state_pitch` groups); `state_rows`: of int64, the state of each vector. `group_lanes`: of int64, the first lane of
    each group. `weights`: (slices, lowest first, lanes, width).
    """
    lanes = min(width, 32)
    blocks, rows = width // lanes, min(MOST_ROWS, CELLS // width)
    vector = ir.VectorType(I16, lanes)

    @emitter
    def run(  # type: ignore[no-untyped-def]
        _context, x, x_rows, mask, mask_rows, source, starts, state_rows, state_pitch, group_lanes, first, last,
        weights, slice_count, slice_pitch, step, top, sums,
    ):  # fmt: skip
        signature = types.void(*[types.intp] * 17)

        def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
            (x, x_rows, mask, mask_rows, source, starts, state_rows, state_pitch, group_lanes, first, last,
             weights, slice_count, slice_pitch, step, top, sums) = arguments  # fmt: skip
            popcount = vector_function(b.module, "ctpop", vector, 1)
            subtract = vector_function(b.module, "usub.sat", vector, 2)
            smaller = vector_function(b.module, "umin", vector, 2)
            zero, one = (ir.Constant(vector, [n] * lanes) for n in (0, 1))
            cells = [(r, j) for r in range(rows) for j in range(blocks)]
            count = {cell: variable(b, zero) for cell in cells}
            total = {cell: variable(b, zero) for cell in cells}
            next_lane = variable(b, I64(0))
            step, top = (splat(b, b.trunc(v, I16), lanes) for v in (step, top))
            x = [b.add(x, b.shl(number(b, x_rows, I64(r)), I64(2))) for r in range(rows)]
            mask = [b.add(mask, b.shl(number(b, mask_rows, I64(r)), I64(2))) for r in range(rows if masked else 0)]

            def count_lane(at: Any, lane: Any, first: bool) -> None:
                at = b.add(at, b.mul(lane, I64(2 * width)))
                w = [load(b, b.add(at, I64(2 * lanes * j)), vector) for j in range(blocks)]
                shift = b.shl(number(b, source, lane), I64(2))
                bits = [doubled(b, b.add(row, shift), vector) for row in x]
                driven = [doubled(b, b.add(row, shift), vector) for row in mask]
                for r, j in cells:
                    differ = b.xor(w[j], bits[r])
                    if masked:
                        differ = b.and_(differ, driven[r])
                    ones = b.call(popcount, [differ])
                    b.store(ones if first else b.add(b.load(count[r, j]), ones), count[r, j])

            with cgutils.for_range_slice(b, first, last, I64(1)) as (group, _):
                begin, end = (number(b, group_lanes, b.add(group, I64(i))) for i in (0, 1))
                top_slice = b.add(weights, in_bytes(b, b.mul(b.sub(slice_count, I64(1)), slice_pitch)))
                count_lane(top_slice, begin, True)
                b.store(b.add(begin, I64(1)), next_lane)
                with cgutils.for_range(b, slice_count) as below:
                    with b.if_then(b.icmp_signed(">", below.index, I64(0))):
                        for cell in cells:
                            b.store(b.shl(b.load(count[cell]), one), count[cell])
                    at = b.sub(top_slice, in_bytes(b, b.mul(below.index, slice_pitch)))
                    with cgutils.for_range_slice(b, b.load(next_lane), end, I64(1)) as (lane, _):
                        count_lane(at, lane, False)
                    b.store(begin, next_lane)
                for r in range(rows):
                    state = b.mul(number(b, state_rows, I64(r)), state_pitch)
                    start = doubled(b, b.add(starts, b.shl(b.add(state, group), I64(2))), vector)
                    for j in range(blocks):
                        code = b.lshr(b.call(subtract, [start, b.load(count[r, j])]), step)
                        code = b.call(smaller, [code, top])
                        b.store(b.add(b.load(total[r, j]), code), total[r, j])
            for r, j in cells:
                store(b, b.load(total[r, j]), b.add(sums, I64(2 * (r * width + j * lanes))))
            return context.get_dummy_value()

        return signature, emit

    return run


def line_sum(width: int) -> Any:
    """Return the intrinsic that adds up word lines of a table of conductances, `width` columns wide.

    `table`: int16 (lines, width). `lines`: of int32, `count` lines to add. `at_most`: so many lines may be added in 16
    bits. `sums`: of int32 (width,), the result. Everything stays in registers.
    """
    lanes = min(width, 32)
    narrow, wide = ir.VectorType(I16, lanes), ir.VectorType(I32, lanes)
    parts = range(width // lanes)

    @emitter
    def run(_context, table, lines, count, at_most, sums):  # type: ignore[no-untyped-def]
        signature = types.void(*[types.intp] * 5)

        def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
            table, lines, count, at_most, sums = arguments
            total = [variable(b, ir.Constant(wide, [0] * lanes)) for _ in parts]
            some = [variable(b, ir.Constant(narrow, [0] * lanes)) for _ in parts]
            with cgutils.for_range_slice(b, I64(0), count, at_most) as (first, _):
                end = b.add(first, at_most)
                end = b.select(b.icmp_signed("<", end, count), end, count)
                for j in parts:
                    b.store(ir.Constant(narrow, [0] * lanes), some[j])
                with cgutils.for_range_slice(b, first, end, I64(1)) as (i, _):
                    line = b.zext(load(b, b.add(lines, b.shl(i, I64(2))), I32, 4), I64)
                    at = b.add(table, b.mul(line, I64(2 * width)))
                    for j in parts:
                        conducted = load(b, b.add(at, I64(2 * lanes * j)), narrow)
                        b.store(b.add(b.load(some[j]), conducted), some[j])
                for j in parts:
                    b.store(b.add(b.load(total[j]), b.sext(b.load(some[j]), wide)), total[j])
            for j in parts:
                store(b, b.load(total[j]), b.add(sums, I64(4 * lanes * j)), 4)
            return context.get_dummy_value()

        return signature, emit

    return run


@emitter
def popcount(_context, word):  # type: ignore[no-untyped-def]
    """Return the number of ones of a uint64, as one."""

    def emit(_context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        return b.ctpop(arguments[0])

    return types.uint64(types.uint64), emit


@emitter
def rebuild(_context, codes, out, index, count, factor, offset, add):  # type: ignore[no-untyped-def]
    """Write `factor` * code + `offset` to `count` elements of the array `out` from flat position `index` on.

    `codes`: address of as many int16 sums of codes. `out`: int16 or int32 array. `count`: a multiple of 16.
    `add`: add to what is there.
    """
    signature = types.void(types.intp, out, types.intp, types.intp, types.intp, types.intp, types.boolean)
    element = I16 if out.dtype.bitwidth == 16 else I32
    size = out.dtype.bitwidth // 8

    def emit(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        codes, out, index, count, factor, offset, add = arguments
        data = b.ptrtoint(context.make_array(signature.args[1])(context, b, out).data, I64)
        wide = b.and_(count, I64(-64))

        def write(lanes: int, start: Any, stop: Any, adding: bool) -> None:
            vector = ir.VectorType(element, lanes)
            scale, shift = (splat(b, b.trunc(v, element), lanes) for v in (factor, offset))
            with cgutils.for_range_slice(b, start, stop, I64(lanes)) as (at, _):
                code = load(b, b.add(codes, in_bytes(b, at)), ir.VectorType(I16, lanes))
                if element is I32:
                    code = b.sext(code, vector)
                target = b.add(data, b.mul(b.add(index, at), I64(size)))
                value = b.add(b.mul(code, scale), shift)
                if adding:
                    value = b.add(load(b, target, vector, size), value)
                store(b, value, target, size)

        with b.if_else(b.trunc(add, ir.IntType(1))) as branches:
            for branch, adding in zip(branches, (True, False), strict=True):
                with branch:
                    write(64, I64(0), wide, adding)
                    write(16, wide, count, adding)
        return context.get_dummy_value()

    return signature, emit


@emitter
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
            return load(b, b.add(b.ptrtoint(data, I64), b.mul(position, I64(size))), vector, size)

        left = fetch(signature.args[0], arguments[0], arguments[1])
        right = fetch(signature.args[2], arguments[2], arguments[3])
        compare = b.fcmp_ordered if real else b.icmp_signed
        return b.bitcast(compare(">=", left, right), I16)

    return signature, emit


@emitter
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

        z = b.add(splat(b, b.add(block, I64(1)), 8), ir.Constant(vector, list(range(8))))
        z = b.add(b.mul(z, constant(GAMMA)), splat(b, key, 8))
        z = b.mul(b.xor(z, b.lshr(z, constant(30))), constant(MIX_1))
        z = b.mul(b.xor(z, b.lshr(z, constant(27))), constant(MIX_2))
        z = b.xor(z, b.lshr(z, constant(31)))
        halves = ir.VectorType(I16, 32)
        kept = b.icmp_unsigned("<=", b.bitcast(z, halves), load(b, limits, halves))
        return b.bitcast(kept, I32)

    return signature, emit


@emitter
def count_ones(_context, row, source, first, last):  # type: ignore[no-untyped-def]
    """Return the number of ones in lanes `first` to `last` - 1 of a vector.

    `row`: address of its first word; each is stored twice. `source`: address of int64, the word of each lane.
    """
    signature = types.intp(types.intp, types.intp, types.intp, types.intp)

    def emit(_context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        row, source, first, last = arguments
        total = variable(b, I32(0))
        with cgutils.for_range_slice(b, first, last, I64(1)) as (lane, _):
            word = opaque(b, number(b, source, lane))
            twice = load(b, b.add(row, b.shl(word, I64(2))), I32, 4)
            b.store(b.add(b.load(total), b.ctpop(twice)), total)
        return b.zext(b.lshr(b.load(total), I32(1)), I64)

    return signature, emit


@emitter
def gather(_context, source, target, pieces, lane_pieces, count):  # type: ignore[no-untyped-def]
    """Put `count` lanes together.

    `source`, `target`: addresses of words and lanes, which are all stored twice. `pieces`, `lane_pieces`: of int64, as
    in `LanePlan`.
    """
    signature = types.void(*[types.intp] * 5)

    def emit(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        source, target, pieces, lane_pieces, count = arguments
        with cgutils.for_range(b, count) as lanes:
            begin, end = (number(b, lane_pieces, b.add(lanes.index, I64(i))) for i in (0, 1))
            lane = variable(b, I32(0))
            b.store(I32(0), lane)
            with cgutils.for_range_slice(b, begin, end, I64(1)) as (piece, _):
                first = b.mul(piece, I64(3))
                word, rotation, mask = (number(b, pieces, b.add(first, I64(i))) for i in range(3))
                twice = load(b, b.add(source, b.shl(opaque(b, word), I64(2))), I32, 4)
                bits = b.and_(b.lshr(twice, b.trunc(rotation, I32)), b.trunc(mask, I32))
                b.store(b.or_(b.load(lane), bits), lane)
            twice = b.mul(b.load(lane), I32(0x00010001))
            store(b, twice, b.add(target, b.shl(lanes.index, I64(2))), 4)
        return context.get_dummy_value()

    return signature, emit
