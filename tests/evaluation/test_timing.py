"""Timing against a clock that only the timed functions move."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation import timing
from hgcal_gnn.evaluation.published_timing import TIMINGS, PublishedTiming, published_timings
from hgcal_gnn.evaluation.timing import READY, TimingPlan, speed_up, time_generation, time_inference
from hgcal_gnn.evaluation.timing_report import timing_json, timing_markdown
from hgcal_gnn.hardware import waiting_for
from tests.evaluation.by_hand import CELLS, DEPOSITS, showers_of

GEANT4 = TIMINGS[1]


@pytest.fixture
def clock(monkeypatch):
    """A list whose sum is the time."""
    ticks = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: sum(ticks))
    return ticks


def made(n):
    return showers_of(*[(CELLS, DEPOSITS)] * n)


def test_stages_apart_and_warm_up_left_out(clock):
    """1 s to warm up in every call, then 1, 2, 3, ... ms per shower; post-processing 5 ms, writing 0.1 s per call."""
    calls, written = [], []

    def generate(n, seed):
        calls.append((n, seed))
        clock.append(1.0 if seed < 12 else 1e-3 * n * (seed - 11))
        return made(n)

    def post_process(showers):
        clock.append(5e-3 * len(showers))
        return showers[: len(showers) // 2]

    def write(showers):
        clock.append(0.1)
        written.append(len(showers))

    plan = TimingPlan(calls=5, showers=12, warm_up=2)
    found = time_generation(
        generate, [2, 4], name="model", post_process=post_process, write=write, plan=plan, seed=10, threads=3
    )  # fmt: skip
    assert [(one.stage, one.batch_size, one.calls) for one in found] == [
        ("generation", 2, 6), ("post-processing", 2, 6), (READY, 2, 6), ("writing", 2, 6),
        ("generation", 4, 5), ("post-processing", 4, 5), (READY, 4, 5), ("writing", 4, 5),
    ]  # fmt: skip
    first = found[0]
    assert (first.median, first.mean) == pytest.approx((3.5, 3.5))
    assert (first.low, first.high) == pytest.approx((1.8, 5.2))  # of 1, ..., 6: places 0.8 and 4.2
    assert first.mean_error == pytest.approx(np.sqrt(3.5 / 6))
    assert first.warm_up_calls == 2
    assert first.warm_up_seconds == pytest.approx(2 * (1 + 0.01 + 0.1))
    assert first.showers_per_second == pytest.approx(1e3 / 3.5)
    assert (found[1].median, found[3].median, found[7].median) == pytest.approx((5, 50, 25))
    assert found[2].median == pytest.approx(3.5 + 5)
    assert (first.threads, first.device) == (3, "cpu")
    assert first.hardware.startswith("3 threads on ")
    assert calls[:3] == [(2, 10), (2, 11), (2, 12)]
    assert len(set(calls)) == len(calls)
    assert set(written) == {1, 2}


def test_images_become_showers_and_the_device_is_waited_for(clock, monkeypatch):
    """A device that hands back images at once and takes 1 s for them: the second belongs to the generation."""
    monkeypatch.setattr(timing, "waiting_for", lambda device: lambda: clock.append(1.0 if device == "mps" else 0.0))
    found = time_generation(
        lambda n, _: np.zeros((n, 3)), [4], post_process=lambda images: made(len(images)), device="mps",
        plan=TimingPlan(calls=1, showers=1, warm_up=0),
    )  # fmt: skip
    assert [(one.stage, one.median) for one in found] == [
        ("generation", 250), ("post-processing", 250), (READY, 500)
    ]  # fmt: skip
    assert waiting_for("cpu")() is None


def test_a_slow_generator_is_called_three_times(clock):
    def generate(n, _):
        clock.append(50.0)
        return made(n)

    (found,) = time_generation(generate, [1], plan=TimingPlan(warm_up=0, most_seconds=60))
    assert found.calls == 3


def test_inference_goes_round_the_sample(clock):
    seen = []

    def predict(showers):
        seen.append(showers.event_id.tolist())
        clock.append(2e-3 * len(showers))

    found = time_inference(predict, made(5), [2, 5], plan=TimingPlan(calls=3, showers=1, warm_up=1))
    assert [(one.stage, one.median) for one in found] == [
        ("inference", pytest.approx(2)),
        ("inference", pytest.approx(2)),
    ]
    assert seen[:4] == [[0, 1], [2, 3], [0, 1], [2, 3]]
    with pytest.raises(UsageError, match="batches of 6 showers cannot be timed with a sample of 5"):
        time_inference(predict, made(5), [6])


def test_what_cannot_be_timed():
    with pytest.raises(InputError, match="model: 3 showers were asked for, 2 made"):
        time_generation(lambda _n, _seed: made(2), [3], name="model")
    with pytest.raises(UsageError, match="batch sizes"):
        time_generation(lambda n, _: made(n), [1, 0])
    with pytest.raises(UsageError, match="0 calls"):
        TimingPlan(calls=0)


def one_timing(clock, ms):
    def generate(n, _):
        clock.append(1e-3 * ms * n)
        return made(n)

    return time_generation(generate, [1], name="ours", write=lambda _: clock.append(1.0), threads=1)


def test_speed_up_over_a_stated_time(clock):
    """Geant4 photons of 10 to 100 GeV in the ILD: 4082 +- 170 ms, the WGAN on a CPU 72 times as fast at 10 a call."""
    ours = one_timing(clock, 56.7)
    found = speed_up(ours[0], GEANT4)
    assert found.value == pytest.approx(4082 / 56.7)
    assert found.error == pytest.approx(170 / 56.7, rel=1e-3)
    assert found.reference.source == "Getting High, arXiv:2005.05334, table 1"
    nobody = PublishedTiming("Geant4", 22, "50 GeV", "CPU", None, 1000, None, "", "", " ")
    with pytest.raises(UsageError, match="needs the source"):
        speed_up(ours[0], nobody)


def test_published_speed_ups():
    """Table 1 of arXiv:2005.05334 gives 65-72 times (CPU) and 752-1256 (GPU) for the WGAN, 1279-2874 for the BIB-AE."""
    flat = [row for row in TIMINGS if (row.energy, row.source) == (GEANT4.energy, GEANT4.source)]
    ratios = {}
    for row in flat:
        ratios.setdefault((row.name, row.device), []).append(GEANT4.ms / row.ms)
    assert (min(ratios["WGAN", "CPU"]), max(ratios["WGAN", "CPU"])) == pytest.approx((65, 72), abs=0.6)
    assert (min(ratios["WGAN", "GPU"][2:]), ratios["WGAN", "GPU"][0]) == pytest.approx((752, 1256), rel=1e-3)
    assert (ratios["BIB-AE", "GPU"][0], ratios["BIB-AE", "GPU"][2]) == pytest.approx((1279, 2874), rel=1e-3)
    assert {row.name for row in published_timings(11)} >= {"Geant4", "WGAN", "BIB-AE"}
    assert {row.device for row in published_timings(-211)} == {"CPU", "GPU"}
    assert published_timings(13) == ()


def test_published_speed_ups_of_pions():
    """56 and 8 times (CPU), 10167 and 1309 (GPU) for WGAN and BIB-AE in arXiv:2112.09709."""
    ms = {(row.name, row.device): row.ms for row in published_timings(211) if "2112.09709" in row.source}
    ratios = [
        ms["Geant4", "CPU"] / ms[key]
        for key in (("WGAN", "CPU"), ("BIB-AE", "CPU"), ("WGAN", "GPU"), ("BIB-AE", "GPU"))
    ]
    assert ratios == pytest.approx([56, 8, 10167, 1309], rel=0.05)
    assert all(row.source.strip() and row.hardware and row.ms > 0 for row in TIMINGS)


def test_speed_up_with_post_processing(clock):
    def post_process(showers):
        clock.append(3e-3)
        return showers

    def generate(n, _):
        clock.append(1e-3)
        return made(n)

    ours = time_generation(generate, [1], post_process=post_process, threads=1)
    found = timing_json(ours, "x", 22, GEANT4)["timings"]
    assert [(row["stage"], row["speed_up"]) for row in found] == [
        ("generation", pytest.approx(4082)), ("post-processing", None), (READY, pytest.approx(4082 / 4))
    ]  # fmt: skip


def test_a_busy_machine_is_told(clock, monkeypatch):
    for load, told in ((3.2, True), (0.3, False), (float("nan"), False)):
        monkeypatch.setattr(timing, "load_average", lambda load=load: load)
        ours = one_timing(clock, 2.0)
        assert ("load average was 3.2" in timing_markdown(ours, "x", 22)) is told
        assert json.dumps(timing_json(ours, "x", 22), allow_nan=False)


def test_the_report(clock):
    ours = one_timing(clock, 2.0)
    text = timing_markdown(ours, "photon of 50 GeV", 22, GEANT4)
    lines = [line for line in text.splitlines() if line.startswith("| ours")]
    assert len(lines) == 2
    assert lines[0].rstrip(" |").endswith("2041 ± 85")
    assert lines[1].rstrip(" |").endswith("-")
    assert "first 2 calls at each batch size are not counted" in text
    assert "4082 ms per shower: Getting High" in text
    assert "speed-up" not in timing_markdown(ours, "photon of 50 GeV", 22)
    found = json.loads(json.dumps(timing_json(ours, "photon of 50 GeV", 22, GEANT4)))
    assert found["timings"][0]["speed_up"] == pytest.approx(2041)
    assert found["timings"][1]["speed_up"] is None
    assert found["published"][0]["ms"] == 1445
    assert timing_json(ours, "x", 22)["reference"] is None
