"""Cutting recordings into parts that a provider takes. Runs only in the sandboxed child process."""

from pathlib import Path

from app.ingestion.tools import FFMPEG, find, run

PART_SECONDS = 600
"""Length of a part: ten minutes of speech are 5 MB at the bit rate below."""


def split(source: Path, folder: Path, seconds: float) -> None:
    """The sound of `source` as `000.mp3`, `001.mp3` … of `PART_SECONDS` each, one channel, 64 kbit/s."""
    command = [
        find(FFMPEG) or FFMPEG, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-i", str(source),
        "-map", "0:a:0", "-vn", "-ac", "1", "-ar", "16000", "-b:a", "64k", "-threads", "1",
        "-f", "segment", "-segment_time", str(PART_SECONDS), "-reset_timestamps", "1", str(folder / "%03d.mp3"),
    ]  # fmt: skip
    run(command, seconds)
