# SPDX-License-Identifier: BSD-2-Clause
"""SVG by hand: elements as text, logarithmic scales, and the styles that all plots share.

Colours are classes (m0.. for modes, c0.. for kinds), so that a plot follows the page, light or dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

KINDS = 11  # classes c0..c9, and c10 for all the rest
STYLE = """
svg.plot{--in:#fff;--ink:#1c2024;--soft:#60646c;--line:#dfe2e6;--m0:#60646c;--m1:#0b6bcb;--m2:#d97706;--m3:#0f8a5f;--m4:#b4237a;
--m5:#6d4aff;--c0:#c9d3de;--c1:#0b6bcb;--c2:#d97706;--c3:#0f8a5f;--c4:#b4237a;--c5:#6d4aff;--c6:#0aa5b8;--c7:#a3742b;
--c8:#d2453a;--c9:#7a8c1e;--c10:#8b919a;font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media(prefers-color-scheme:dark){svg.plot{--in:#15171a;--ink:#eceef0;--soft:#a3a8b0;--line:#34383e;--m0:#a3a8b0;--m1:#5cb0ff;
--m2:#ffb04d;--m3:#4fd1a1;--m4:#ff7cc0;--m5:#ab99ff;--c0:#4a525c;--c1:#4a9df0;--c2:#f0a243;--c3:#42bd8f;--c4:#ea6db0;
--c5:#9d8aff;--c6:#3cc3d4;--c7:#c99b55;--c8:#f2776d;--c9:#aebf4a;--c10:#767c85}}
svg.plot text{fill:var(--ink)}svg.plot text.soft{fill:var(--soft)}svg.plot text.small{font-size:11.5px}
svg.plot text.title{font-weight:600}svg.plot text.in{fill:var(--in);font-size:11.5px}
svg.plot .grid{stroke:var(--line);stroke-width:1}svg.plot .base{stroke:var(--soft);stroke-width:1.5}
svg.plot .stem{stroke-width:2;opacity:.45}svg.plot .curve{fill:none;stroke-width:2}
""" + "".join(
    f"svg.plot .m{n}{{fill:var(--m{n})}}svg.plot .s{n}{{stroke:var(--m{n})}}" for n in range(6)
) + "".join(f"svg.plot .c{n}{{fill:var(--c{n})}}" for n in range(KINDS))  # fmt: skip


def attributes(**values: object) -> str:
    """x1=3.14159 becomes ' x1="3.1"'; a trailing underscore goes (class_), another becomes a dash (data_value)."""
    parts = []
    for key, value in values.items():
        text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) and not key.startswith("data_") else str(value)
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{html.escape(text)}"')
    return "".join(parts)


def element(tag: str, *children: str, **values: object) -> str:
    inner = "".join(children)
    return f"<{tag}{attributes(**values)}>{inner}</{tag}>" if inner else f"<{tag}{attributes(**values)}/>"


def text(x: float, y: float, words: str, **values: object) -> str:
    return element("text", html.escape(words), x=x, y=y, **values)


def title(words: str) -> str:
    return element("title", html.escape(words))


def plot(width: float, height: float, label: str, parts: Iterable[str], name: str) -> str:
    return element(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:.0f} {height:.0f}", class_="plot",
        role="img", aria_label=label, data_plot=name,
    )  # fmt: skip


def standalone(plot_text: str) -> str:
    """A plot as a file of its own."""
    head, _, rest = plot_text.partition(">")
    back = '<rect width="100%" height="100%" fill="Canvas"/>'
    scheme = "svg{color-scheme:light dark}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{scheme}{STYLE}</style>{back}{rest}\n'


SHAPES = 6


def mark(n: int, x: float, y: float, inner: str, **values: object) -> str:
    """A mode's mark: modes differ by form as well as by colour."""
    r = 5.0
    forms = {
        1: f"M{x - r:.1f},{y:.1f}a{r},{r} 0 1,0 {2 * r},0a{r},{r} 0 1,0 {-2 * r},0",
        2: f"M{x - r:.1f},{y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        3: f"M{x:.1f},{y - 6.5:.1f}l6.5,6.5l-6.5,6.5l-6.5,-6.5z",
        4: f"M{x:.1f},{y - 6:.1f}l6,11h-12z",
        5: f"M{x:.1f},{y + 6:.1f}l6,-11h-12z",
    }
    form = forms.get(n, f"M{x - 1.5:.1f},{y - 6:.1f}h3v12h-3z")
    return element("path", inner, d=form, class_=f"m{n}", **values)


class Log:
    """A logarithmic scale from values to positions."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start, self._end = start, end
        self._a = math.log(low)
        self._span = math.log(high) - self._a or 1.0

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        return self._start + (math.log(value) - self._a) / self._span * (self._end - self._start)

    def ticks(self, most: int) -> list[float]:
        """1, 2, 5, 10, ... within the scale; fewer a decade where they would be more than `most`."""
        decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            found = [s * 10.0**d for d in decades for s in steps if self.low * 0.999 <= s * 10.0**d <= self.high * 1.001]
            if len(found) <= most:
                return found
        return found[:: len(found) // most + 1]
