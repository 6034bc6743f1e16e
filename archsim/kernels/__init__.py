"""Compiled kernels on packed bits, and the slow NumPy twin of each (`reference`).

Only this folder imports numba; `constants`, `lanes` and `reference` do without.
"""
