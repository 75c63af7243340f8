"""Tables with ruled lines on the pages of a PDF: which text stands in which cell.

Lines that cross make a grid; its cells are what lies between neighbouring lines. Where a line between two columns is missing
in a row, they are one cell. A grid with fewer than two rows or columns, or with hardly any text, is a frame and not a table.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

NEAR = 3.0
"""Points within which lines count as one, and as touching."""
THIN = 2.5
SHORTEST = 6.0
MOST_LINES, MOST_CROSSINGS = 4_000, 250_000
LEAST_FILLED = 0.4
CUTS = 4
"""Lines through more than one word for so many cells are no borders of cells."""
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A ruled line, `at` across (y of a horizontal one), from `low` to `high` along."""

    at: float
    low: float
    high: float


@dataclass(slots=True)
class Grid:
    """Where the lines of a table run; `ys` from the top down, since rows are read so."""

    xs: list[float]
    ys: list[float]
    verticals: list[Line]

    def cell_of(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of a place, None outside."""
        column = _between(self.xs, x)
        row = _between([-each for each in self.ys], -y)
        return None if column is None or row is None else (row, column)

    def first_column(self, row: int, column: int) -> int:
        """The column in which the cell begins that spans this one."""
        middle = (self.ys[row] + self.ys[row + 1]) / 2
        while column > 0 and not any(
            abs(line.at - self.xs[column]) <= NEAR and line.low - NEAR <= middle <= line.high + NEAR
            for line in self.verticals
        ):
            column -= 1
        return column


def _between(places: Sequence[float], value: float) -> int | None:
    if not places[0] <= value <= places[-1]:
        return None
    return min(sum(place <= value for place in places) - 1, len(places) - 2)


def grids(horizontals: Sequence[Line], verticals: Sequence[Line]) -> list[Grid]:
    """The grids that crossing lines make."""
    found = []
    for across, down in _crossing(horizontals, verticals):
        grid = Grid(_distinct(line.at for line in down), _distinct(line.at for line in across)[::-1], down)
        if len(grid.xs) > 2 and len(grid.ys) > 2:
            found.append(grid)
    return found


def _crossing(horizontals: Sequence[Line], verticals: Sequence[Line]) -> Iterator[tuple[list[Line], list[Line]]]:
    """Lines that hang together, group by group."""
    left, right = set(range(len(horizontals))), set(range(len(verticals)))
    while left:
        across, down, new = {left.pop()}, set[int](), True
        while new:
            more = {v for v in right if any(_meet(horizontals[h], verticals[v]) for h in across)}
            down, right = down | more, right - more
            further = {h for h in left if any(_meet(horizontals[h], verticals[v]) for v in more)}
            across, left = across | further, left - further
            new = bool(further)
        yield [horizontals[h] for h in across], [verticals[v] for v in down]


def _meet(across: Line, down: Line) -> bool:
    return (
        across.low - NEAR <= down.at <= across.high + NEAR and down.low - NEAR <= across.at <= down.high + NEAR
    )  # fmt: skip


def _distinct(values: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > NEAR:
            kept.append(value)
    return kept


def lines_of(page: Any) -> tuple[list[Line], list[Line]]:
    """The horizontal and vertical lines that are drawn on a page, edges of thin rectangles among them."""
    from pypdfium2.raw import FPDF_PAGEOBJ_PATH

    across, down = [], []
    paths = islice(page.get_objects(filter=[FPDF_PAGEOBJ_PATH], max_depth=4), MOST_LINES)
    for number, (ax, ay, bx, by) in enumerate(edge for path in paths for edge in _edges(path)):
        if number >= MOST_LINES:
            return [], []
        if abs(ay - by) <= THIN and abs(ax - bx) >= SHORTEST:
            across.append(Line((ay + by) / 2, min(ax, bx), max(ax, bx)))
        elif abs(ax - bx) <= THIN and abs(ay - by) >= SHORTEST:
            down.append(Line((ax + bx) / 2, min(ay, by), max(ay, by)))
    across, down = _joined(across), _joined(down)
    return (across, down) if len(across) * len(down) <= MOST_CROSSINGS else ([], [])


def _joined(lines: Sequence[Line]) -> list[Line]:
    """Pieces of one line put together: tables are often drawn cell by cell."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda each: (each.at, each.low)):
        last = kept[-1] if kept else None
        if last is not None and line.at - last.at <= NEAR / 2 and line.low <= last.high + NEAR:
            kept[-1] = Line(last.at, min(last.low, line.low), max(last.high, line.high))
        else:
            kept.append(line)
    return kept


def _edges(path: Any) -> Iterator[tuple[float, float, float, float]]:
    """The straight edges of a path, as they lie on the page."""
    import ctypes

    from pypdfium2 import raw

    count = raw.FPDFPath_CountSegments(path)
    if not 2 <= count <= MOST_LINES:
        return
    matrix, x, y = path.get_matrix(), ctypes.c_float(), ctypes.c_float()
    start = last = None
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = matrix.on_point(x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO and last is not None:
            yield (*last, *point)
        last = point
        if start is not None and raw.FPDFPathSegment_GetClose(segment):
            yield (*last, *start)
            last = start


def parts_of(page: Any, textpage: Any) -> Iterator[str | Rows]:
    """The text of a page in reading order, with each table as its rows where its first character stands."""
    found = grids(*lines_of(page))
    if not found:
        yield str(textpage.get_text_range())
        return
    owners, tables = _owners(found, textpage)
    first = 0
    for index in range(1, len(owners) + 1):
        if index < len(owners) and owners[index] == owners[first]:
            continue
        owner = owners[first]
        if owner is None:
            yield str(textpage.get_text_range(first, index - first))
        elif tables[owner]:
            yield tables[owner]
            tables[owner] = []
        first = index


def _owners(found: Sequence[Grid], textpage: Any) -> tuple[list[int | None], list[Rows]]:
    """For each character the number of the table it stands in, and the tables."""
    cells: list[dict[tuple[int, int], list[int]]] = [{} for _ in found]
    owners: list[int | None] = []
    for index in range(textpage.count_chars()):
        left, bottom, right, top = textpage.get_charbox(index)
        if right <= left and top <= bottom:
            # What pdfium puts between characters, spaces and line ends, goes with the one before.
            owners.append(owners[-1] if owners else None)
            continue
        owners.append(None)
        for number, (grid, held) in enumerate(zip(found, cells, strict=True)):
            place = grid.cell_of((left + right) / 2, (bottom + top) / 2)
            if place is not None:
                row, column = place
                held.setdefault((row, grid.first_column(row, column)), []).append(index)
                owners[-1] = number
                break
    tables = [_table(grid, held, textpage) for grid, held in zip(found, cells, strict=True)]
    return [None if owner is None or not tables[owner] else owner for owner in owners], tables


def _table(grid: Grid, held: dict[tuple[int, int], list[int]], textpage: Any) -> Rows:
    """The rows of a table; none when it is a frame, whose lines run through words or hold hardly any text."""
    if _cut(held) * CUTS > len(held):
        return []
    rows, columns = len(grid.ys) - 1, len(grid.xs) - 1
    filled = {place: _text(indices, textpage) for place, indices in held.items()}
    written = [
        [filled.get((row, column), "") for column in range(columns)]
        for row in range(rows)
        if any(filled.get((row, column)) for column in range(columns))
    ]
    if len(written) < 2 or sum(bool(text) for text in filled.values()) < LEAST_FILLED * len(written) * columns:
        return []
    used = [column for column in range(columns) if any(row[column] for row in written)]
    return [[row[column] for column in used] for row in written] if len(used) > 1 else []


def _cut(held: dict[tuple[int, int], list[int]]) -> int:
    """How often a word goes on from one cell into the next of its row."""
    cells = {index: place for place, indices in held.items() for index in indices}
    return sum(
        (after := cells.get(index + 1)) is not None and after[0] == row and after[1] != column
        for index, (row, column) in cells.items()
    )


def _text(indices: Sequence[int], textpage: Any) -> str:
    """The text of characters, with what stands between those that follow each other."""
    parts, first = [], 0
    for place in range(1, len(indices) + 1):
        # pdfium puts a space or a line's end, which has no place of its own, between two characters of a cell.
        if place == len(indices) or indices[place] - indices[place - 1] > 3:
            start, end = indices[first], indices[place - 1]
            parts.append(str(textpage.get_text_range(start, end - start + 1)))
            first = place
    return " ".join(" ".join(parts).replace("|", "/").split())
