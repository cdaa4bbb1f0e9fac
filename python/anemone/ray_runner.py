"""Runs the unfinished jobs of a lab on a Ray cluster; `anemone lab --ray ADDRESS` starts it.

Each task gives one worker process a few jobs, one after the other (`anemone lab ... --worker`: a line of JSON for each
job in, a line for its outcome out), and hands on each outcome as it comes. The worker computes each job's key itself,
from its own copy of the model and of the samples, so a machine that sees other files is found out. Only this process
writes to the database, one transaction for each result: what is finished stays finished, whatever ends the rest.

A worker process that is killed is started again with the jobs it still has; a task that dies with its machine is tried
again elsewhere. When the lab that started this process is gone, this one ends too.

Exit codes: 0 all jobs have an outcome, 1 a job has none, 4 there is no Ray, 5 there is no such cluster.
"""

import argparse
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading

TRIES = 3  # of a job whose worker process dies
JOIN_SECONDS = 60  # Ray itself would try for ever


def pending_jobs(database, subject):
    connection = sqlite3.connect(database, timeout=60)
    rows = connection.execute(
        "select min(variant.name), job.key, job.configuration from variant join job using (key)"
        " where variant.subject = ? and job.state = 'pending' group by job.key order by min(variant.position)",
        (subject,)).fetchall()
    connection.close()
    return [{"name": name, "key": key, "configuration": json.loads(configuration)} for name, key, configuration in rows]


def store(database, outcome):
    """What StoreOutcome of src/lab/sweep.cc does."""
    connection = sqlite3.connect(database, timeout=60)
    with connection:
        if outcome["result"] is None:
            connection.execute(
                "update job set state = 'failed', error_code = ?, error = ?, duration_ns = ?, finished = datetime()"
                " where key = ?", (outcome["error_code"], outcome["error"], outcome["duration_ns"], outcome["key"]))
        else:
            result = json.loads(outcome["result"])
            connection.execute(
                "insert or replace into result values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (outcome["key"], result["package_bytes"], result["weight_bytes"], result["samples"], result["top1"],
                 result["top5"], result["agreement"], result["loss"], outcome["result"]))
            connection.execute(
                "update job set state = 'done', error_code = null, error = null, duration_ns = ?,"
                " finished = datetime() where key = ?", (outcome["duration_ns"], outcome["key"]))
    connection.close()


class WorkerDied(RuntimeError):
    """By a signal, or without a word: trying again may help."""


class Worker:
    """One `anemone lab --worker`. It ends with this process: its input does."""

    def __init__(self, command, threads):
        self.errors = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen([*command, "--threads", str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        assert self.process.stdin and self.process.stdout
        self.jobs, self.outcomes = self.process.stdin, self.process.stdout

    def run(self, job):
        try:
            self.jobs.write(json.dumps({"name": job["name"], "configuration": job["configuration"]}) + "\n")
            self.jobs.flush()
            line = self.outcomes.readline()
        except BrokenPipeError:
            line = ""
        if not line.endswith("\n"):
            code = self.process.wait()
            self.errors.seek(0)
            kind = WorkerDied if code <= 0 else RuntimeError
            raise kind(f"'{job['name']}': the worker ended with {code}: {self.errors.read().strip()}")
        outcome = json.loads(line)
        if outcome["key"] != job["key"]:
            raise RuntimeError(f"'{job['name']}': the worker sees another model, or other samples")
        return outcome

    def close(self):
        self.jobs.close()
        self.outcomes.close()
        self.process.wait()
        self.errors.close()


def run_jobs(command, threads, jobs):
    """On a worker: gives the outcomes of `jobs`, in order, each as soon as it is there."""
    worker = None
    try:
        for job in jobs:
            for attempt in range(TRIES):
                worker = worker or Worker(command, threads)
                try:
                    yield worker.run(job)
                    break
                except WorkerDied:
                    worker.close()
                    worker = None
                    if attempt == TRIES - 1:
                        raise
    finally:
        if worker:
            worker.process.kill()
            worker.close()


def chunks(jobs, workers):
    """About three tasks for each worker: few enough to run the reference seldom, enough to even out."""
    size = max(1, -(-len(jobs) // (3 * max(1, workers))))
    return [jobs[i:i + size] for i in range(0, len(jobs), size)]


def say(text):
    print(text, file=sys.stderr, flush=True)


def join(ray, address):
    """Connects to a cluster. Gives the folder of one that was started here, to be removed; else None."""
    if ":" in address and "://" not in address:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError) as error:
            raise ConnectionError(f"no Ray cluster answers at {address}: {error}") from error

    def give_up():
        say(f"the Ray cluster at {address} did not take us in within {JOIN_SECONDS} s")
        os._exit(5)

    patience = threading.Timer(JOIN_SECONDS, give_up)
    patience.daemon = True
    patience.start()
    try:
        return join_in_time(ray, address)
    finally:
        patience.cancel()


def join_in_time(ray, address):
    quiet = {"log_to_driver": False, "configure_logging": False}
    if address != "local":
        try:
            ray.init(address=address, **quiet)
            return None
        except ConnectionError:
            if address != "auto":
                raise
    # A cluster of one machine, as long as this process lives. No figures go to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Short: the names of sockets below it must fit into 107 characters.
    folder = tempfile.mkdtemp(prefix="ray-")
    try:
        ray.init(address="local", include_dashboard=False, _temp_dir=folder, **quiet)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def run_all(ray, flags, command, jobs):
    """The number of tasks that failed."""
    threads = max(1, flags.threads)
    workers = int(ray.cluster_resources().get("CPU", 1)) // threads
    task = ray.remote(num_cpus=threads, max_retries=2)(run_jobs).options(num_returns="streaming")
    running = [task.remote(command, threads, chunk) for chunk in chunks(jobs, workers)]
    parent = os.getppid()
    done = failures = 0
    while running:
        ready, _ = ray.wait(running, num_returns=1, timeout=1)
        if os.getppid() != parent:
            raise RuntimeError("the lab that asked for the sweep is gone")
        for outcomes in ready:
            try:
                outcome = ray.get(next(outcomes))
            except StopIteration:
                running.remove(outcomes)
                continue
            except ray.exceptions.RayError as error:
                failures += 1
                running.remove(outcomes)
                say(str(getattr(error, "cause", None) or error))
                continue
            store(flags.database, outcome)
            done += 1
            say(f"progress {done} {len(jobs)} {outcome['name']}")
    return failures


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="anemone.ray_runner")
    parser.add_argument("--address", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    flags = parser.parse_args(arguments)
    command = [part for part in flags.command if part != "--"]
    # Messages of Ray's own processes are not errors of the sweep.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    try:
        import ray
    except ImportError as error:
        say(error)
        return 4
    jobs = pending_jobs(flags.database, flags.subject)
    if not jobs:
        return 0
    try:
        folder = join(ray, flags.address)
    except Exception as error:  # no cluster, one of another version, an address that is none
        say(error)
        return 5
    try:
        return 1 if run_all(ray, flags, command, jobs) else 0
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
