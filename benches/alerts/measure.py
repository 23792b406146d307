#!/usr/bin/env python3
"""What alerts cost: from commit to the first send, charts, `alerts explain`, `explain`, `plan`.

Writes projects of its own into a temporary folder, runs the program on them from outside and prints
one JSON line for each measurement. Processor time is that of the program, from /proc or its exit.
"""

import argparse
import http.server
import json
import math
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
END = datetime(2026, 3, 1, tzinfo=timezone.utc)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


class Program:
    """The binary on one project folder."""

    def __init__(self, binary: str, folder: Path):
        self.binary, self.folder = binary, folder
        for name in ("config", "metric_batches"):
            (folder / name).mkdir(parents=True)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def run(self, *arguments: str) -> tuple[str, float, float]:
        """Its output, and the seconds of wall and processor time it took."""
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [self.binary, "--config", str(self.folder), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return done.stdout, wall, cpu

    def json(self, *arguments: str):
        return json.loads(self.run("--json", *arguments)[0])

    def serve(self) -> "Daemon":
        return Daemon(self)


class Daemon:
    def __init__(self, program: Program):
        self.process = subprocess.Popen(
            [program.binary, "--config", str(program.folder), "serve", "--port", "0"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for line in self.process.stderr:
            if "listening on http://" in line:
                self.address = line.split("http://")[1].split()[0]
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def cpu(self) -> float:
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / TICKS

    def get(self, path: str) -> bytes:
        return urllib.request.urlopen(f"http://{self.address}{path}").read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def shop(binary: str, folder: Path, n_metrics: int, n_days: int) -> Program:
    """A project with hourly metrics, trained, scored and alerted over the last `n_days`."""
    program, dice = Program(binary, folder), random.Random(7)
    n_hours = 24 * (n_days + 30)
    lines = ["timestamp,metric,value"]
    for metric in range(n_metrics):
        level, spikes = 100.0 + metric % 17, set(dice.sample(range(n_hours), n_hours // 300))
        for hour in range(n_hours):
            season = 20.0 * math.sin(hour * math.pi / 12.0)
            value = level + season + dice.gauss(0.0, 3.0) + (150.0 if hour in spikes else 0.0)
            lines.append(f"{stamp(END - timedelta(hours=n_hours - hour))},m{metric:04},{value:.3f}")
    program.write("points.csv", "\n".join(lines) + "\n")
    program.write("metric_batches/shop.toml", batch("threshold = 0.8"))
    begin = stamp(END - timedelta(days=n_days))
    program.run("run", "shop", "--job", "ingest", "--at", stamp(END))
    program.run("run", "shop", "--job", "train", "--at", begin)
    program.run("backfill", "shop", "--job", "score,alert", "--from", begin, "--to", stamp(END))
    return program


def batch(alert: str, more: str = "") -> str:
    return (
        '[source]\nkind = "file"\npath = "points.csv"\n'
        '[schedule]\ningest = "0 * * * *"\ntrain = "0 0 * * SUN"\nscore = "0 0 * * *"\n'
        f'alert = "after score"\n[score]\nwindow = "90d"\nmax_points = 48\n[alert]\nrecent = 48\n{alert}\n{more}'
    )


def charts(binary: str, folder: Path) -> dict:
    program = shop(binary, folder, 12, 30)
    alerts = program.json("alerts", "list", "--limit", "100")
    daemon, sizes, n_rounds = program.serve(), [], 20
    paths = [f"/api/v1/alerts/{alert['id']}/chart.png" for alert in alerts[:20]]
    for path in paths:
        daemon.get(path)
    before = daemon.cpu()
    for _ in range(n_rounds):
        sizes += [len(daemon.get(path)) for path in paths]
    cpu = (daemon.cpu() - before) / len(sizes)
    daemon.stop()
    return {
        "measured": "chart.png of an alert by HTTP", "charts": len(sizes),
        "cpu_ms": round(1000 * cpu, 1), "largest_kb": round(max(sizes) / 1000, 1),
        "median_kb": round(statistics.median(sizes) / 1000, 1),
    }


def explanations(program: Program) -> list[dict]:
    alerts = program.json("alerts", "list", "--limit", "20")
    asked = {
        "alerts explain ID": [["alerts", "explain", alert["id"]] for alert in alerts],
        "explain BATCH METRIC --at": [
            ["explain", alert["batch"], alert["metric"], "--at", alert["at"]] for alert in alerts
        ],
    }
    found = []
    for name, commands in asked.items():
        ran = [program.run(*command) for command in commands]
        walls, cpus = [wall for _, wall, _ in ran], [cpu for _, _, cpu in ran]
        found.append({
            "measured": name, "runs": len(ran), "wall_s_median": round(statistics.median(walls), 3),
            "wall_s_max": round(max(walls), 3), "cpu_s_median": round(statistics.median(cpus), 3),
        })
    return found


def plans(program: Program, n_metrics: int) -> list[dict]:
    changes = {
        "alerts": batch("threshold = 0.9"),
        "models": batch("threshold = 0.8", "[features]\nsmooth = 2\n"),
    }
    found = []
    for reach, text in changes.items():
        program.write(f"new-{reach}/shop.toml", text)
        new = str(program.folder / f"new-{reach}/shop.toml")
        output, wall, cpu = program.run("--json", "plan", new, "--last", "30d", "--to", stamp(END))
        planned = json.loads(output)["batches"][0]
        found.append({
            "measured": f"plan --last 30d, {n_metrics} metrics, hourly", "reach": planned["reach"],
            "alerts": planned["alerts"], "wall_s": round(wall, 1), "cpu_s": round(cpu, 1),
        })
    return found


class Receiver(http.server.ThreadingHTTPServer):
    """Takes webhooks and notes when each message came first."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        self.came, self.lock = {}, threading.Lock()
        super().__init__(("127.0.0.1", 0), Take)


class Take(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        now = time.time()
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.came.setdefault(self.headers["webhook-id"], now)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def first_sends(binary: str, folder: Path, n_batches: int, n_metrics: int, seconds: int) -> dict:
    """Every ten seconds, each metric of every batch goes beyond its limit or back."""
    program, receiver = Program(binary, folder), Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    program.write("config/anomstack.toml", (
        '[log]\nfilter = "warn,anomstack=info"\n[channels.hook]\nkind = "webhook"\nallow_private = true\n'
        f'url = "{url}"\nrate = "none"\nstorm = 0\n'
    ))
    program.write("rows.py", (
        "import sys, time\nprint('timestamp,metric,value')\nnow = int(time.time())\n"
        "for n in range(int(sys.argv[1])):\n    print(f'{now},m{n},{1 - 2 * (now // 10 % 2)}')\n"
    ))
    for n in range(n_batches):
        program.write(f"metric_batches/b{n:03}.toml", (
            f'[source]\nkind = "command"\ncommand = ["python3", "{folder}/rows.py", "{n_metrics}"]\n'
            f'[schedule]\ningest = "{n % 10}/10 * * * * *"\ntrain = "never"\nscore = "never"\nalert = "never"\n'
            '[alert]\nchannels = ["hook"]\nresolve_after = 1\nsnooze = "0s"\ngroup = "metric"\n'
            '[thresholds."*"]\nupper = 0.0\n'
        ))
    daemon = program.serve()
    time.sleep(seconds)
    before = daemon.cpu()
    daemon.stop()
    catalog = next(folder.rglob("catalog.db"))
    rows = sqlite3.connect(f"file:{catalog}?mode=ro", uri=True).execute(
        "SELECT o.idem_key, m.created_at FROM messages AS m JOIN outbox AS o ON o.message = m.id"
    ).fetchall()
    delays = [receiver.came[id] - at / 1e6 for id, at in rows if id in receiver.came]
    return {
        "measured": "message made, before its commit, until it arrived", "messages": len(rows),
        "arrived": len(delays), "p50_s": round(percentile(delays, 0.5), 3),
        "p99_s": round(percentile(delays, 0.99), 3), "max_s": round(max(delays), 3),
        "batches": n_batches, "metrics": n_metrics, "cpu_s": round(before, 2), "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="target/release/anomstack")
    parser.add_argument("--only", default="charts,explain,plan,send")
    parser.add_argument("--metrics", type=int, default=1_000, help="of the plan")
    parser.add_argument("--seconds", type=int, default=120, help="of the sends")
    asked = parser.parse_args()
    only, binary = asked.only.split(","), str(Path(asked.program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if "charts" in only:
            print(json.dumps(charts(binary, folder / "charts")), flush=True)
        if "send" in only:
            for n_batches, n_metrics in ((20, 1), (20, 50)):
                place = folder / f"send-{n_metrics}"
                found = first_sends(binary, place, n_batches, n_metrics, asked.seconds)
                print(json.dumps(found), flush=True)
        if "explain" in only or "plan" in only:
            program = shop(binary, folder / "shop", asked.metrics, 30)
            found = explanations(program) if "explain" in only else []
            found += plans(program, asked.metrics) if "plan" in only else []
            for line in found:
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
