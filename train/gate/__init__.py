"""Training of gates: mixtures, ideal gates as labels, and the loop."""
