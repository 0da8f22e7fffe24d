"""How the documentation is built.

`sphinx-build -W docs build/docs` makes it without running an example; `-D plot_gallery=1` runs them
all, which takes an hour or more.
"""

import importlib
import importlib.metadata
import inspect

project = "skpose"
author = "the skpose developers"
release = importlib.metadata.version("skpose")

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]

# What `__all__` of a module names is public, wherever it is defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections tell the types
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
smartquotes = False  # would join the dashes of options
default_role = "py:obj"  # a link where there is such a name, else as code

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = False
plot_formats = [("png", 120)]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": "from_video_to_poses",
    "plot_gallery": "False",
    "download_all_examples": False,
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skpose"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False


def own_members(name):
    """Return (directive, name) of what a class has that is public and no other package's."""
    module, _, class_name = name.rpartition(".")
    thing = getattr(importlib.import_module(module), class_name)
    found = {}
    for ancestor in thing.__mro__:
        if not ancestor.__module__.startswith("skpose"):
            continue
        for member, value in vars(ancestor).items():
            is_request = member.startswith("set_") and member.endswith("_request")  # scikit-learn's
            if member.startswith("_") or is_request or not inspect.getdoc(getattr(thing, member)):
                continue
            if isinstance(value, property):
                found[member] = "autoproperty"
            elif inspect.isroutine(value):
                found[member] = "automethod"
    return sorted((directive, member) for member, directive in found.items())


def show_constructor(app, what, name, thing, options, signature, returns):
    """Show the parameters of `__init__`, where a class has a `__new__` as well."""
    if what != "class":
        return None
    parameters = inspect.signature(thing).parameters.values()
    bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare)), returns


autosummary_context = {"own_members": own_members}
suppress_warnings = ["config.cache"]  # a function cannot be kept in it


def setup(app):
    app.connect("autodoc-process-signature", show_constructor)
