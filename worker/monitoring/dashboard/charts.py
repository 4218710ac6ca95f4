"""Charts as SVG, drawn on the server; colours come from the style sheet."""

from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH = 300
_HEIGHT = 60


def line_chart(values: Sequence[float], label: str) -> Markup:
    """Return a line from the oldest to the newest value, from zero to the greatest; `label` says what they are."""
    top = max([*values, 1.0])
    step = _WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{position * step:.1f},{_HEIGHT - 1 - value / top * (_HEIGHT - 2):.1f}"
        for position, value in enumerate(values)
    )
    now = f"{values[-1]:,.4g}" if values else "nothing yet"
    words = escape(f"{label}: {now}, at most {top:,.4g}")
    return Markup(  # noqa: S704 (numbers, and an escaped label)
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}"><polyline points="{points}"/></svg>'
    )
