"""The built-in embedding model, multilingual-e5-small: works offline, in a process of its own, only while needed."""

NAME = "multilingual-e5-small"
DIMENSIONS = 384
MAX_TOKENS = 512
