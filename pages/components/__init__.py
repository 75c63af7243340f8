"""Building blocks: a few fat components in plain JavaScript, and small helpers in Python."""
