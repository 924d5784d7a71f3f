"""Models that other libraries have quantized, taken in with their weights, scales and zero points."""
