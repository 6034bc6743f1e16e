"""The claims table: each published claim with what archsim finds for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from archsim.claims import costs, macros, quality
from archsim.claims.bench import Bench
from archsim.claims.finding import Finding, Row
from archsim.claims.published import published_claims
from archsim.errors import ConfigError, DataError, nearest

Finder = Callable[[Bench], Finding]

FINDERS: Mapping[str, Finder] = MappingProxyType(
    {
        "fewer_modules": costs.fewer_modules,
        "one_module": costs.one_module,
        **{f"energy_{m}": partial(costs.energy_of, m) for m in costs.ENERGY_ORDER},
        "energy_ranking": costs.energy_ranking,
        "spatial_saving": partial(costs.saving_of, "spatial"),
        "scale_saving": partial(costs.saving_of, "scale"),
        "subset_saving": partial(costs.saving_of, "subset"),
        "subset_memory": costs.subset_memory,
        "read_energy": costs.read_energy,
        "ood_detection": quality.ood_detection,
        "corrupted_accuracy": quality.corrupted_accuracy,
        "clean_accuracy": partial(quality.clean_accuracy, "spindrop"),
        "scale_accuracy": partial(quality.clean_accuracy, "scale"),
        "affine_ood": quality.affine_ood,
        "affine_robustness": quality.affine_robustness,
        "affine_regression": quality.affine_regression,
        **{f"macro_{name}": partial(macros.macro, name) for name in macros.MACROS},
    }
)


def claims_table(bench: Bench, only: Iterable[str] = ()) -> Iterator[Row]:
    """Yield a row for every claim, or for those of the given keys, as each is found.

    A claim whose data set or checkpoint is not here gets a row that says so. Raises `ConfigError` for an unknown key.
    """
    claims = published_claims()
    wanted = list(only) or list(claims)
    for key in wanted:
        if key not in claims:
            raise ConfigError(f"there is no claim '{key}'{nearest(key, claims)}")
    for key in wanted:
        try:
            yield Row(key, claims[key], FINDERS[key](bench))
        except DataError as error:
            yield Row(key, claims[key], None, str(error))
