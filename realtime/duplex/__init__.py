"""Live sound through the gate: `LiveGate`, in `live.py`.

The sound runs in a process of its own (`sound.py`), thought in this one (`worker.py`). They
share memory (`layout.py`) and nothing else. `docs/life-of-a-block.md` tells why.
"""

BLOCK = 128  # samples, the usual
