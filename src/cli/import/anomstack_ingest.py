"""Runs an Anomstack ingest function and prints what it gives as one JSON object a line.

Usage: python3 anomstack_ingest.py FILE, where FILE defines ingest() without arguments, which gives a
pandas DataFrame, or a list of dicts, with metric_timestamp, metric_name and metric_value.
Whatever the function itself prints goes to standard error.
"""

import contextlib
import json
import logging
import math
import sys
import types

COLUMNS = ("metric_timestamp", "metric_name", "metric_value")


def stand_in_for_dagster():
    """Functions often take Dagster's logger and nothing else of it."""
    try:
        import dagster  # noqa: F401
    except ImportError:
        module = types.ModuleType("dagster")
        module.get_dagster_logger = lambda name=None: logging.getLogger(name or "ingest")
        sys.modules["dagster"] = module


def rows_of(result):
    """The result's rows as dicts."""
    if hasattr(result, "to_dict"):
        return result.to_dict("records")
    return list(result)


def plain(value):
    """A value that JSON knows: numbers of any library, times as text, missing ones as none."""
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return None if text == "NaT" else text
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def main(path):
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    stand_in_for_dagster()
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    namespace = {"__name__": "anomstack_ingest_fn", "__file__": path}
    with contextlib.redirect_stdout(sys.stderr):
        exec(code, namespace)
        result = namespace["ingest"]()
        rows = rows_of(result)
    for row in rows:
        missing = [name for name in COLUMNS if name not in row]
        if missing:
            sys.exit(f"ingest() gave no {', '.join(missing)}; it gave {', '.join(map(str, row))}")
        print(json.dumps({name: plain(row[name]) for name in COLUMNS}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
