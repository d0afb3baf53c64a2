"""`rt-eval latency`: how long a model takes, and on what.

    judge       the model's file, timed as rt-tag runs it, then read by its runtime's profiler
    by_onnx     ONNX Runtime's profiler
    by_litert   LiteRT's profiler
    kinds       from operators to kinds of layer
    fresh       a network of the catalogue, with random weights, as a file
    picture     stacked bars

Times are readings. What a runtime does not measure is left out, never worked out from the
multiply-accumulates.
"""
