"""Which points are compared, what the ratios are, and each reason to refuse one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsim.comparison import Headline, Ratio, Terms, headline, ratios
from archsim.metrics.intervals import Estimate
from tests.platforms import CHIP, about, platform, point

ONE = Terms(passes=20)
ANYWAY = Terms(passes=20, allowed=("boundary",))


def found(other, terms=ONE) -> dict[tuple[str, str], Ratio]:
    return {(r.what, r.role): r for r in ratios(CHIP, other, headline(other, terms), terms)}


def reason(other, what="latency", terms=ONE, role="headline") -> str:
    ratio = found(other, terms)[what, role]
    assert ratio.estimate is None
    assert ratio.refused
    return ratio.refused


# --- which points ---


GPU = platform(
    point(9e-3, 30e-3, mode="sequential", power_mode="MAXN"),
    point(12e-3, 20e-3, mode="sequential", power_mode="15W"),
    point(1e-3, 4e-3, power_mode="MAXN"),
    point(2e-3, 3e-3, power_mode="15W"),
    point(3e-3, 1e-3, power_mode="15W", batch=64),
    point(2e-5, 1e-5, power_mode="MAXN", passes=1),
)


def test_the_best_points_are_chosen_for_each_figure_on_its_own():
    assert headline(GPU, ONE) == Headline(
        latency=2, throughput=4, energy=3, energy_at_rate=None,
        naive_latency=0, naive_energy=1, naive_energy_at_rate=None,
    )  # fmt: skip


def test_naive_runs_as_the_best_point_does_but_one_pass_after_the_other():
    fast = replace(GPU, points=tuple(replace(p, energy_j=None) for p in GPU.points), no_energy="no meter")
    assert headline(fast, ONE).energy is None
    assert (headline(fast, ONE).naive_latency, headline(fast, ONE).naive_energy) == (0, None)
    other_software = platform(
        point(1e-3, software="cuda graph"), point(9e-3, software="eager", mode="sequential"),
        point(8e-3, software="cuda graph", mode="sequential"),
    )  # fmt: skip
    assert headline(other_software, ONE).naive_latency == 2
    assert headline(platform(point(1e-3)), ONE).naive_latency is None


def test_more_images_of_a_call_are_compared_only_where_they_are_asked_for():
    assert headline(GPU, Terms(passes=20, batch=64)) == Headline(4, 4, 4, None, None, None, None)
    assert headline(GPU, Terms(passes=1)) == Headline(5, 5, 5, None, None, None, None)
    assert headline(GPU, Terms(passes=7)) == Headline(*[None] * 7)


def test_a_mode_that_is_slower_folded_is_compared_as_it_is_fastest():
    odd = platform(point(2e-3), point(1e-3, mode="sequential"))
    assert (headline(odd, ONE).latency, headline(odd, ONE).naive_latency) == (1, 1)
    assert ("latency", "naive") not in found(odd)


def test_idle_power_decides_which_power_mode_is_best_at_a_rate():
    hungry = platform(point(1e-3, 2e-3, idle_w=about(10.0)), point(2e-3, 5e-3, idle_w=about(1.0)))
    best = headline(hungry, Terms(passes=20, rate=10.0))
    assert (best.energy, best.energy_at_rate) == (0, 1)


# --- what they are ---


def test_ratios_by_hand():
    gains = found(GPU, ANYWAY)
    latency = gains["latency", "headline"]
    assert latency.point == 2
    assert latency.estimate.value == pytest.approx(100)
    assert (latency.estimate.low, latency.estimate.high) == (pytest.approx(25), pytest.approx(400))
    throughput = gains["throughput", "headline"]  # 64 images in 3 ms against one every 8 us
    assert throughput.estimate.value == pytest.approx(3e-3 / 64 / 8e-6)
    assert throughput.estimate.low == pytest.approx(1.5e-3 / 64 / 16e-6)
    energy = gains["energy", "headline"]
    assert (energy.point, energy.estimate.value) == (3, pytest.approx(7500))
    assert (energy.estimate.low, energy.estimate.high) == (pytest.approx(7500 / 4), pytest.approx(7500 * 4))
    assert energy.boundaries == ("chip", "board")
    assert gains["energy", "naive"].estimate.value == pytest.approx(50_000)
    assert gains["latency", "naive"].estimate.value == pytest.approx(900)  # as the fastest, in MAXN


def test_the_time_between_images_is_as_uncertain_as_the_latency():
    overlapping = platform(replace(point(1e-3), interval_s=4e-4))
    gain = found(overlapping)["throughput", "headline"].estimate
    chip = CHIP.points[0]
    assert gain.value == pytest.approx(4e-4 / 8e-6)
    assert gain.high / gain.value == pytest.approx(2 * chip.latency_s.value / chip.latency_s.low)
    stated = found(platform(point(None, interval_s=4e-4)))["throughput", "headline"].estimate
    assert stated.high / stated.value == pytest.approx(2)  # the chip's side alone


def test_several_images_of_a_call_are_compared_with_as_many_on_the_chip():
    terms = Terms(passes=20, batch=4)
    gain = found(platform(point(4e-3, batch=4)), terms)["latency", "headline"]
    assert gain.estimate.value == pytest.approx(100)


def test_energy_at_a_rate_by_hand():
    """A GPU of 2 mJ above idle and 5 W idle, 100 images a second: 2 + 50 mJ. The chip: 0.2 + 40 uJ."""
    terms = Terms(passes=20, rate=100.0, allowed=("boundary",))
    gain = found(platform(point(1e-3, 4e-3)), terms)["energy_at_rate", "headline"]
    assert gain.estimate.value == pytest.approx(52e-3 / 40.2e-6)
    assert gain.estimate.low == pytest.approx((1e-3 + 25e-3) / (0.4e-6 + 80e-6))
    assert gain.estimate.high == pytest.approx((4e-3 + 100e-3) / (0.1e-6 + 20e-6))


def test_the_faster_the_images_come_the_less_idle_power_counts():
    gpu = platform(point(1e-3, 4e-3))
    energies = [gpu.points[0].energy_at(rate).value for rate in (1, 10, 100, 1000)]
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] == pytest.approx(2e-3 + 5.0 / 1000, rel=1e-9, abs=0)


# --- why not ---


def test_another_network_is_refused_unless_allowed():
    other = platform(point(1e-3), signature=None, network="MLP 784-200-10")
    for what in ("latency", "throughput", "energy"):
        assert "another network, MLP 784-200-10" in reason(other, what)
    assert "'network'" in reason(replace(other, signature="differs"))
    allowed = found(other, Terms(passes=20, allowed=("network",)))
    assert allowed["latency", "headline"].estimate.value == pytest.approx(100)


def test_other_passes_are_always_refused():
    for allowed in ((), ("network", "boundary")):
        terms = Terms(passes=20, allowed=allowed)
        text = reason(platform(point(passes=1), point(passes=10)), terms=terms)
        assert text == "it has T = 1, 10, not 20"


def test_passes_that_are_not_stated_count_as_another_network():
    unstated = platform(point(1e-3, passes=None))
    assert "how many passes" in reason(unstated)
    assert found(unstated, Terms(passes=20, allowed=("network",)))["latency", "headline"].estimate


def test_energies_across_boundaries_are_refused_in_words_unless_allowed():
    gpu = platform(point(1e-3, 4e-3))
    text = reason(gpu, "energy")
    assert "'board' (the board: as a module" in text
    assert "'chip' (the chip alone" in text
    assert found(gpu)["latency", "headline"].estimate is not None
    assert found(gpu, ANYWAY)["energy", "headline"].estimate is not None
    assert found(replace(gpu, boundary="chip"))["energy", "headline"].estimate is not None
    assert "energy" in reason(gpu, "energy_at_rate", Terms(passes=20, rate=1.0))


def test_a_missing_energy_says_why():
    cpu = platform(point(1e-3), boundary=None, no_energy="there is no meter in this machine")
    assert "there is no meter in this machine" in reason(cpu, "energy", ANYWAY)
    assert "there is no meter" in reason(cpu, "energy_at_rate", Terms(passes=20, rate=1.0))
    assert "none is stated" in reason(replace(cpu, no_energy=None), "energy")


def test_a_publication_without_figures_says_so():
    abstract = platform(boundary=None, no_energy="its abstract gives ratios alone")
    assert reason(abstract) == "nothing is known of it: its abstract gives ratios alone"


def test_a_missing_latency_says_so():
    fpga = platform(point(None, 1e-3))
    assert reason(fpga) == "it does not say how long it takes"
    assert "how long" in reason(fpga, "throughput")


def test_only_points_of_as_many_images_a_call_are_compared():
    assert reason(platform(point(batch=64), point(batch=8))) == "it has no point of 1 images a call, but of 8, 64"


def test_who_cannot_keep_up_says_so():
    terms = Terms(passes=20, rate=1000.0, allowed=("boundary",))
    slow = platform(point(4e-3, 1e-3), point(9e-3, 9e-3, mode="sequential"))
    assert reason(slow, "energy_at_rate", terms) == "it cannot keep up with 1000 images/s, 250 at most"
    quick = platform(point(0.5e-3, 1e-3), point(9e-3, 9e-3, mode="sequential"))
    assert found(quick, terms)["energy_at_rate", "headline"].estimate
    assert "111.1 at most" in reason(quick, "energy_at_rate", terms, role="naive")


def test_a_chip_that_cannot_keep_up_says_so_too():
    terms = Terms(passes=20, rate=200_000.0, allowed=("boundary",))
    fast = platform(point(1e-6, 1e-3))
    assert reason(fast, "energy_at_rate", terms).startswith("for the chip: it cannot keep up with 200000 images/s")


def test_idle_power_must_be_known_at_a_rate():
    terms = Terms(passes=20, rate=10.0, allowed=("boundary",))
    unknown = platform(point(1e-3, 1e-3, idle_w=None))
    assert reason(unknown, "energy_at_rate", terms) == "it does not say what it takes when idle"
    assert found(unknown, terms)["energy", "headline"].estimate


def test_refused_ratios_have_no_number_and_given_ones_no_reason():
    for other in (GPU, platform(point(passes=1)), platform(point(None))):
        for ratio in found(other).values():
            data = ratio.to_dict()
            assert (data["value"] is None) == (data["refused"] is not None)
            assert (data["low"] is None) == (data["high"] is None) == (data["value"] is None)


def test_an_energy_of_nothing_gives_no_division_by_zero():
    free = replace(CHIP, points=(replace(CHIP.points[0], energy_j=Estimate(0.0, 0.0, 0.0, "nothing")),))
    gpu = platform(point(1e-3, 4e-3), boundary="chip")
    (gain,) = [r for r in ratios(free, gpu, headline(gpu, ONE), ONE) if r.what == "energy"]
    assert gain.estimate.value == float("inf")
