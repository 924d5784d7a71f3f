"""Module families: quantized modules, and the fused float modules that become them."""
