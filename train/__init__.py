"""Fitting and judging models: data, augmentation, recipes, the loop and the metrics."""
