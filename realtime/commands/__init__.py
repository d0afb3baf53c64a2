"""The commands of the edge: each file is one command or a part that several share."""
