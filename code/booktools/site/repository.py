"""Launch and repository buttons appear only once `_config.yml` has the real address."""

from __future__ import annotations

from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config

PLACEHOLDER_OWNER = "OWNER"
_BUTTONS = (
    "launch_buttons",
    "repository_url",
    "use_repository_button",
    "use_issues_button",
    "use_edit_page_button",
)


def is_real(url: str) -> bool:
    """Whether `url` names a repository: https://host/owner/name, the owner filled in."""
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    return bool(
        parts.scheme == "https" and parts.netloc and len(path) >= 2 and path[0] != PLACEHOLDER_OWNER
    )


def hide_buttons(app: Sphinx, config: Config) -> None:
    options = config.html_theme_options
    if not is_real(options.get("repository_url", "")):
        for button in _BUTTONS:
            options.pop(button, None)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", hide_buttons)
