"""How many bits a value takes on its way through the chip."""

from __future__ import annotations

from archsim.workload.trace import INPUT, Dropout, Flatten, Pool, Quantize, Sign, Threshold, Trace

REAL_BITS = 16  # a real value between digital units travels as a 16-bit fixed-point number


def value_bits(trace: Trace, name: str) -> int:
    """Return how many bits a value of an edge takes on the chip."""
    if name != INPUT:
        op = trace[name].op
        if isinstance(op, Threshold | Sign):
            return 1
        if isinstance(op, Quantize):
            return op.bits
        if isinstance(op, Flatten | Dropout) or (isinstance(op, Pool) and op.function == "max"):
            return value_bits(trace, trace[name].inputs[0])
    return REAL_BITS
