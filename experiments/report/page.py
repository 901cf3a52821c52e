"""One HTML page: headings, tables and plotly figures, with plotly.js inside or in a file that pages share.

It needs a browser and no network: its content security policy lets it load nothing, from anywhere, but for that one
file beside it. Without the file it has its tables, and says where the figures are. All text passed in
is escaped here, except `Section.html`, which `tables.py` escapes, and `Section.anchor`, which is a name of our own.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from experiments.report.drawing import Drawing
from experiments.whole_file import whole_file

if TYPE_CHECKING:
    import plotly.graph_objects as go

_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'  # as in page.css


@dataclass(frozen=True, slots=True)
class Figure:
    """A plotly figure with a caption.

    Attributes:
        caption: What is drawn, in a few words; shown above the figure and read out to those who cannot see it.
        figure: Ours or plotly's. Its own title and template are dropped; the page has one template for all.
        height: Pixels.
        min_width: Pixels below which it is scrolled sideways instead of being squeezed.
        is_wide: As wide as the page, instead of side by side with its neighbour.
    """

    caption: str
    figure: "Drawing | go.Figure"
    height: int = 360
    min_width: int = 0
    is_wide: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what is below it: `note`, a sentence or two; then `html`, escaped already; then the figures."""

    anchor: str
    title: str
    note: str = ""
    html: str = ""
    figures: Sequence[Figure] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A key number at the top of the page, with its label."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page; `remark` is read before anything else, where there is one."""

    title: str
    subtitle: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    remark: str = ""

    def to_html(self, plotly_js: str | None = None) -> str:
        """The page as text.

        Args:
            plotly_js: Where plotly.js is, a relative path without special characters; None puts its 5 MB into the page.
        """
        from plotly.offline import get_plotlyjs

        is_shared = plotly_js is not None
        return Template(_resource("page.html")).substitute(
            title=html.escape(self.title),
            subtitle=html.escape(self.subtitle),
            remark=f'<p class="remark">{html.escape(self.remark)}</p>' if self.remark else "",
            css=_resource("page.css"),
            tiles="".join(_tile(tile) for tile in self.tiles),
            links="".join(f'<a href="#{s.anchor}">{html.escape(s.title)}</a>' for s in self.sections),
            sections="\n".join(_section(section) for section in self.sections),
            template=_json_for_script(_look()),
            scripts="'unsafe-inline' 'self' file:" if is_shared else "'unsafe-inline'",
            plotly_js=f'<script src="{plotly_js}"></script>' if is_shared else f"<script>{get_plotlyjs()}</script>",
            js=_resource("page.js"),
        )


def share_plotly_js(folder: Path) -> Path:
    """Where plotly.js is, for pages that share it: written into the folder unless this version of it is there."""
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    file = folder / f"plotly-{get_plotlyjs_version()}.min.js"
    if not file.exists():
        with whole_file(file) as script:
            script.write(get_plotlyjs())
    return file


def _tile(tile: Tile) -> str:
    return f"<div><strong>{html.escape(tile.value)}</strong><span>{html.escape(tile.label)}</span></div>"


def _section(section: Section) -> str:
    note = f'<p class="note">{html.escape(section.note)}</p>' if section.note else ""
    figures = "\n".join(_figure(figure) for figure in section.figures)
    grid = f'<div class="figures">{figures}</div>' if figures else ""
    heading = html.escape(section.title)
    return f'<section id="{section.anchor}"><h2>{heading}</h2>{note}{section.html}{grid}</section>'


def _figure(figure: Figure) -> str:
    document = figure.figure.to_plotly_json()
    document["layout"].pop("template", None)  # the page has one for all, see `_look`
    document["layout"].pop("title", None)  # it is the caption
    caption = html.escape(figure.caption)
    return (
        f'<figure class="{"wide" if figure.is_wide else "half"}"><figcaption>{caption}</figcaption>'
        f'<div class="scroll"><div class="plot" role="img" aria-label="{caption}" '
        f'style="height:{figure.height}px;min-width:{figure.min_width}px"></div></div>'
        f'<script type="application/json">{_json_for_script(document)}</script></figure>'
    )


def _look() -> dict[str, Any]:
    """The template of all figures: plotly's white one, legends above, as little margin as the labels need."""
    from plotly.io import templates

    look: dict[str, Any] = templates["plotly_white"].to_plotly_json()
    axis = {"automargin": True, "title": {"standoff": 8}}
    changes = {
        "margin": {"l": 64, "r": 16, "t": 8, "b": 48},
        "legend": {"orientation": "h", "yref": "container", "x": 0, "y": 1, "yanchor": "top", "title": {"text": ""}},
        "font": {"size": 12, "family": _FONT},
        "hoverlabel": {"align": "left"},
        "xaxis": look["layout"]["xaxis"] | axis,
        "yaxis": look["layout"]["yaxis"] | axis,
    }
    return {**look, "layout": look["layout"] | changes}


def _json_for_script(document: object) -> str:
    """JSON that cannot end the script element it is in: plotly escapes every "<"."""
    from plotly.io.json import to_json_plotly

    text: str = to_json_plotly(document)
    assert "<" not in text
    return text


def _resource(name: str) -> str:
    return (resources.files("experiments.report") / name).read_text("utf-8")
