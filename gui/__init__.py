"""The control panel. Empty in this release: it reserves the room and imports nothing."""
