import os
from datetime import datetime, timedelta

from dagster import get_dagster_logger

try:
    import pandas as pd
except ImportError:
    pd = None


def ingest():
    get_dagster_logger().info("reading the office")
    print("this is not a row")
    base = float(os.getenv("OFFICE_TEMPERATURE", "20"))
    start = datetime(2026, 1, 1)
    rows = [
        {
            "metric_timestamp": start + timedelta(hours=hour),
            "metric_name": kind + " {{ train_max_n }}",
            "metric_value": float("nan") if hour == 3 else base + hour,
        }
        for hour in range(5)
        for kind in ("temperature", "noise")
    ]
    return rows if pd is None else pd.DataFrame(rows)
