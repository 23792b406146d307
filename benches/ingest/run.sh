#!/usr/bin/env bash
# Measures one ingest end to end (read, validated, stored, committed) through each kind of source,
# from outside, and prints a Markdown table.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: run.sh [--rows N] [--metrics N] [--rounds N] [--only "csv parquet …"] [--venv DIR] [--work DIR]

  --rows N       rows of one ingest (1000000)
  --metrics N    among so many metrics (100)
  --rounds N     measurements of each source; the median is shown (3)
  --only LIST    of csv, parquet, sqlite, postgres, mysql
  --venv DIR     a Python environment with pyarrow, made there if it is missing (parquet only)
  --work DIR     keep the input there and use what is there (else a temporary folder)
  ANOMSTACK      path of the binary (else target/release/anomstack)
  POSTGRES_URL   a database to fill and read, as in postgres://postgres@127.0.0.1:5432/postgres
  MYSQL_URL      the same for MySQL or MariaDB
TEXT
}

note() { printf '%s\n' "run.sh: $*" >&2; }
fail() { note "$*"; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rows=1000000 metrics=100 rounds=3 only="csv parquet sqlite postgres mysql" venv="" work=""
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --rows | --metrics | --rounds | --only | --venv | --work) [[ $# -ge 2 ]] || fail "$1 needs a value" ;;
        *) usage >&2; fail "unknown argument $1" ;;
    esac
    declare "${1#--}=$2"
    shift 2
done
anomstack=${ANOMSTACK:-$here/../../target/release/anomstack}
[[ -x $anomstack ]] || fail "no binary at $anomstack; cargo build --release makes it"
if [[ -z $work ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
work=$(cd "$work" && pwd)
table="anomstack_bench_points"

python() { if [[ -n $venv ]]; then "$venv/bin/python" "$@"; else python3 "$@"; fi; }

make_file() {
    [[ -e $work/$2 ]] || python "$here/make_input.py" "$work" "$rows" "$metrics" "$1"
}

# Makes the input of a source and prints its `[source]` table.
source_of() {
    local query="SELECT timestamp, metric, value FROM"
    case $1 in
        csv | parquet)
            make_file "$1" "points.$1"
            printf 'kind = "file"\npath = "%s"\n' "$work/points.$1" ;;
        sqlite)
            make_file sqlite points.db
            printf 'kind = "sql"\nurl = "sqlite://%s"\nquery = "%s points"\n' "$work/points.db" "$query" ;;
        postgres)
            make_file csv points.csv
            psql -q "$POSTGRES_URL" >&2 <<SQL
DROP TABLE IF EXISTS $table;
CREATE TABLE $table (timestamp timestamptz, metric text, value double precision);
\copy $table FROM '$work/points.csv' CSV HEADER
SQL
            printf 'kind = "sql"\nurl = "%s"\nquery = "%s %s"\n' "$POSTGRES_URL" "$query" "$table" ;;
        mysql)
            make_file csv points.csv
            local server=${MYSQL_URL#mysql://}
            local user=${server%%@*} address=${server#*@}
            local host=${address%%[:/]*} database=${address##*/}
            mariadb --local-infile=1 -h "$host" -u "${user%%:*}" "$database" >&2 <<SQL
DROP TABLE IF EXISTS $table;
CREATE TABLE $table (timestamp datetime, metric varchar(80), value double);
LOAD DATA LOCAL INFILE '$work/points.csv' INTO TABLE $table FIELDS TERMINATED BY ',' LINES TERMINATED BY '\r\n'
  IGNORE 1 LINES (@at, metric, value) SET timestamp = STR_TO_DATE(@at, '%Y-%m-%dT%H:%i:%sZ');
SQL
            printf 'kind = "sql"\nurl = "%s"\nquery = "%s %s"\n' "$MYSQL_URL" "$query" "$table" ;;
    esac
}

# CPU seconds, wall seconds and peak KiB of one ingest into a new project.
measure() {
    local project
    project=$(mktemp -d "$work/project.XXXXXX")
    mkdir -p "$project/config" "$project/metric_batches"
    {
        echo "[source]"
        cat "$work/source.$1"
        echo "timeout = \"10m\""
        echo "max_rows = $((rows + 1))"
    } >"$project/metric_batches/bench.toml"
    /usr/bin/time -f "%U %S %e %M" -o "$project/time" \
        "$anomstack" --config "$project" run bench --job ingest >"$project/log" 2>&1 || {
        cat "$project/log" >&2
        fail "the ingest from $1 failed"
    }
    grep -qE "\b$rows stored" "$project/log" || { cat "$project/log" >&2; fail "$1 did not store $rows rows"; }
    awk '{ print $1 + $2, $3, $4 }' "$project/time"
    rm -rf "$project"
}

if [[ $only == *parquet* && ! -e $work/points.parquet ]]; then
    [[ -n $venv ]] || fail "parquet needs --venv"
    [[ -x $venv/bin/python ]] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q pyarrow; }
fi
echo "| source | rows | CPU s | wall s | rows/s per core | peak MiB |"
echo "|---|--:|--:|--:|--:|--:|"
for kind in $only; do
    [[ $kind != postgres || -n ${POSTGRES_URL:-} ]] || { note "postgres: POSTGRES_URL is not set"; continue; }
    [[ $kind != mysql || -n ${MYSQL_URL:-} ]] || { note "mysql: MYSQL_URL is not set"; continue; }
    source_of "$kind" >"$work/source.$kind"
    for _ in $(seq "$rounds"); do measure "$kind"; done | sort -n |
        awk -v kind="$kind" -v rows="$rows" '{ line[NR] = $0 } END {
            split(line[int((NR + 1) / 2)], m, " ")
            printf "| %s | %d | %.2f | %.2f | %d | %.0f |\n", kind, rows, m[1], m[2], rows / m[1], m[3] / 1024 }'
done
