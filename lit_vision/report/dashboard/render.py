"""Pages of the dashboard as text: templates filled in, styles, scripts and data placed inside. No torch here."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from lit_vision.report import numbers
from lit_vision.report.dashboard import points, project_page, states, summary

TEMPLATES = Path(__file__).parent / "templates"
GENERATOR = "lit-vision dashboard"
SCRIPTS = ("figures.js", "tables.js", "gallery.js", "page.js")

EVIDENCE = (
    ("E0", "Quoted from the paper."),
    ("E1", "Its parameters are counted and pinned."),
    ("E2", "Its first losses on small invented images of its data set's kind are pinned, and a test pass ran."),
    ("E3", "Its outputs are compared with a public implementation's, or public weights were tested."),
    ("E4", "A claim that joins it with other rows was decided at small scale, either way."),
    ("E5", "It was trained with nothing changed but the hardware."),
)
# `<` would let a name end the script that holds the data; the two separators end a line of JavaScript, not of JSON.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(content: dict[str, Any], stamp: str, root: str = "", follow: int = 0) -> str:
    """A whole page that needs nothing but the drawing library.

    Args:
        content: Of `run_page.content` or `project_page.content`.
        stamp: What the page was made of; see `site.py`.
        root: Link from the page's folder to that of `library_name`: empty, or ending with a slash.
        follow: Seconds after which the page asks its server for news; 0 for a file.
    """
    from markupsafe import Markup

    frame = {"generator": GENERATOR, "stamp": stamp, "follow": follow, "data": Markup(data(content))}
    inside = {"style": _read("style.css"), "script": "\n".join(map(_read, SCRIPTS))}
    frame |= {"library": root + library_name()} | {name: Markup(part) for name, part in inside.items()}
    text: str = _template("page.html").render(content | frame)
    return text


def live(content: dict[str, Any], stamp: str) -> str:
    """What a page that is open takes over: its text and what it draws, as JSON."""
    html = _template(f"{content['kind']}.html").render(content)
    return to_json({"stamp": stamp, "html": html} | _drawn(content))


def data(content: dict[str, Any]) -> str:
    """What a page draws, as JSON that is safe inside of `<script>`."""
    return to_json(_drawn(content))


def to_json(content: Any) -> str:
    """JSON that cannot end the element that holds it, nor hold NaN."""
    text = json.dumps(points.plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    return text


@functools.cache
def edition() -> str:
    """Changes whenever templates, styles, scripts or the drawing library do."""
    files = sorted(TEMPLATES.iterdir())
    content = "".join(file.read_text(encoding="utf-8") for file in files) + library_name()
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _drawn(content: dict[str, Any]) -> dict[str, Any]:
    return {key: content[key] for key in ("figures", "runs", "axes") if key in content}


def _template(name: str) -> Any:
    return _environment().get_template(name)


@functools.cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"identity": id, "json": json.dumps}  # the text is then escaped as any other
    environment.globals |= {
        "number": numbers,
        "tone": summary.tone,
        "links": project_page.link,
        "state": states.label,
        "marks": EVIDENCE,
    }
    return environment


@functools.cache
def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def library() -> str:
    """The drawing library, plotly's script: one file for all pages, 4.8 MB that each would hold otherwise."""
    from plotly import offline

    return f"/* {GENERATOR}: plotly, for the pages beside and below */\n{offline.get_plotlyjs()}"


@functools.cache
def library_name() -> str:
    """Its file's name, another one for another version."""
    import plotly

    return f"plotly-{plotly.__version__}.js"
