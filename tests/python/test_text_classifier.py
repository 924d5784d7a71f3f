"""The text example, trained for a few epochs: C gives the bytes of the quantized models, and they keep the accuracy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import text_classifier  # noqa: E402


@pytest.mark.slow
def test_languages_of_messages() -> None:
    rows = {row.form: row for row in text_classifier.run(seed=0, epochs=8)}
    float_row = rows.pop("float")
    assert float_row.messages > 4000 and float_row.accuracy > 0.65  # of 32 languages
    assert len(rows) == 3
    for row in rows.values():
        assert row.identical and row.accuracy_in_c == row.accuracy
        # 8 bits change nearly no answer, 4 bits few.
        assert row.accuracy > float_row.accuracy - (0.005 if row.form.startswith("8") else 0.02)
    assert rows["4-bit table, 4-bit linear"].bytes < float_row.bytes / 5


def test_groups_of_letters() -> None:
    assert text_classifier.encode("") == [0] * text_classifier.LENGTH
    encoded = text_classifier.encode("  Ja,\n ja ")
    assert encoded == text_classifier.encode("ja, ja") and len(encoded) == text_classifier.LENGTH
    assert encoded[0] == encoded[4] != 0 and encoded[6:] == [0] * (text_classifier.LENGTH - 6)
    long = text_classifier.encode("x" * 500)
    assert len(long) == text_classifier.LENGTH and torch.tensor(long).max() < text_classifier.BUCKETS
