"""The clock lets the same happen in the same order as simpy's own environment; errors come as they are."""

from __future__ import annotations

import numpy as np
import pytest
import simpy

from archsim.sim.clock import Clock


def history(env: simpy.Environment, start, wait, run, seed: int) -> list[tuple[int, str, int]]:
    """Let processes wait, wake each other and end at random; many events share their time."""
    rng = np.random.default_rng(seed)
    seen: list[tuple[int, str, int]] = []
    doors = [env.event() for _ in range(10)]

    def worker(index: int):
        for step, delay in enumerate(rng.integers(0, 4, 12).tolist()):
            yield wait(env, delay)
            seen.append((int(env.now), f"worker {index}", step))
            if not doors[index].triggered and step == index:
                doors[index].succeed(step)

    def sleeper(index: int):
        value = yield doors[index]
        seen.append((int(env.now), f"sleeper {index}", value))
        yield start(env, worker((index + 1) % 10))
        seen.append((int(env.now), f"sleeper {index} ends", 0))

    for i in range(10):
        start(env, worker(i))
        start(env, sleeper(i))
    run(env)
    return seen


@pytest.mark.parametrize("seed", range(5))
def test_order_and_times_are_those_of_simpy(seed):
    lean = history(Clock(), Clock.start, lambda env, delay: env.at(env.time + delay), Clock.run_out, seed)
    plain = history(
        simpy.Environment(), lambda env, work: env.process(work), lambda env, delay: env.timeout(delay),
        lambda env: env.run(), seed,
    )  # fmt: skip
    assert len(plain) > 200
    assert lean == plain


def test_a_tick_may_be_scheduled_again():
    clock, seen = Clock(), []
    tick = clock.at(5)

    def again(event):
        seen.append(clock.time)
        if clock.time < 20:
            clock.schedule_at(clock.time + 7, event, [again])

    tick.callbacks.append(again)
    clock.run_out()
    assert seen == [5, 12, 19, 26]


def test_an_error_in_a_process_is_raised_as_it_is():
    clock, error = Clock(), ValueError("mine")

    def fails():
        yield clock.at(3)
        raise error

    clock.start(fails())
    with pytest.raises(ValueError, match="mine") as raised:
        clock.run_out()
    assert raised.value is error
