"""The Sphinx extension of the book: figures, verdicts and front-end files on the built pages."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from seqviz.explore.explorable import EXPLORABLE_MIME
from seqviz.explore.frame import FRAME_MIME
from seqviz.live.live import LIVE_MIME
from seqviz.plots.style import TEMPLATES
from seqviz.verdicts import VERDICT_MIME, Claim, verdict_html

STATIC = Path(__file__).parent / "static"
FOLDER = "seqviz"  # below the site's _static
INLINE = 60_000  # characters; a larger grid becomes a file that loads when the reader comes near

logger = logging.getLogger(__name__)
PLOTLY_MIME = "application/vnd.plotly.v1+json"
OURS = (EXPLORABLE_MIME, VERDICT_MIME, PLOTLY_MIME, FRAME_MIME, LIVE_MIME)


def _script_json(value: Any) -> str:
    """JSON that may stand inside a <script> whatever text it holds."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _script_file(name: str, text: str, grids: Path) -> str:
    """Write JSON text to a script file, which `file://` may read too; return its address."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    grids.mkdir(parents=True, exist_ok=True)
    file = f"{name}-{digest}.js"
    (grids / file).write_text(f"seqvizGrid({_script_json(name)},{text});", encoding="utf-8")
    return f"grids/{file}"


def figure_html(spec: dict, grids: Path) -> str:
    """One figure as HTML; a large grid goes to a script file in `grids`."""
    packed = spec.pop("packed")
    for name, content in packed.get("files", {}).items():  # loaded when the reader asks for it
        packed["files"][name] = {"source": _script_file(name, _script_json(content), grids)}
    text = _script_json(packed)
    if len(text) > INLINE:
        spec = {**spec, "source": _script_file(spec["name"], text, grids)}
    else:
        spec = {**spec, "packed": packed}
    height = sum(f["layout"].get("height", 380) for f in packed["figures"])
    caption = html.escape(spec["caption"])
    return (
        f'<figure class="sv-figure" id="{html.escape(spec["name"])}" '
        f'style="--sv-height:{height}px"><div class="sv-waiting"></div>'
        f"<figcaption>{caption}</figcaption>"
        "<noscript><p>This figure needs JavaScript, which is switched off.</p></noscript>"
        f'<script type="application/json">{_script_json(spec)}</script></figure>'
    )


def frame_html(spec: dict, grids: Path) -> str:
    """One frame as HTML; its document goes to a script file in `grids`."""
    name, caption, size = spec["name"], html.escape(spec["caption"]), spec["size"]
    source = _script_file(name, _script_json(spec["content"]), grids)
    return (
        f'<figure class="sv-frame" id="{html.escape(name)}" data-source="{source}">'
        f'<iframe sandbox="allow-scripts" title="{caption}" style="{html.escape(size)}"></iframe>'
        f"<figcaption><span>{caption}</span></figcaption>"
        "<noscript><p>This figure needs JavaScript, which is switched off.</p></noscript></figure>"
    )


class FigureRenderer:
    """Turns explorables, plain plotly figures and verdicts into what the page draws."""

    mime_priority_overrides: ClassVar = [
        ("html", EXPLORABLE_MIME, 1),
        ("html", VERDICT_MIME, 2),
        ("html", PLOTLY_MIME, 3),
        ("html", FRAME_MIME, 4),
        ("html", LIVE_MIME, 5),
    ]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """What myst-nb asks for each output of a cell: its nodes, or None if it is not ours."""
        if inline or data.mime_type not in OURS:
            return None
        env = renderer.renderer.sphinx_env
        content = json.loads(data.content) if isinstance(data.content, str) else data.content
        if data.mime_type == VERDICT_MIME:
            verdicts = env.seqviz_verdicts.setdefault(env.docname, {})
            verdicts[content["claim"]] = content
            return [nodes.raw("", verdict_html(content), format="html")]
        names = env.seqviz_names.setdefault(env.docname, [])
        if data.mime_type == PLOTLY_MIME:
            content = _plain_figure(content, f"figure-{len(names) + 1}")
        if content["name"] in names:
            raise ExtensionError(f"{env.docname} has two figures named {content['name']!r}.")
        names.append(content["name"])
        grids = Path(env.app.outdir) / "_static" / FOLDER / "grids"
        draw = frame_html if data.mime_type == FRAME_MIME else figure_html
        return [nodes.raw("", draw(content, grids), format="html")]


def _plain_figure(figure: dict, name: str) -> dict:
    """An ordinary plotly figure in a cell, as a figure without controls."""
    layout = {k: v for k, v in figure.get("layout", {}).items() if k != "template"}
    packed = {"figures": [{"data": figure["data"], "layout": layout}], "sizes": [], "slots": []}
    title = layout.get("title") or {}
    caption = title.get("text", "") if isinstance(title, dict) else str(title)
    return {"name": name, "caption": caption, "controls": [], "packed": packed}


def _begin(app: Sphinx) -> None:
    if not (STATIC / "page.js").is_file():
        raise ExtensionError("The front-end files are not built: run `make front`.")
    app.add_js_file(f"{FOLDER}/style-templates.js", loading_method="defer")
    app.add_js_file(f"{FOLDER}/page.js", loading_method="defer")
    app.add_css_file(f"{FOLDER}/style.css")


def _environment(app: Sphinx, env: Any, _docnames: Any) -> None:
    env.seqviz_names = {}
    env.seqviz_verdicts = {}
    env.seqviz_done = 0


def _progress(app: Sphinx, docname: str, _source: list[str]) -> None:
    env = app.env
    env.seqviz_done += 1
    total = len(env.found_docs)
    logger.info("\n[%d/%d] running %s", env.seqviz_done, total, docname, color="blue")


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is not None:
        return
    folder = Path(app.outdir) / "_static" / FOLDER
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    text = f"globalThis.seqvizTemplates={_script_json(TEMPLATES)};"
    (folder / "style-templates.js").write_text(text, encoding="utf-8")
    # The theme's stylesheet draws every icon from its fonts. This script, a third of a first visit,
    # would only draw them once more.
    icons = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if not icons.is_file():
        raise ExtensionError("The theme no longer has the script of icons that we leave out.")
    icons.write_text("", encoding="utf-8")


def _fill_claims(app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any) -> None:
    """Write each verdict that a chapter measured into the table of claims."""
    body = context.get("body")
    if not body or "data-claim=" not in body:
        return
    for docname, verdicts in app.env.seqviz_verdicts.items():
        for claim, verdict in verdicts.items():
            link = app.builder.get_relative_uri(context["pagename"], docname) + f"#verdict-{claim}"
            cell = f'<a href="{html.escape(link)}">{html.escape(verdict["level"])}</a>'
            body = body.replace(Claim.placeholder(claim), Claim.placeholder(claim, cell))
    context["body"] = body


def _name_references(_app: Sphinx, _page: str, _template: str, context: dict, _doc: Any) -> None:
    """Give the references the role that a list has for its items; docutils' own is deprecated."""
    if body := context.get("body"):
        context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("builder-inited", _begin)
    app.connect("env-before-read-docs", _environment)
    app.connect("source-read", _progress)
    app.connect("html-page-context", _fill_claims)
    app.connect("html-page-context", _name_references)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
