"""Compiled kernels on packed bits, and the slow NumPy twin of each (`reference`, `imperfect_reference`).

Only this folder imports numba; `constants`, `lanes` and the two twins do without.
"""
