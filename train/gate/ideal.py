from realtime.gate.ideal import *  # noqa: F403  moves out with its last user
from realtime.gate.ideal import gate_of_levels, hop_levels, ideal_gate, runs  # noqa: F401
