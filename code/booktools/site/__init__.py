"""The website: `build.build` makes it, `extension` is what Sphinx loads while it does."""
