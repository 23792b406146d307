"""Prints how many files and bytes are below each folder, as long CSV rows.

A program for a `command` source: rows go to standard output, remarks to standard error.
"""

import csv
import datetime
import os
import sys


def measure(folder):
    """Number of files and their bytes below a folder."""
    n_files = n_bytes = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                n_bytes += os.path.getsize(os.path.join(path, name))
                n_files += 1
            except OSError as error:
                print(f"passed over {name}: {error}", file=sys.stderr)
    return n_files, n_bytes


def main(folders):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    rows = csv.writer(sys.stdout)
    rows.writerow(["timestamp", "metric", "value"])
    for folder in folders:
        n_files, n_bytes = measure(folder)
        rows.writerow([now, f"{folder}/files", n_files])
        rows.writerow([now, f"{folder}/bytes", n_bytes])


if __name__ == "__main__":
    main(sys.argv[1:] or ["."])
