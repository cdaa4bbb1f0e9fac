"""Runs the unfinished jobs of a lab on a Ray cluster; `anemone lab --ray ADDRESS` starts it.

Each task gives one worker process a few jobs (`anemone lab ... --run-jobs FILE`) and brings back one line of JSON for
each. The worker computes each job's key itself, from its own copy of the model and of the samples, so a machine that
sees other files is found out. Only this process writes to the database, one transaction for each result: what is
finished stays finished, whatever ends the rest.

Exit codes: 0 all jobs have an outcome, 1 a job has none, 4 there is no Ray.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile


def pending_jobs(database, subject):
    with sqlite3.connect(database, timeout=60) as connection:
        rows = connection.execute(
            "select min(variant.name), job.key, job.configuration from variant join job using (key)"
            " where variant.subject = ? and job.state = 'pending' group by job.key order by min(variant.position)",
            (subject,)).fetchall()
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


def run_jobs(command, threads, jobs):
    """On a worker: the outcomes of `jobs`, in order."""
    with tempfile.TemporaryDirectory(prefix="anemone-lab-") as folder:
        path = os.path.join(folder, "jobs.json")
        variants = [{"name": job["name"], "configuration": job["configuration"]} for job in jobs]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"variants": variants}, file)
        done = subprocess.run([*command, "--run-jobs", path, "--threads", str(threads)],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the worker ended with {done.returncode}: {done.stderr.strip()}")
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    for job, outcome in zip(jobs, outcomes):
        if outcome["key"] != job["key"]:
            raise RuntimeError(f"'{job['name']}': the worker sees another model, or other samples")
    if len(outcomes) != len(jobs):
        raise RuntimeError(f"the worker did {len(outcomes)} of {len(jobs)} jobs")
    return outcomes


def chunks(jobs, workers):
    """About four tasks for each worker: few enough to load the model seldom, enough to even out."""
    size = max(1, len(jobs) // (4 * max(1, workers)))
    return [jobs[i:i + size] for i in range(0, len(jobs), size)]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="anemone.lab.ray_runner")
    parser.add_argument("--address", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    flags = parser.parse_args(arguments)
    command = [part for part in flags.command if part != "--"]
    try:
        import ray
    except ImportError as error:
        print(error, file=sys.stderr)
        return 4
    jobs = pending_jobs(flags.database, flags.subject)
    if not jobs:
        return 0
    threads = max(1, flags.threads)
    address = None if flags.address == "local" else flags.address
    ray.init(address=address, log_to_driver=False, include_dashboard=False, configure_logging=False)
    try:
        workers = int(ray.cluster_resources().get("CPU", 1)) // threads
        # A task that dies with its machine is tried again elsewhere; one that fails is not.
        task = ray.remote(num_cpus=threads, max_retries=2)(run_jobs)
        waiting = [task.remote(command, threads, chunk) for chunk in chunks(jobs, workers)]
        failures = 0
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            try:
                for outcome in ray.get(done[0]):
                    store(flags.database, outcome)
            except Exception as error:  # what a worker raises arrives as Ray's own types
                failures += 1
                print(error, file=sys.stderr)
        return 1 if failures else 0
    finally:
        ray.shutdown()


if __name__ == "__main__":
    sys.exit(main())
