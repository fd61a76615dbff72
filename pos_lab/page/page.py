"""Makes a report in HTML, one file that needs nothing else: no script, no network, no other file.

Rules owned here: everything told is escaped, and loses the characters that no report may show; the policy in the page
allows its own style and no more; every page is framed by ``frame.html.j2`` and begins with the style ``page.css``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pos_lab.scenario.report.wording import printable

_HERE: Final = Path(__file__).parent


def render(
    folder: Path,
    template: str,
    *styles: str,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> str:
    """The page of a template in ``folder``, with styles of that folder; ``language`` is the one shown first."""
    paths = [_HERE / "page.css", *(folder / name for name in styles)]
    style = "".join(path.read_text(encoding="utf-8") for path in paths)
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template).render(style=style, style_digest=digest, **values)


def _finalize(value: Any) -> Any:
    """Applied to all that the page shows: strings lose the characters that no report may show."""
    return printable(value) if type(value) is str else value
