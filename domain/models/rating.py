"""What people say of the answers of a model."""

from dataclasses import dataclass
from datetime import timedelta

RATED = timedelta(days=90)
"""So far back people's thumbs count."""


@dataclass(frozen=True, slots=True)
class Rating:
    """How many of a model's answers people have called good, of so many that were rated."""

    good: int
    rated: int

    @property
    def quality(self) -> float:
        """The chance that the next answer is called good, by Laplace's rule of succession: a half where nothing is known."""
        return (self.good + 1) / (self.rated + 2)


UNRATED = Rating(0, 0)
