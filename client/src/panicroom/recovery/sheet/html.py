"""A recovery sheet as one self-contained HTML file for the printer: one page of A4 or Letter, in black on white."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from panicroom.recovery.sheet.page import Fact, Page, Step, Way
from panicroom.recovery.sheet.room import FITTING_ROWS, rows_of

_TYPED = re.compile(r"((?:--[a-z-]+|\b[A-Z]=)\S{0,30}(?=[ .]|$))")

STYLE = """
@page { margin: 8mm 12mm; }
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 186mm; padding: 6mm 0; background: #fff; color: #000;
  font: 7.9pt/1.23 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; }
body.dense { font-size: 7.1pt; line-height: 1.17; }
@media print { body { padding: 0; max-width: none; } }
@media screen and (max-width: 200mm) { body { padding: 4mm; } }
header { display: flex; gap: 5mm; align-items: flex-start; }
header > div { flex: 1; min-width: 0; }
h1 { font-size: 2em; line-height: 1.1; margin: 0 0 1mm; overflow-wrap: anywhere; }
h2 { font-size: 1.2em; margin: 1.4mm 0 0.7mm; padding-top: 0.7mm; border-top: 0.5mm solid #000; }
p { margin: 0 0 1mm; }
figure { margin: 0; flex: none; text-align: center; font-size: 0.87em; width: 38mm; }
figure svg { display: block; width: 38mm; height: 38mm; }
dl { margin: 0; display: grid; grid-template-columns: 23mm 1fr; gap: 0.3mm 2mm; }
dl.facts { grid-template-columns: 23mm 1fr 13mm 1fr 11mm 0.6fr; }
dl.facts .wide { grid-column: 2 / -1; }
dt { font-weight: bold; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
dd small, .after { display: block; font-size: 0.9em; color: #333; }
.code { font: bold 12.5pt/1.15 "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace; white-space: nowrap; }
.typed { white-space: nowrap; }
.blank { display: block; height: 4.5mm; border-bottom: 0.3mm solid #000; }
header .blank { height: 6.5mm; }
section dl { grid-template-columns: 12mm 1fr; margin-bottom: 1mm; }
ol { margin: 0; padding: 0; list-style: none; counter-reset: step; }
li { display: grid; grid-template-columns: 4mm 60mm 1fr; gap: 0 2mm; margin-bottom: 0.8mm; break-inside: avoid; }
li > div { min-width: 0; overflow-wrap: anywhere; }
li::before { counter-increment: step; content: counter(step) "."; font-weight: bold; }
pre { margin: 0; padding: 0.5mm 1.5mm; font: 6.8pt/1.2 "DejaVu Sans Mono", Menlo, Consolas, monospace;
  background: #f0f0f0; white-space: pre-wrap; overflow-wrap: anywhere; align-self: start;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body.dense pre { font-size: 6.5pt; line-height: 1.18; }
@media screen and (max-width: 150mm) { header, li { display: block; } dl.facts { grid-template-columns: 23mm 1fr; }
  .code { white-space: normal; } li { margin-bottom: 3mm; } dl.facts .wide { grid-column: 2; } }
"""


def as_html(page: Page) -> str:
    """The whole file. It asks nothing of the network, and runs nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    title = escape(f"Recovery sheet: {page.machine}")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body{_letters(page)}>",
            *_header(page),
            *(part for group in page.groups[1:] for part in _group(group.title, group.facts)),
            *(part for way in page.ways for part in _way(way)),
            "</body></html>\n",
        ]
    )


def _letters(page: Page) -> str:
    """Smaller ones where there is much to say."""
    return ' class="dense"' if rows_of(page) > FITTING_ROWS else ""


def _header(page: Page) -> Iterator[str]:
    """The page's name, its first group, and the QR code beside them."""
    yield f"<header><div><h1>Recovery sheet: {escape(page.machine)}</h1>"
    yield f"<p>{escape(page.opening)}</p>"
    yield from _facts(page.groups[0].facts)
    yield "</div>"
    if page.scanned is not None:
        yield f"<figure>{qr_svg(page.scanned)}{escape(page.printed)}</figure>"
    yield "</header>"


def _group(title: str, facts: tuple[Fact, ...]) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    yield from _facts(facts)


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    kind = ' class="facts"' if any(fact.short for fact in facts) else ""
    yield f"<dl{kind}>"
    for fact in facts:
        note = f"<small>{escape(fact.note)}</small>" if fact.note else ""
        wide = "" if fact.short else ' class="wide"'
        yield f"<dt>{escape(fact.name)}</dt><dd{wide}>{_value(fact)}{note}</dd>"
    yield "</dl>"


def _value(fact: Fact) -> str:
    if fact.value is None:
        return '<span class="blank"></span>'
    return f'<span class="code">{escape(fact.value)}</span>' if fact.typed else escape(fact.value)


def _way(way: Way) -> Iterator[str]:
    yield f"<section><h2>{escape(way.title)}</h2>"
    yield from _facts(way.facts)
    yield "<ol>"
    yield from (f"<li>{_step(step)}</li>" for step in way.steps)
    yield "</ol></section>"


def _step(step: Step) -> str:
    after = f'<span class="after">{_prose(step.after)}</span>' if step.after else ""
    lines = f"<pre>{escape(chr(10).join(step.lines))}</pre>" if step.lines else ""
    return f"<div>{_prose(step.text)}{after}</div>{lines}"


def _prose(text: str) -> str:
    """An option, or a value for a shell, stays in one line, as long as it is short."""
    return _TYPED.sub(r'<span class="typed">\1</span>', escape(text))


def qr_svg(text: str) -> str:
    """A QR code as SVG; Q repairs a quarter of it, for paper that was folded and stained."""
    import segno  # most commands do not need it

    drawn: str = segno.make(text, error="q", micro=False, boost_error=False).svg_inline(
        omitsize=True, border=4, light="#fff"
    )
    return drawn
