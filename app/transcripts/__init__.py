"""Conversations as files. Whatever stands in them is text: nothing in a file runs, loads or leads astray."""
