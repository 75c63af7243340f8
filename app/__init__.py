"""The running program: the wiring, and every adapter to the outside world."""

__version__ = "0.1.0"
