"""The noise gate: the one that listens to levels, and the one that learned what to let through."""
