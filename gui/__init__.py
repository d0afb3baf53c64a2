"""The control panel, `rt-panel`: the only room that imports PyQt6 (the extra `gui`)."""
