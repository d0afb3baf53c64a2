"""The commands: rt-tag. Flags, printing and exit status live here and nowhere else."""
