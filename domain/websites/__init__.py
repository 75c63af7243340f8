"""Websites: sites whose pages are kept as knowledge, read anew on a schedule."""
