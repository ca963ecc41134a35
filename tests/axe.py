"""axe-core over HTML pages in a headless Chromium, without a driver: each page in a frame, the findings in the DOM."""

from __future__ import annotations

import dataclasses
import html
import importlib.util
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.local.received_mail import BROWSERS, run_browser

needs_browser = pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)), reason="there is no Chromium here to look at a page with"
)

FRAME_HEIGHT = 6_000
SCHEMES = {"dark": 0, "light": 1}
"""As Chromium numbers them."""

_LOOK = """
addEventListener("load", async () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentWindow, body = page.document.body;
    const script = page.document.createElement("script");
    script.textContent = document.getElementById("axe").textContent;
    page.document.head.append(script);
    const result = await page.axe.run();
    const nodes = (kind) => kind.nodes.map((node) => `${kind.id}: ${node.html.slice(0, 160)} (${node.failureSummary})`);
    found[frame.title] = {
      violations: result.violations.flatMap(nodes),
      passed: result.passes.map((kind) => kind.id),
      is_dark: page.matchMedia("(prefers-color-scheme: dark)").matches,
      background: page.getComputedStyle(body).backgroundColor,
      width: page.document.documentElement.scrollWidth,
    };
  }
  const answer = document.createElement("pre");
  answer.textContent = JSON.stringify(found);
  document.body.replaceChildren(answer);
});
"""


@dataclasses.dataclass(frozen=True)
class Looked:
    """What axe says of a page, and how it was shown: ``background`` as ``rgb(...)``, ``width`` in pixels."""

    violations: list[str]
    passed: list[str]
    is_dark: bool
    background: str
    width: int

    @property
    def brightness(self) -> float:
        """From 0, black, to 1."""
        red, green, blue = map(int, re.findall(r"\d+", self.background)[:3])
        return (red + green + blue) / 765


def look_at(pages: Mapping[str, str], folder: Path, width: int, scheme: str) -> dict[str, Looked]:
    """All of them in one run. Their Content-Security-Policy is left out, which would keep axe from running."""
    frames = "".join(
        f'<iframe title="{name}" style="border:0;width:{width}px;height:{FRAME_HEIGHT}px"'
        f' srcdoc="{html.escape(_without_policy(page))}"></iframe>'
        for name, page in pages.items()
    )
    harness = folder / f"axe-{width}-{scheme}.html"
    harness.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><style>:root { color-scheme: light dark }</style><body>'
        f'{frames}<script id="axe" type="text/plain">{_axe()}</script><script>{_LOOK}</script>',
        encoding="utf-8",
    )
    preferred = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    dumped = run_browser(harness, 1500, 1000, preferred, "--virtual-time-budget=600000", "--dump-dom") or ""
    answer = re.search(r"<pre>(.*?)</pre>", dumped, re.DOTALL)
    assert answer, f"axe said nothing: {dumped[-2000:]}"
    return {name: Looked(**found) for name, found in json.loads(html.unescape(answer[1])).items()}


def _without_policy(page: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)


def _axe() -> str:
    """axe-core itself, out of a package that brings it along; its driver is not installed."""
    package = importlib.util.find_spec("axe_playwright_python")
    origin = package.origin if package else None
    assert origin is not None, "type make install"
    return (Path(origin).parent / "axe.min.js").read_text(encoding="utf-8")
