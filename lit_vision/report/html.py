"""Pages as one HTML file that needs nothing else, opens from disk and follows the reader's light or dark mode."""

from pathlib import Path
from urllib.parse import quote

from lit_vision.report import markdown
from lit_vision.report.document import Document, Link

TEMPLATES = Path(__file__).parent / "templates"


def render(document: Document, beside: Path = Path()) -> str:
    """The page.

    Args:
        document: What it shows; all text is escaped.
        beside: Folder that the file will lie in: links to runs are relative to it.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )

    def href(link: Link) -> str:
        target = markdown.target(link, beside)
        return target if link.is_address else quote(target)

    return environment.get_template("page.html").render(document=document, href=href)
