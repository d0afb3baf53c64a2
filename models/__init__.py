"""The torch networks, and nothing else: no audio, no files but checkpoints, no training."""
