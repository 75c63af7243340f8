"""An installation, or one organisation of it, in one encrypted file: the same form for both databases."""
