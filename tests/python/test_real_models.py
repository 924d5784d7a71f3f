"""torchvision's and timm's own definitions through graph mode: they quantize, and export."""

import pytest
import real_models
import torch

CASES = [(library, name) for library, models in real_models.MODELS.items() for name in models]


@pytest.mark.slow
@pytest.mark.parametrize("library, name", CASES, ids=[f"{library}-{name}" for library, name in CASES])
def test_a_model(library, name):
    torch.set_num_threads(1)
    result = real_models.measure(library, name)
    assert result.capture == ("export" if name == "mobilevit_xxs" else "fx")
    # Random weights: networks of 50 to 100 layers without training amplify what is rounded.
    assert result.sqnr is not None and result.sqnr > 15
    assert result.error is None and result.identical
