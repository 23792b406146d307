#!/usr/bin/env bash
# Measures the pandas + PyOD + DuckDB pipeline and anomstack on the same input, in turns, from
# outside, and prints a Markdown table of medians. See README.md in this folder.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: run.sh [--rounds N] [--metrics "100 1000"] [--only peer|ours] [--venv DIR] [--work DIR] [--cpus LIST]

  --rounds N      measurements of each stage and side (3)
  --metrics LIST  sizes of the input ("100 1000")
  --only SIDE     measure one side
  --venv DIR      make the Python environment there and keep it; made once, reused later
  --work DIR      keep inputs, logs and results.tsv there (else a temporary folder, removed at the end)
  --cpus LIST     pin both sides to these cores with taskset, as in "0"
  ANOMSTACK       path of the binary (else target/release/anomstack)
TEXT
}

note() { printf '%s\n' "run.sh: $*" >&2; }
fail() { note "$*"; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=3 sizes="100 1000" only=both venv="" work="" pin=()
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --rounds | --metrics | --only | --venv | --work | --cpus)
            [[ $# -ge 2 ]] || fail "$1 needs a value" ;;
        *) usage >&2; fail "unknown argument $1" ;;
    esac
    case $1 in
        --rounds) rounds=$2 ;;
        --metrics) sizes=$2 ;;
        --only) only=$2 ;;
        --venv) venv=$2 ;;
        --work) work=$2 ;;
        --cpus) pin=(taskset -c "$2") ;;
    esac
    shift 2
done
[[ $only == both || $only == peer || $only == ours ]] || fail "--only is peer or ours, not $only"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "--rounds is a count, not $rounds"

readonly at=2026-11-01T00:00:00Z
binary=${ANOMSTACK:-$here/../../target/release/anomstack}
# Settings of the caller's own installation must not reach the measured one.
for name in "${!ANOMSTACK@}"; do unset "$name"; done
# One thread for BLAS and OpenMP: the matrices are 2,492 by 6, where more threads only add waiting.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
export NO_COLOR=1 LC_ALL=C

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[[ -n $work ]] || work=$scratch/work
mkdir -p "$work"
work=$(cd "$work" && pwd)
results=$work/results.tsv
: >"$results"

command -v python3 >/dev/null || fail "python3 is missing; it writes the input and the table"
if [[ ! -x /usr/bin/time ]]; then
    note "installing the Debian package time"
    { [[ $EUID -eq 0 ]] && apt-get install -y -q time >"$work/apt.log" 2>&1; } ||
        fail "/usr/bin/time is missing; install the package time (apt-get install time)"
fi

# Sets $python to an interpreter that has the peer's packages, or says why there is none.
prepare_peer() {
    [[ -n $venv ]] || venv=$scratch/venv
    python=$venv/bin/python
    local wanted
    wanted=$(sha256sum <"$here/requirements.txt")
    [[ -f $venv/.installed && $(<"$venv/.installed") == "$wanted" ]] && return 0
    note "installing the peer's packages into $venv"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { note "the pinned packages need Python 3.11 or newer"; return 1; }
    python3 -m venv "$venv" >"$work/pip.log" 2>&1 ||
        { note "cannot make a Python environment (on Debian: apt-get install python3-venv)"; return 1; }
    "$python" -m pip install -q --disable-pip-version-check --retries 1 --timeout 30 \
        -r "$here/requirements.txt" >>"$work/pip.log" 2>&1 ||
        { note "pip could not install the packages; is there a network? $(tail -n 1 "$work/pip.log")"; return 1; }
    printf '%s\n' "$wanted" >"$venv/.installed"
}

sides=()
if [[ $only != ours ]]; then
    if prepare_peer; then sides+=(peer); else note "the peer is not measured"; fi
fi
if [[ $only != peer ]]; then
    if [[ -x $binary ]]; then
        binary=$(realpath "$binary")
        sides+=(ours)
    else
        note "no binary at $binary: build it (cargo build --release) or set ANOMSTACK; ours is not measured"
    fi
fi
[[ ${#sides[@]} -gt 0 ]] || fail "nothing to measure"

# measure SIDE STAGE METRICS ROUND COMMAND...: runs the command and appends its figures.
measure() {
    local side=$1 stage=$2 metrics=$3 round=$4
    shift 4
    local log=$work/$side-$stage-$metrics-$round.log
    if ! ${pin[@]+"${pin[@]}"} /usr/bin/time -q -o "$work/time" -f '%U\t%S\t%e\t%M' "$@" >"$log" 2>&1; then
        note "$side $stage with $metrics metrics failed; its last lines:"
        tail -n 20 "$log" >&2
        exit 1
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$side" "$stage" "$metrics" "$round" "$(<"$work/time")" >>"$results"
}

# run_stage SIDE STAGE METRICS ROUND FOLDER: one stage, or the whole pass, on a data folder.
run_stage() {
    local side=$1 stage=$2 metrics=$3 round=$4 folder=$5
    if [[ $side == peer ]]; then
        measure "$side" "$stage" "$metrics" "$round" "$python" "$here/pipeline.py" --stage "$stage" --dir "$folder" \
            --input "$work/input-$metrics.db" --at "$at"
    elif [[ $stage == pass ]]; then
        measure "$side" "$stage" "$metrics" "$round" \
            "$binary" --config "$folder" run bench --at "$at"
    else
        measure "$side" "$stage" "$metrics" "$round" \
            "$binary" --config "$folder" run bench --at "$at" --job "$stage"
    fi
}

# A fresh data folder: for ours a copy of the project, so that its storage starts empty.
fresh() {
    local side=$1 metrics=$2 folder=$3
    rm -rf "$folder"
    if [[ $side == ours ]]; then cp -r "$work/project-$metrics" "$folder"; else mkdir "$folder"; fi
}

# A stage that trained nothing would be fast: every metric must have its models.
check_models() {
    local side=$1 metrics=$2 folder=$3 wanted found
    if [[ $side == peer ]]; then wanted=$((2 * metrics)); else wanted=$metrics; fi
    found=$(find "$folder" -name '*.pkl' | wc -l)
    [[ $found -eq $wanted ]] || fail "$side left $found model files for $metrics metrics, not $wanted"
}

for metrics in $sizes; do
    note "writing the input of $metrics metrics"
    python3 "$here/make_input.py" --metrics "$metrics" --points 2600 --end "$at" \
        --out "$work/input-$metrics.db" --project "$work/project-$metrics"
    for ((round = 1; round <= rounds; round++)); do
        note "$metrics metrics, round $round of $rounds"
        for side in "${sides[@]}"; do fresh "$side" "$metrics" "$work/$side"; done
        for stage in ingest train score alert; do
            for side in "${sides[@]}"; do run_stage "$side" "$stage" "$metrics" "$round" "$work/$side"; done
        done
        for side in "${sides[@]}"; do
            check_models "$side" "$metrics" "$work/$side"
            fresh "$side" "$metrics" "$work/$side"
        done
        for side in "${sides[@]}"; do
            run_stage "$side" pass "$metrics" "$round" "$work/$side"
            check_models "$side" "$metrics" "$work/$side"
            rm -rf "${work:?}/$side"
        done
    done
done

printf '%s, %s cores, Linux %s, %s; %s rounds; load average at the end %s\n\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(getconf _NPROCESSORS_ONLN)" "$(uname -r)" \
    "$(python3 --version)" "$rounds" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
python3 "$here/report.py" "$results"
