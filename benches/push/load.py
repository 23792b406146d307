#!/usr/bin/env python3
"""Remote write under load: what the daemon spends to take samples in, and to make points of them.

Writes a project with one push batch, starts the daemon on it, sends pre-packed requests of 2,000
samples over a few connections as Prometheus does (one sample of each series a scrape, ten labels a
series), waits until everything is ingested and prints one JSON line. Processor time and memory are
the daemon's own, from /proc. Needs `cramjam` (PyPI) for Snappy.
"""

import argparse
import http.client
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import cramjam

TOKEN = "benchmark-token-0123456789"
SAMPLES_A_REQUEST = 2_000
TICKS = os.sysconf("SC_CLK_TCK")


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: int, content: bytes) -> bytes:
    return bytes([tag << 3 | 2]) + varint(len(content)) + content


def labels(n: int) -> bytes:
    """The ten labels of series `n`, as a cluster's would be."""
    pairs = {
        "__name__": f"http_requests_rate_{n % 50}",
        "cluster": "production-eu-west-1",
        "code": str(200 + n % 5),
        "container": "server",
        "endpoint": "metrics",
        "instance": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:9090",
        "job": f"service-{n % 97}",
        "method": "GET",
        "namespace": f"team-{n % 23}",
        "pod": f"server-{n:06}",
    }
    return b"".join(
        field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in pairs.items()
    )


def requests(n_series: int, n_scrapes: int, until: int) -> list[bytes]:
    """Every request's body; scrapes are 15 s apart, the last at `until` (seconds)."""
    series = [labels(n) for n in range(n_series)]
    bodies = []
    for scrape in range(n_scrapes):
        millis = (until - 15 * (n_scrapes - 1 - scrape)) * 1_000
        stamp = b"\x10" + varint(millis)
        for begin in range(0, n_series, SAMPLES_A_REQUEST):
            parts = []
            for n in range(begin, min(begin + SAMPLES_A_REQUEST, n_series)):
                value = b"\x09" + struct.pack("<d", 100.0 + (n * 7 + scrape * 13) % 1_000 / 10)
                parts.append(field(1, series[n] + field(2, value + stamp)))
            bodies.append(bytes(cramjam.snappy.compress_raw(b"".join(parts))))
    return bodies


def project(folder: Path, ingest: str) -> None:
    (folder / "config").mkdir(parents=True)
    (folder / "metric_batches").mkdir()
    (folder / "config/anomstack.toml").write_text('[log]\nfilter = "warn,anomstack=info"\n')
    (folder / "metric_batches/infra.toml").write_text(
        f'[source]\nkind = "push"\ntoken = "{TOKEN}"\ninbox = {{ rows = 1000000000, bytes = "64GiB" }}\n'
        f'[schedule]\ningest = "{ingest}"\ntrain = "never"\nscore = "never"\nalert = "never"\n'
    )


class Daemon:
    def __init__(self, program: str, folder: Path):
        self.process = subprocess.Popen(
            [program, "--config", str(folder), "serve", "--port", "0"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for line in self.process.stderr:
            if "listening on http://" in line:
                self.address = line.split("http://")[1].split()[0]
                break
        # Its log must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def cpu(self) -> float:
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / TICKS

    def peak_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def metric(self, name: str) -> float:
        text = urllib.request.urlopen(f"http://{self.address}/metrics").read().decode()
        found = [line for line in text.splitlines() if line.startswith(name)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def send(address: str, bodies: list[bytes], counts: dict, lock: threading.Lock) -> None:
    connection = http.client.HTTPConnection(address)
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
    }
    while True:
        with lock:
            if not bodies:
                return
            body = bodies.pop()
        while True:
            connection.request("POST", "/api/v1/batches/infra/write", body, headers)
            answer = connection.getresponse()
            answer.read()
            with lock:
                counts[answer.status] = counts.get(answer.status, 0) + 1
            if answer.status == 204:
                break
            if answer.status not in (429, 503):
                sys.exit(f"answered {answer.status}")
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="target/release/anomstack")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--scrapes", type=int, default=200)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--accept-only", action="store_true", help="ingest nothing meanwhile")
    asked = parser.parse_args()
    bodies = requests(asked.series, asked.scrapes, int(time.time()))
    bodies.reverse()
    n_samples, n_bytes = asked.series * asked.scrapes, sum(map(len, bodies))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder) / "project"
        project(folder, "never" if asked.accept_only else "*/5 * * * *")
        daemon = Daemon(asked.program, folder)
        before, begun, counts, lock = daemon.cpu(), time.perf_counter(), {}, threading.Lock()
        threads = [
            threading.Thread(target=send, args=(daemon.address, bodies, counts, lock))
            for _ in range(asked.connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = (daemon.cpu() - before, time.perf_counter() - begun)
        while not asked.accept_only and daemon.metric("anomstack_rows_ingested_total") < n_samples:
            time.sleep(0.5)
        whole = (daemon.cpu() - before, time.perf_counter() - begun)
        peak = daemon.peak_mib()
        daemon.process.terminate()
        daemon.process.wait()
    print(json.dumps({
        "samples": n_samples,
        "mib_sent": round(n_bytes / 2**20, 1),
        "answers": counts,
        "acknowledged_cpu_s": round(accepted[0], 2),
        "acknowledged_wall_s": round(accepted[1], 2),
        "samples_per_cpu_s": round(n_samples / accepted[0]),
        "ingested_cpu_s": round(whole[0], 2),
        "ingested_wall_s": round(whole[1], 2),
        "samples_per_cpu_s_ingested": round(n_samples / whole[0]),
        "peak_mib": round(peak),
    }))


if __name__ == "__main__":
    main()
