"""The memory of all processes when nobody does anything: proportional set size, which counts shared pages once."""

import time

from benchmarks.installation import Installation, arguments, proportional_memory, row


def kind_of(command: list[str]) -> str:
    """Which part of the product a process is."""
    for word, kind in (("serve", "server"), ("work", "worker"), ("app.ai.embedding.server", "embedding")):
        if word in command:
            return kind
    return "valkey"


def main() -> None:
    chosen = arguments(__doc__, settle=(30, 3))
    with Installation() as installation:
        with installation.client() as client:
            client.get("/api/v1/users/me/").raise_for_status()
        time.sleep(chosen.settle)
        parts: dict[str, float] = {}
        for process in installation.family():
            kind = kind_of(process.cmdline())
            parts[f"{kind}_MB"] = parts.get(f"{kind}_MB", 0) + proportional_memory(process) / 1e6
        row("idle memory", all_MB=sum(parts.values()), processes=len(installation.family()), **parts)


if __name__ == "__main__":
    main()
