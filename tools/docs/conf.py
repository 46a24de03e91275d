"""Sphinx's settings for `make docs`: the pages of docs/ as a site that needs no network.

Furo brings its own styles and uses the reader's fonts, so a browser asks no third party for
anything. Warnings are errors: a link or an anchor that leads nowhere fails the build.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
ARROW = re.compile(r"(\w+) --> (\w+): (.+)")
sys.path.insert(0, str(ROOT))

project = "robosignal"
author = "the robosignal authors"
# Pygments does not know all of TypeScript; a test has TypeScript itself parse every snippet.
suppress_warnings = ["misc.highlighting_failure"]
html_title = "robosignal"
html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["img"]

# Anchors as Git hosts make them, so that a link works there and here.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Types of other packages, and of the standard library, have no page here.
nitpick_ignore_regex = [("py:.*", r".*")]


class Mermaid(SphinxDirective):
    """A state diagram as a list of its arrows: to draw it, a page would need a script."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return one item for each pair of states, with what leads from one to the other."""
        arrows = [ARROW.fullmatch(line.strip()) for line in self.content]
        items = [f"- {each[1]} → {each[2]}: {each[3]}" for each in arrows if each]
        return self.parse_text_to_nodes("\n".join(items))


class JavaScript(SphinxDirective):
    """The public interface of a module of ours, from its JSDoc: its argument is the path."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return its sections. Raise CalledProcessError if TypeScript cannot read the module."""
        node, modules = (
            Path(sys.executable).parent / "node",
            ROOT / "tests" / "web" / "node_modules",
        )
        read = subprocess.run(  # noqa: S603 - a script of ours, on a module of ours
            [node, ROOT / "tools" / "docs" / "api.mjs", ROOT / self.arguments[0]],
            env=os.environ | {"NODE_PATH": str(modules)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return self.parse_text_to_nodes(read.stdout, allow_section_headings=True)


def _mark_code(*event: Any) -> None:
    """Make a docstring's backticks code, as in the pages; reStructuredText wants two."""
    lines: list[str] = event[-1]
    marked = re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", "\n".join(lines))
    lines[:] = marked.split("\n")


def setup(app: Sphinx) -> None:
    """Add what the pages use besides."""
    # Before napoleon, at 500, which takes a colon in single backticks for the end of a type.
    app.connect("autodoc-process-docstring", _mark_code, priority=400)
    app.add_directive("mermaid", Mermaid)
    app.add_directive("javascript", JavaScript)
