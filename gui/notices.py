"""What became of a microphone, or of a model's pace, in words."""

from __future__ import annotations

from gui.i18n import tr
from realtime.outputs import DeviceEvent, Dropped, Pace


def words_of(notice: DeviceEvent | Dropped | Pace) -> tuple[str, str]:
    """A sentence, and its kind: "warn" wants attention. Empty if there is nothing to say."""
    if isinstance(notice, DeviceEvent):
        says = {
            "lost": tr("{name} is gone; it is looked for.", name=notice.name),
            "back": tr("{name} is back.", name=notice.name),
            "silent": tr("{name} gives only zeros: is it muted?", name=notice.name),
            "sounding": tr("{name} sounds again.", name=notice.name),
        }
        bad = notice.state in ("lost", "silent")
        return says.get(notice.state, ""), "warn" if bad else "dim"
    if isinstance(notice, Pace) and notice.state == "behind":
        return tr("The model is slower than the sound: choose a smaller one."), "warn"
    return "", "dim"
