"""The control socket: a gate that is watched and set by other programs. See docs/control.md.

`rt-gate --control` serves it. `protocol.py` has the lines and their bounds, `server.py` the
socket, `peer.py` one of its clients, `desk.py` what each request does, `host.py` the gate,
which is started anew for what cannot be steered. `runfile.py` says where it listens, and
`client.py` is the other side. Only loopback, and only for who knows the token.
"""
