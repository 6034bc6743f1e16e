"""Compiled kernels on packed bits, and the slow NumPy twin of each (`reference`).

Only this folder imports numba, and only in `crossbar`, `packing` and `vector`.
"""
