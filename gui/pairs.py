"""`Pairs`: the settings of each pair of devices, kept and given back."""

from __future__ import annotations

from typing import Any

from gui.store import Store

KEY = "pairs"
MOST = 50  # pairs; the one not used for longest is forgotten
DEVICES = ("device", "output_device", "virtual_mic")
KEPT = (  # of a pair
    *("level", "model", "threshold", "hysteresis", "threshold_db", "close_db", "range_db"),
    *("lookahead_ms", "attack_ms", "hold_ms", "release_ms", "key_highpass", "key_lowpass"),
    "duck",
)
TUNED = {"threshold", "hysteresis"}  # belong to one model: another has its own


class Pairs:
    """Settings by pair of devices.

    Args:
        store: where they are kept.
        place: of a gate elsewhere, whose devices are not ours; empty for this machine.
    """

    def __init__(self, store: Store, place: str = "") -> None:
        self._store = store
        self._key = f"{KEY} {place}".strip()
        self._last = f"devices {place}".strip()

    def devices(self) -> dict[str, str]:
        """The devices that were used last."""
        last = self._store.get(self._last, {})
        return {name: str(last.get(name, "")) for name in DEVICES}

    def settings(self, devices: dict[str, Any]) -> dict[str, Any]:
        """What was set for these devices."""
        found = self._store.get(self._key, {}).get(_key(devices), {})
        if not isinstance(found, dict):
            return {}
        return {name: value for name, value in found.items() if name in KEPT}

    def keep(self, devices: dict[str, Any], changed: dict[str, Any]) -> None:
        """Remember changes for these devices, and that they were used last."""
        key, pairs = _key(devices), dict(self._store.get(self._key, {}))
        own = dict(self.settings(devices))
        pairs.pop(key, None)  # the newest is last
        if {"model", "level"} & changed.keys() - {n for n in own if own[n] == changed.get(n)}:
            own = {name: value for name, value in own.items() if name not in TUNED}
        own |= {name: value for name, value in changed.items() if name in KEPT}
        pairs[key] = {name: value for name, value in own.items() if value is not None}
        while len(pairs) > MOST:
            pairs.pop(next(iter(pairs)))
        self._store.put(self._key, pairs)
        self._store.put(self._last, {name: devices.get(name, "") for name in DEVICES})

    def forget(self, devices: dict[str, Any]) -> None:
        """Back to the defaults for these devices."""
        pairs = dict(self._store.get(self._key, {}))
        pairs.pop(_key(devices), None)
        self._store.put(self._key, pairs)


def _key(devices: dict[str, Any]) -> str:
    virtual = devices.get("virtual_mic") or ""
    played = f"virtual {virtual}" if virtual else devices.get("output_device") or ""
    return f"{devices.get('device') or ''} > {played}"
