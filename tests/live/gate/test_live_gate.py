"""rt-gate on a real PortAudio stream: what it adds, what it lets through, how it ends."""

import pytest

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

OPEN = ("--level", "--threshold-db", "-144", "--range-db", "0")  # every sample, as it is


@pytest.mark.parametrize("block", [64, 100, 128, 480])
@pytest.mark.parametrize("lookahead_ms", ["0", "10"])
def test_it_adds_what_it_says(bench, sounds, block, lookahead_ms):
    bench.serve()
    gate = bench.gate(*OPEN, "--block", str(block), "--lookahead-ms", lookahead_ms)
    direct, gated = bench.pass_through(gate, sounds.noise(2))
    stated = gate.started["latency_ms"] * sounds.rate / 1000
    assert round(stated) == block + int(lookahead_ms) * 48
    for at in (1000, 40_000, 90_000):
        assert sounds.delay_of(direct, gated[:, 0], at) == pytest.approx(stated, abs=0.05)
    assert gate.stop() == 130
    assert f"adds {gate.started['latency_ms']:.1f} ms" in gate.log
