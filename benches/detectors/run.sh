#!/usr/bin/env bash
# Each detector's time to fit 2,480 rows of 6 columns and to score a row, beside PyOD's in the same
# run: benches/detectors/run.sh [FOLDER]. The folder keeps a Python environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-target/detectors}
mkdir -p "$work"
if [ ! -x "$work/python/bin/python" ]; then
  python3 -m venv "$work/python"
  "$work/python/bin/pip" install --quiet pyod==2.0.6
fi
cargo bench --quiet --bench detectors > "$work/ours.csv"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$work/python/bin/python" benches/detectors/peers.py > "$work/peers.csv"
python3 - "$work/ours.csv" "$work/peers.csv" <<'PY'
import csv, sys
ours, peers = ({r["detector"]: r for r in csv.DictReader(open(p))} for p in sys.argv[1:])
print("| detector | fit, ms | PyOD | times | score a row, µs | PyOD | times |")
print("|---|---|---|---|---|---|---|")
for kind in [*ours, *(k for k in peers if k not in ours)]:
    cells = [kind]
    for column in ("fit_ms", "score_us_a_row"):
        here = ours.get(kind, {}).get(column)
        there = peers.get(kind, {}).get(column)
        ratio = f"{float(there) / float(here):.0f}" if here and there and float(here) else ""
        cells += [here or "", there or "", ratio]
    print("| " + " | ".join(cells) + " |")
PY
