"""Titles of exercises reach the message catalogues, so that a translation can follow.

sphinx-exercise makes its titles of nodes that say neither where they came from nor what they said,
and replaces them before the gettext builder looks.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.gettext import MessageCatalogBuilder, MsgOrigin
from sphinx.util.i18n import docname_to_domain
from sphinx_exercise import directive
from sphinx_exercise.nodes import exercise_subtitle


def _remember_title(exercise: type[directive.ExerciseDirective]) -> None:
    run = exercise.run

    def run_and_remember(self: directive.ExerciseDirective) -> list[nodes.Node]:
        made = run(self)
        for node in made:
            for title in node.findall(exercise_subtitle):
                title.source = self.env.doc2path(self.env.docname)
                title.line = self.lineno
                title.rawsource = self.arguments[0]
        return made

    exercise.run = run_and_remember  # type: ignore[method-assign]


def extract_exercise_titles(app: Sphinx, doctree: nodes.document) -> None:
    if not isinstance(app.builder, MessageCatalogBuilder):
        return
    domain = docname_to_domain(app.env.docname, app.config.gettext_compact)
    for title in doctree.findall(exercise_subtitle):
        app.builder.catalogs[domain].add(title.rawsource, MsgOrigin(title.source, title.line))


def setup(app: Sphinx) -> None:
    if not hasattr(directive.ExerciseDirective, "_llmbook_patched"):
        directive.ExerciseDirective._llmbook_patched = True
        _remember_title(directive.ExerciseDirective)
    app.connect("doctree-read", extract_exercise_titles)
