"""The claims table: what counts as agreement, what every claim must say, how the table is told."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.claims.bench import METHODS, Bench, largest_parts
from archsim.claims.costs import ENERGY_ORDER, energy_ranking, fewer_modules, saving_of
from archsim.claims.finding import Finding, Row, agrees, by_ends
from archsim.claims.macros import MACROS, macro
from archsim.claims.published import Claim, published_claims
from archsim.claims.table import FINDERS, claims_table
from archsim.errors import ConfigError
from archsim.metrics.intervals import Estimate
from archsim.report.claims import claims_data, claims_markdown, claims_tables, quantity


def claim(value: float = 10.0, bound: str = "equal", grade: str = "READ", unit: str = "x") -> Claim:
    return Claim(
        paper="P", statement="s", value=value, unit=unit, bound=bound, grade=grade, source="here",
        compared_with="that", hinges_on="this",
    )  # fmt: skip


def quiet() -> Bench:
    return Bench(images=50, say=lambda _: None)


def test_every_claim_has_a_finder_and_every_finder_a_claim() -> None:
    assert set(FINDERS) == set(published_claims())


def test_claims_of_the_project_are_all_there() -> None:
    claims = published_claims()
    assert [claims[k].value for k in ("fewer_modules", "one_module", "spatial_saving", "scale_saving")] == [
        9, 1, 94.11, 100,
    ]  # fmt: skip
    assert [claims[k].value for k in ("subset_saving", "subset_memory", "read_energy")] == [70, 158.7, 65.89e-15]
    assert [claims[f"energy_{m}"].value for m in ENERGY_ORDER] == [2.0e-6, 0.68e-6, 0.30e-6, 0.26e-6, 0.18e-6]
    assert not any(claims[f"energy_{m}"].verified for m in ENERGY_ORDER), "these were recalled, not read"
    assert all(c.hinges_on and c.source and c.compared_with for c in claims.values())


@pytest.mark.parametrize(
    ("bound", "low", "high", "holds"),
    [
        ("equal", 9, 11, True), ("equal", 10, 10, True), ("equal", 11, 12, False), ("equal", 8, 9.99, False),
        ("at_least", 2, 10, True), ("at_least", 11, 12, True), ("at_least", 2, 9.9, False),
        ("up_to", 12, 13, True), ("up_to", 1, 9, False),
    ],
)  # fmt: skip
def test_agreement(bound: str, low: float, high: float, holds: bool) -> None:
    value = Estimate((low + high) / 2, low, high, "made up")
    assert agrees(claim(bound=bound), value) is holds


def test_recalled_claims_are_never_said_to_be_met_without_a_caveat() -> None:
    met = Finding(Estimate(10, 9, 11, "made up"))
    assert Row("k", claim(), met).verdict == "agrees"
    assert Row("k", claim(grade="RECALLED"), met).verdict == "agrees (unverified)"
    missed = Row("k", claim(), Finding(Estimate(5, 4, 6, "made up")))
    assert missed.verdict == "differs"
    assert missed.factor == 0.5


def test_a_row_without_data_says_so() -> None:
    row = Row("k", claim(), None, "no MNIST here")
    assert (row.holds, row.factor, row.verdict) == (None, None, "not run")
    page = claims_markdown([row], [], "archsim claims")
    assert "not run: no MNIST here" in page
    assert claims_data([row], [])["claims"][0]["archsim"] is None


def test_the_page_explains_a_difference_by_its_factor() -> None:
    row = Row("k", claim(), Finding(Estimate(5, 4, 6, "made up"), "somewhere", "of a reason"))
    page = claims_markdown([row], [], "archsim claims --out here")
    assert "| s | P | READ | 10 x | 5 x | 4 x to 6 x | differs |" in page
    assert "archsim's value is 0.5 times the published one; its range does not reach it" in page
    assert "because: of a reason" in page
    assert "`archsim claims --out here`" in page


def test_tables_are_flat() -> None:
    row = Row("k", claim(), Finding(Estimate(5, 4, 6, "made up")))
    (flat,) = claims_tables(claims_data([row], []))["claims"]
    assert (flat["archsim_value"], flat["archsim_low"], flat["archsim_high"]) == (5, 4, 6)
    assert not any(isinstance(v, dict | list) for v in flat.values())


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(65.89e-15, "J", "65.9 fJ"), (0.7895, "share", "78.95 %"), (4.05e14, "op/s/W", "405 TOPS/W"), (9, "x", "9 x")],
)
def test_quantities(value: float, unit: str, said: str) -> None:
    assert quantity(value, unit) == said


def test_unknown_claims_are_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"no claim 'one_modul'.*one_module"):
        list(claims_table(quiet(), ["one_modul"]))


def test_nine_times_fewer_modules() -> None:
    finding = fewer_modules(quiet())
    assert (finding.value.value, finding.value.low, finding.value.high) == (9, 9, 9)


def test_savings_are_the_baseline_over_the_energy_end_by_end() -> None:
    bench = quiet()
    energy = bench.costs("spatial_spindrop_stt", "lenet5_mnist_spatial").energy_on_chip
    found = saving_of("spatial", bench).value
    np.testing.assert_allclose(
        [found.value, found.low, found.high],
        [64e-6 / energy.value, 64e-6 / energy.high, 64e-6 / energy.low],
        rtol=1e-12,
    )


def test_the_ranking_is_kendalls_tau() -> None:
    from scipy.stats import kendalltau

    bench = quiet()
    found = energy_ranking(bench).value.value
    energies = [bench.costs(METHODS[m].chip, f"lenet5_mnist_{m}").energy_on_chip.value for m in ENERGY_ORDER]
    assert found == pytest.approx(-kendalltau(range(len(energies)), energies).statistic)


def test_a_macro_counts_two_operations_a_cell() -> None:
    finding = macro("samsung_14", quiet())
    assert "fJ a MAC" in finding.why
    per_mac = float(finding.why.split(" fJ")[0]) * 1e-15
    assert finding.value.value == pytest.approx(2 / per_mac, rel=5e-3)
    assert set(MACROS) == {key.removeprefix("macro_") for key in FINDERS if key.startswith("macro_")}


def test_results_are_kept() -> None:
    bench = quiet()
    assert bench.costs("spatial_spindrop_stt", "lenet5_mnist_spatial") is bench.costs(
        "spatial_spindrop_stt", "lenet5_mnist_spatial"
    )
    shares = list(largest_parts(bench.costs("spatial_spindrop_stt", "lenet5_mnist_spatial"), 3))
    assert len(shares) == 4
    assert shares[-1].startswith("leakage")


def test_estimates_end_by_end() -> None:
    ends = {"value": 2.0, "low": 1.0, "high": 3.0}
    assert by_ends(ends.__getitem__, "m") == Estimate(2.0, 1.0, 3.0, "m")
