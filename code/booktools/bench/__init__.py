"""Measurements behind the book's claims about speed: `python -m booktools bench SUBJECT`."""
