"""What Home Assistant is told, so that its sensors appear by themselves. Used by `mqtt`.

One retained message for each entity, with no more than every version reads; documented under
"MQTT Discovery" in Home Assistant's own documents. A label is a binary sensor; the microphone,
the pace, the clock and what was lost are diagnostics of the same device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Config = dict[str, object]
PROBLEMS = {  # name of a state to what Home Assistant shows and the value that is all right
    "pace": ("Falling behind", "ok"),
    "clock": ("Clock drift", "ok"),
}


def slug(text: str) -> str:
    """A name that topics and Home Assistant accept; empty if nothing is left."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """A slug for each label, no two the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        name = base = slug(label) or "label"
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        found[label] = name
    return found


def discovery(
    prefix: str, base: str, node: str, labels: Mapping[str, str], model: str, version: str
) -> dict[str, Config]:
    """Every entity's discovery topic and message.

    Args:
        prefix: first level of the discovery topics.
        base: topic of this listener.
        node: its name.
        labels: label to slug.
        model: the model's name.
        version: ours.
    """
    device = {
        "identifiers": [f"rt-tag-{node}"],
        "name": node,
        "manufacturer": "rt-tag",
        "model": model,
        "sw_version": version,
    }

    def entity(key: str, name: str, state: str) -> Config:
        return {
            "name": name,
            "unique_id": f"rt-tag_{node}_{key}",
            "state_topic": f"{base}/{state}",
            "availability_topic": f"{base}/availability",
            "device": device,
        }

    found: dict[str, Config] = {}
    for label, name in labels.items():
        found[f"{prefix}/binary_sensor/{node}/label_{name}/config"] = {
            **entity(f"label_{name}", label, f"label/{name}"),
            "device_class": "sound",
        }
    for name, (shown, right) in PROBLEMS.items():
        found[f"{prefix}/binary_sensor/{node}/{name}/config"] = {
            **entity(name, shown, f"health/{name}"),
            "device_class": "problem",
            "entity_category": "diagnostic",
            "value_template": f"{{{{ 'OFF' if value == '{right}' else 'ON' }}}}",
        }
    found[f"{prefix}/sensor/{node}/microphone/config"] = {
        **entity("microphone", "Microphone", "health/microphone"),
        "device_class": "enum",
        "options": ["ok", "silent", "lost"],
        "entity_category": "diagnostic",
    }
    found[f"{prefix}/sensor/{node}/lost/config"] = {
        **entity("lost", "Sound lost", "health/lost_s"),
        "device_class": "duration",
        "unit_of_measurement": "s",
        "state_class": "total_increasing",
        "entity_category": "diagnostic",
    }
    return found
