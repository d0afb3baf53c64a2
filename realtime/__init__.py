"""The edge engine: everything a small computer needs to name or gate sound, without torch."""
