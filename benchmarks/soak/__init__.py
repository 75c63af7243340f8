"""Work and accidents over a long time: see `__main__`."""
