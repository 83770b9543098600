"""How the documentation is made: `make docs`."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

project = "gaussmix"
author = "The gaussmix developers"
release = version = metadata.version("gaussmix")
root = Path(__file__).parents[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "_templates",
    "gallery/*.ipynb",
    "gallery/*.py",
    "gallery/*.zip",
    "gallery/*.md5",
    "gallery/*.json",
]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
templates_path = ["_templates"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": str(root / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "gaussmix"
html_static_path = ["_static"]
html_css_files = ["gaussmix.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "gaussmix"},
    "navbar_align": "left",
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {"**": ["page-toc"], "compare": [], "benchmarks": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"quickstart": [], "compare": [], "mathematics": [], "benchmarks": []}
copyright = "the gaussmix developers, BSD-3-Clause"


def leave_out(app, what, name, member, skip, options):
    """Leave out what scikit-learn adds to every estimator, and documents for itself."""
    home = getattr(member, "__module__", None) or ""
    return skip or home.startswith("sklearn") or name.endswith("_request") or None


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", leave_out)
