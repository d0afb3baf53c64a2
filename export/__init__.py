"""From a checkpoint to a verified edge file: ONNX and TFLite, float and int8."""
