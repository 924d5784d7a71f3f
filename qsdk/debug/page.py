"""One HTML file with tables and small plots: plain text, inline SVG, no scripts, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 110em; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ddd; padding: 3px 10px; text-align: left; white-space: nowrap; }
th { position: sticky; top: 0; background: #f4f4f4; }
td.number { text-align: right; }
tr.bad td { background: #fde4e4; } tr.poor td { background: #fff4d6; }
svg { display: block; } svg text { font-size: 10px; fill: #555; }
.legend i { display: inline-block; width: 1em; height: .8em; margin: 0 .3em 0 1em; }
"""
FLOAT_COLOR, QUANTIZED_COLOR = "#9ab8d8", "#d9713c"


class Markup(str):
    """Text of a cell that is HTML already."""

    __slots__ = ()


def _cell(text: str) -> str:
    if isinstance(text, Markup):
        return f"<td>{text}</td>"
    number = text[:1].isdigit() or text[:1] == "-" and text[1:2].isdigit()
    return f'<td class="number">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str]) -> str:
    """Rows of cells; each row has a class: '', 'poor' or 'bad'."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join(
        f'<tr class="{kind}">{"".join(map(_cell, row))}</tr>' for kind, row in zip(classes, rows, strict=True)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def section(title: str, summary: str, content: str) -> str:
    """A headline, a line of text, and HTML."""
    return f"<h2>{escape(title)}</h2>\n<p>{escape(summary)}</p>\n{content}\n"


def page(title: str, *sections: str) -> str:
    """The whole file."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{''.join(sections)}</body></html>\n"
    )


def bar(share: float, color: str, width: int = 120) -> Markup:
    """A horizontal bar of `share` (0..1) of the width."""
    length = round(max(0.0, min(1.0, share)) * width)
    return Markup(
        f'<svg width="{width}" height="10"><rect width="{width}" height="10" fill="#eee"/>'
        f'<rect width="{length}" height="10" fill="{color}"/></svg>'
    )


def histogram(
    low: float,
    high: float,
    behind: Sequence[float],
    front: Sequence[float],
    marks: Sequence[float] = (),
    width: int = 260,
    height: int = 46,
) -> Markup:
    """Two distributions over the same bins of low..high: filled areas behind, an outline in front.

    Args:
        behind, front: a height for each bin, 0..1
        marks: where vertical lines stand, in units of low and high
    """
    step = width / len(behind)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{height * (1 - h):.1f}" width="{step:.1f}" height="{height * h:.1f}"/>'
        for i, h in enumerate(behind)
        if h > 0
    )
    points = " ".join(f"{(i + side) * step:.1f},{height * (1 - h):.1f}" for i, h in enumerate(front) for side in (0, 1))
    lines = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>'
        for x in (width * (mark - low) / ((high - low) or 1.0) for mark in marks)
    )
    return Markup(
        f'<svg width="{width}" height="{height + 12}"><g fill="{FLOAT_COLOR}">{bars}</g>'
        f'<polyline points="{points}" fill="none" stroke="{QUANTIZED_COLOR}"/>'
        f'<g stroke="#555" stroke-dasharray="2 2">{lines}</g>'
        f'<text x="0" y="{height + 10}">{low:.4g}</text>'
        f'<text x="{width}" y="{height + 10}" text-anchor="end">{high:.4g}</text></svg>'
    )


def legend() -> str:
    """What the colours of a histogram mean."""
    return (
        f'<p class="legend"><i style="background:{FLOAT_COLOR}"></i>float<i style="background:{QUANTIZED_COLOR}"></i>'
        "quantized; heights are logarithmic, dashed lines the ends of the representable range</p>"
    )
