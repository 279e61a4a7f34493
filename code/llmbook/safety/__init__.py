"""Toy worlds in which safety training fails (chapters 9 and 10)."""
