"""The Wyoming wake service: satellites and Home Assistant ask it what was heard.

`wire` speaks the protocol, `satellite` makes a source of a satellite's sound, `server` answers.
The protocol is that of the project `wyoming` (OHF-Voice, MIT): a line of JSON, then data and
payload of the lengths it names. It is read here by our own few lines, because a listening port
needs bounds on everything that a stranger may send.
"""
