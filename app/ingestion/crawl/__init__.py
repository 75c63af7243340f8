"""Fetching and reading the pages of websites."""
