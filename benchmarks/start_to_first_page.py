"""From starting the program to the first page, on an empty folder and on one in use."""

from benchmarks.installation import Installation, arguments, model_folder, quantile, row


def main() -> None:
    chosen = arguments(__doc__, times=(5, 1))
    model_folder()
    empty, used = [], []
    for _ in range(chosen.times):
        installation = Installation(set_up=False)
        try:
            empty.append(installation.start("/"))
            installation.halt()
            used.append(installation.start("/"))
        finally:
            installation.stop()
    for name, values in (("empty folder", empty), ("folder in use", used)):
        row(f"start to first page, {name}", median_s=quantile(values, 0.5), worst_s=max(values), starts=len(values))


if __name__ == "__main__":
    main()
