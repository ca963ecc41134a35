"""The picture of ten years in ``docs/images``: what each way of keeping has cost by the end of each month, as SVG."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from html import escape

from bench.years.laptop import laptop_setups
from bench.years.photos import photo_setups
from bench.years.setups import TenYears
from chalicelib.domain.costs.price_table import PriceTable

WIDTH, HEIGHT = 980, 440
PLOT_WIDTH, PLOT_HEIGHT = 250, 300
TOP, LABEL_HEIGHT = 84, 17
MOST_USD = 200
YEARS = 10


@dataclasses.dataclass(frozen=True)
class PlotLine:
    """``number`` of the set-up in its pile, the short name, and the style."""

    number: int
    name: str
    style: str


@dataclasses.dataclass(frozen=True)
class Plot:
    """One pile of files; ``beyond`` says what is too dear for the picture."""

    title: str
    left: int
    setups: Sequence[TenYears]
    lines: tuple[PlotLine, ...]
    beyond: str


def panels(table: PriceTable) -> tuple[Plot, Plot]:
    laptop, photos = laptop_setups(), photo_setups()
    laptop_lines = (
        PlotLine(8, "panicroom, never approved", "ours never"),
        PlotLine(0, "script, quarterly fulls", "script"),
        PlotLine(3, "duplicity, keeps two", "duplicity"),
        PlotLine(6, "panicroom, Instant", "ours"),
        PlotLine(4, "like restic", "restic"),
        PlotLine(7, "panicroom, Deep Archive", "ours deep"),
    )
    photo_lines = (
        PlotLine(3, "like restic", "restic"),
        PlotLine(2, "duplicity, keeps two", "duplicity"),
        PlotLine(5, "sync, folders renamed", "sync renamed"),
        PlotLine(6, "panicroom", "ours"),
        PlotLine(4, "sync, not encrypted", "sync"),
    )
    no_rule = f"The script whose rules match no file: ${laptop[2].cost(table):,.0f}"
    script = f"The script: ${photos[0].cost(table):,.0f}; where its rules match no file: ${photos[1].cost(table):,.0f}"
    return (
        Plot("A laptop, 50 GB and 5 more a year", 52, laptop, laptop_lines, no_rule),
        Plot("Photos, 200 GB and 30 more a year", 542, photos, photo_lines, script),
    )


def ten_years_picture(table: PriceTable) -> str:
    parts = [HEAD_OF_SVG.format(width=WIDTH, height=HEIGHT, region=table.region)]
    for panel in panels(table):
        parts += _axes(panel)
        labels = []
        for line in panel.lines:
            sums = panel.setups[line.number].cumulative(table)
            points = " ".join(
                f"{_x(panel, index + 1, len(sums)):.1f},{_y(amount):.1f}" for index, amount in enumerate(sums)
            )
            parts.append(
                f'  <polyline class="line {line.style}" points="{panel.left},{_y(Decimal(0))} {points}"/>'
            )
            labels.append((_y(sums[-1]), line, sums[-1]))
        parts += _labels(panel, labels)
    return "\n".join([*parts, "</svg>", ""])


def _axes(panel: Plot) -> list[str]:
    right = panel.left + PLOT_WIDTH
    parts = [f'  <text class="name" x="{panel.left}" y="62">{escape(panel.title)}</text>']
    for usd in range(0, MOST_USD + 1, 50):
        y = _y(Decimal(usd))
        parts.append(f'  <path class="grid" d="M{panel.left} {y:.1f}H{right}"/>')
        parts.append(f'  <text class="small end" x="{panel.left - 7}" y="{y + 4:.1f}">${usd}</text>')
    for year in range(0, YEARS + 1, 2):
        x = panel.left + PLOT_WIDTH * year / YEARS
        parts.append(f'  <text class="small middle" x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 18}">{year}</text>')
    parts.append(
        f'  <text class="small" x="{panel.left}" y="{TOP + PLOT_HEIGHT + 42}">{escape(panel.beyond)}</text>'
    )
    return parts


def _labels(panel: Plot, labels: list[tuple[float, PlotLine, Decimal]]) -> list[str]:
    """At the ends of the lines, from the bottom up, each above the one before."""
    parts, lowest = [], float(TOP + PLOT_HEIGHT)
    for y, line, amount in sorted(labels, key=lambda label: -label[0]):
        lowest = min(y, lowest)
        x = panel.left + PLOT_WIDTH + 8
        text = f"{escape(line.name)} ${amount:.0f}"
        parts.append(f'  <text class="label {line.style}" x="{x}" y="{lowest + 4:.1f}">{text}</text>')
        lowest -= LABEL_HEIGHT
    return parts


def _x(panel: Plot, number: int, count: int) -> float:
    return panel.left + PLOT_WIDTH * number / count


def _y(amount: Decimal) -> float:
    return TOP + PLOT_HEIGHT * (1 - float(amount) / MOST_USD)


HEAD_OF_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description">
  <title id="title">What ten years of backups cost</title>
  <desc id="description">Two charts of money spent over ten years, at the prices of {region}. The same sums stand in the
    tables of the document.</desc>
  <style>
    .paper {{ fill: #fbfaf7; }}
    .grid {{ stroke: #ddd8ca; stroke-width: 1; }}
    text {{ font: 14px system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; fill: #26241f; }}
    .name {{ font-size: 16px; font-weight: 600; }}
    .small {{ font-size: 12.5px; fill: #55513f; }}
    .end {{ text-anchor: end; }}
    .middle {{ text-anchor: middle; }}
    .label {{ font-size: 12.5px; }}
    .line {{ fill: none; stroke-width: 1.8; }}
    .line.ours {{ stroke: #2c7355; stroke-width: 3.2; }}
    .line.never {{ stroke-width: 2; stroke-dasharray: 6 4; }}
    .line.script {{ stroke: #a14a2a; }}
    .line.duplicity {{ stroke: #946312; }}
    .line.restic {{ stroke: #2f6aa3; }}
    .line.sync {{ stroke: #77508f; }}
    .line.renamed {{ stroke-dasharray: 5 4; }}
    .label.ours {{ fill: #2c7355; font-weight: 700; }}
    .label.never {{ font-weight: 400; }}
    .label.script {{ fill: #a14a2a; }}
    .label.duplicity {{ fill: #946312; }}
    .label.restic {{ fill: #2f6aa3; }}
    .label.sync {{ fill: #77508f; }}
    @media (prefers-color-scheme: dark) {{
      .paper {{ fill: #1d1c19; }}
      .grid {{ stroke: #3b392f; }}
      text {{ fill: #efece2; }}
      .small {{ fill: #b9b39f; }}
      .line.ours {{ stroke: #6fb596; }}
      .line.script {{ stroke: #e08a66; }}
      .line.duplicity {{ stroke: #d6a550; }}
      .line.restic {{ stroke: #7db2e6; }}
      .line.sync {{ stroke: #c39ddb; }}
      .label.ours {{ fill: #6fb596; }}
      .label.script {{ fill: #e08a66; }}
      .label.duplicity {{ fill: #d6a550; }}
      .label.restic {{ fill: #7db2e6; }}
      .label.sync {{ fill: #c39ddb; }}
    }}
  </style>
  <rect class="paper" width="{width}" height="{height}" rx="14"/>
  <text class="small" x="28" y="32">USD spent after so many years, at the prices of {region}</text>"""
