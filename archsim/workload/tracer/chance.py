"""Where chance enters: dropouts, random scales, and the operations that a user's own modules name."""

from __future__ import annotations

from typing import Any

from torch import nn

from archsim import nn as bnn
from archsim.workload.trace import AffineDropout, Dropout, GaussianScale, Normalise, ScaleDropout, Stochastic
from archsim.workload.tracer.builder import Builder, Site
from archsim.workload.tracer.layers import array


def dropout(build: Builder, site: Site) -> str:
    """Record a dropout; torch's own ones multiply what they keep by 1 / (1 - p)."""
    p = float(site.params.get("p", 0.5))
    if not 0 <= p < 1:
        raise site.refuse(f"the dropout rate must be in [0, 1), got {p}")
    if p == 0:
        build.note(site, "inactive", "dropout rate 0")
        return site.input
    own = isinstance(site.module, bnn.SpinDrop)
    whole = isinstance(site.module, bnn.SpatialSpinDrop | nn.Dropout1d | nn.Dropout2d) or site.name.startswith(
        ("F.dropout1d", "F.dropout2d")
    )
    maps = site.params.get("maps") if len(site.in_shape) == 1 else None
    op = Dropout(p, "channel" if whole else "element", gain=1.0 if own else 1 / (1 - p), maps=maps)
    return build.add(site, op, placement="stochastic", detail=f"p = {p:g}, one bit each {op.granularity}")


def scale_dropout(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.ScaleDropout`."""
    module: Any = site.module
    return stochastic(build, site, ScaleDropout(array(module.scale), module.p))


def affine_dropout(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.AffineDropout`."""
    module: Any = site.module
    op = AffineDropout(array(module.scale), array(module.offset()), module.p_scale, module.p_shift)
    return stochastic(build, site, op)


def gaussian_scale(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.GaussianScale`."""
    module: Any = site.module
    return stochastic(build, site, GaussianScale(array(module.mean), array(module.deviation())))


def normalise(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.Normalise`."""
    module: Any = site.module
    return build.add(site, Normalise(module.over, module.epsilon), detail=f"normalise over the {module.over}")


def own(build: Builder, site: Site) -> str:
    """Record a stochastic module of the user's own as the operation that it names."""
    module: Any = site.module
    if not module.active:
        build.note(site, "inactive", "says that it is not active")
        return site.input
    if not hasattr(module, "operation"):
        raise site.refuse("has no method 'operation' that returns its archsim.workload.ops.Stochastic")
    op = module.operation()
    if not isinstance(op, Stochastic):
        raise site.refuse(f"its operation() returned a {type(op).__name__}, not an archsim.workload.ops.Stochastic")
    return stochastic(build, site, op)


def stochastic(build: Builder, site: Site, op: Stochastic) -> str:
    """Record an operation that draws random numbers in the digital unit."""
    if site.out_shape != site.in_shape:
        raise site.refuse(f"changes the shape from {site.in_shape} to {site.out_shape}")
    drawn = ", ".join(f"{d.count} {NAMES[d.kind]}" for d in op.draws(site.out_shape))
    return build.add(site, op, placement="stochastic", detail=f"{op.kind}: {drawn} a pass")


NAMES = {"bit": "bits", "gaussian": "Gaussians", "index": "choices"}
