"""What keeps rt-tag running in a house: watching, systemd, the Wyoming service, privacy.

Called by `realtime.commands`; the outputs to brokers and addresses are in `realtime.outputs`.
"""
