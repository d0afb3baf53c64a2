"""The noise gate: by level, and by what it has learned to let through."""
