"""Judging of gates: evaluation mixtures, figures, rivals, the report."""
