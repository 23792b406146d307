#!/usr/bin/env bash
# Figures of the store: small objects against plain files, a large copy in bounded memory between a folder and
# a bucket, and a long listing. Needs a release build, and for the bucket an S3 server (ANOMSTACK_TEST_S3_URL).
#   benches/io/run.sh [--large-mib 10240] [--objects 1000] [--keys 100000]
set -euo pipefail
cd "$(dirname "$0")/../.."
large_mib=10240 objects=1000 keys=100000
while [ $# -gt 0 ]; do
  case "$1" in
    --large-mib) large_mib=$2 ;;
    --objects) objects=$2 ;;
    --keys) keys=$2 ;;
    *) echo "unknown: $1" >&2; exit 2 ;;
  esac
  shift 2
done
program=${ANOMSTACK:-target/release/anomstack}
bench=${STORE_BENCH:-target/release/examples/store_bench}
dir=$(mktemp -d "${TMPDIR:-/tmp}/io-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT

echo "== $objects small objects put and got, a folder against plain files with fsync (s, medians of 5)"
"$bench" small "$dir/small" "$objects"

echo "== $keys keys listed (s)"
"$bench" list "$dir/list" "$keys"

if [ -z "${ANOMSTACK_TEST_S3_URL:-}" ]; then
  echo "no bucket: ANOMSTACK_TEST_S3_URL is not set"
  exit 0
fi
url=${ANOMSTACK_TEST_S3_URL#http://}
mkdir -p "$dir/project/config"
cat >"$dir/project/config/anomstack.toml" <<TOML
[storage.profiles.s3]
endpoint = "http://$(echo "${url#*@}" | cut -d/ -f1)"
access_key = "$(echo "$url" | cut -d: -f1)"
secret_key = "$(echo "$url" | cut -d: -f2 | cut -d@ -f1)"
allow_http = true
allow_private = true
TOML
bucket=${url##*/}

timed() { # prints wall s, CPU s, peak MiB of a command
  /usr/bin/env python3 - "$@" <<'PY'
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"  wall {wall:.1f} s, CPU {used.ru_utime + used.ru_stime:.1f} s, peak {used.ru_maxrss / 1024:.0f} MiB")
PY
}

head -c "$((large_mib << 20))" /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt 2>/dev/null >"$dir/large.bin" || true
echo "== $large_mib MiB copied from a folder to the bucket"
timed "$program" --config "$dir/project" store put "$dir/large.bin" "file://$dir/store/large.bin"
timed "$program" --config "$dir/project" store copy "file://$dir/store/large.bin" "s3://$bucket/bench/large.bin" --force
echo "== and back"
timed "$program" --config "$dir/project" store copy "s3://$bucket/bench/large.bin" "file://$dir/back/large.bin"
cmp "$dir/large.bin" "$dir/back/large.bin" && echo "  the same bytes"
"$program" --config "$dir/project" store delete "s3://$bucket/bench/large.bin" >/dev/null
