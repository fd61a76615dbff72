"""One page of the handbook: what it is about, the tables that it comes from, and what it shows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pos_lab.handbook.markdown import codes, sections


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the repository and the names in it that a page is made from."""

    file: str
    tables: tuple[str, ...]

    def told(self, root: str) -> str:
        """The names with a link to the file; ``root`` leads from the page to the root of the repository."""
        return f"{codes(self.tables)} in [{self.file}]({root}{self.file})"


@dataclass(frozen=True, slots=True)
class Page:
    """A row of PAGES. ``about`` begins a sentence that goes on with the sources; ``root`` leads to the repository's."""

    title: str
    about: str
    sources: tuple[Source, ...]
    body: Callable[[], str]
    root: str = "../../"

    def render(self) -> str:
        """The page as Markdown."""
        told = " and ".join(source.told(self.root) for source in self.sources)
        return sections(f"# {self.title}", f"{self.about}, from {told}; generated: do not edit.", self.body())
