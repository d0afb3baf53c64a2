"""Random filters: stable, unlike one another, and nothing changes where none is drawn."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from train.augment import shaped  # noqa: E402


def test_rows_are_bent_each_in_its_own_way():
    g = torch.Generator().manual_seed(4)
    x = torch.zeros(40, 800)
    x[:, 100] = 1.0
    y = shaped(x, g, 0.5)
    bent = (y != x).any(1)
    assert 8 < bent.sum() < 32
    spectra = torch.fft.rfft(y[bent]).abs().log10() * 20
    assert (spectra.amax(1) - spectra.amin(1)).median() > 3.0  # dB
    assert spectra.abs().max() < 20.0
    assert (spectra[0] - spectra[1]).abs().max() > 1.0
    # it is a filter of the past: what it rings is after the click, and soon over
    assert y[bent][:, :90].abs().max() < 1e-4
    assert y[bent][:, 400:].abs().max() < 1e-4


def test_none_is_drawn():
    x = torch.randn(5, 100)
    assert shaped(x, torch.Generator(), 0.0) is x
