"""A stand-in for qsub, qstat, qdel and qselect, not PBS itself: it really runs the scripts, and answers as OpenPBS
23.06 was seen to answer: numbers `11[].host` and `11[3].host`, states B X Q R H F, Exit_status 256 + signal and -29 for
walltime, a dependency that can never hold deletes the job (F, no Exit_status), output comes at the end, history only
where it is kept. One process for each job stands for server and node. Standard library only.
"""

from __future__ import annotations

import getopt
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

CONF = Path(os.environ["PBS_CONF_FILE"])
JOBS = CONF.with_name("jobs")
HOST = "pbs-host"
CORES = 8


def settings() -> dict[str, Any]:
    given: dict[str, Any] = {"down": False, "history": True, "version": "pbs_version = 23.06.06", "most": 0}
    return given | json.loads(CONF.read_text())


def fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(code)


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def write(path: Path, data: dict[str, Any]) -> None:
    part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    part.write_text(json.dumps(data))
    part.rename(path)


def folders() -> list[Path]:
    return sorted((path for path in JOBS.iterdir() if (path / "job.json").exists()), key=lambda path: int(path.name))


def elements(folder: Path) -> list[dict[str, Any]]:
    """Array elements, or the one job."""
    return [read(path) for path in sorted(folder.glob("e*.json"), key=lambda path: int(path.stem[1:]))]


def is_over(folder: Path) -> bool:
    return all(one["state"] == "F" for one in elements(folder))


# -- qsub


def qsub(words: list[str]) -> None:
    try:
        options, rest = getopt.getopt(words, "A:N:J:l:j:o:e:q:r:v:W:p:P:m:M:S:k:h")
    except getopt.GetoptError as error:
        fail(f"qsub: invalid option -- '{error.opt}'\nusage: qsub [-a date_time] [-A account_string] ...", 2)
    one = dict(options)
    if len(rest) != 1 or not Path(rest[0]).is_file():
        fail(f"qsub: script file:: No such file or directory {rest}", 1)
    if not re.match(r"[A-Za-z]\S*$", one.get("-N", "STDIN")):
        fail("qsub: illegal -N value", 2)
    if one.get("-q", "workq") not in ("workq", "long"):
        fail("qsub: Unknown queue", 170)
    if one.get("-A") == "of-nobody":
        fail("qsub: Account of-nobody is not valid for this user", 1)
    indices: list[int] = []
    if "-J" in one:
        first, last = map(int, re.split("[-%]", one["-J"])[:2])
        if first >= last or one.get("-r") == "n":
            fail("qsub: illegal -J value" if first >= last else "qsub: cannot submit non-rerunable Array Job", 2)
        indices = list(range(first, last + 1))
    waiting = sum(not is_over(folder) for folder in folders())
    if settings()["most"] and waiting >= settings()["most"]:
        fail(f"qsub: would exceed complex's per-user limit of jobs in 'Q' state {waiting}", 188)
    asked = ",".join(value for name, value in options if name == "-l")
    number = 11
    while True:
        folder = JOBS / str(number)
        try:
            folder.mkdir()
            break
        except FileExistsError:
            number += 1
    (folder / "script").write_bytes(Path(rest[0]).read_bytes())
    depend = re.search(r"depend=(\S+)", " ".join(value for name, value in options if name == "-W"))
    for index in indices or [-1]:
        write(folder / f"e{max(index, 0)}.json", {"index": index, "state": "Q"})
    write(
        folder / "job.json",
        {
            "number": number,
            "name": one.get("-N", "STDIN"),
            "array": bool(indices),
            "throttle": int(one["-J"].partition("%")[2] or 0) if indices else 0,
            "variables": dict(part.split("=", 1) for part in one.get("-v", "").split(",") if part),
            "depend": depend[1] if depend else "",
            "walltime": seconds(asked),
            "cores": int((re.search(r"ncpus=(\d+)", asked) or [0, "1"])[1]),
            "memory": (re.search(r"mem=(\w+)", asked) or [0, ""])[1],
            "output": one.get("-o", ""),
            "folder": str(Path.cwd()),
            "held": "-h" in one,
        },
    )
    subprocess.Popen(
        [sys.executable, __file__, "mom", str(number)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    print(f"{number}[].{HOST}" if indices else f"{number}.{HOST}")


def seconds(asked: str) -> float:
    found = re.search(r"walltime=(\d+):(\d+):(\d+)", asked)
    # a minute of the tests is two seconds
    return (int(found[1]) * 60 + int(found[2])) * 2.0 if found else 0.0


# -- what runs a job


class Mom:
    def __init__(self, number: int) -> None:
        self.folder = JOBS / str(number)
        self.job = read(self.folder / "job.json")
        self.room = threading.Semaphore(self.job["throttle"] or 4)

    def run(self) -> None:
        threads = [threading.Thread(target=self.element, args=(one,)) for one in elements(self.folder)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def note(self, one: dict[str, Any], **more: Any) -> None:
        one |= more
        write(self.folder / f"e{max(one['index'], 0)}.json", one)

    def deleted(self, one: dict[str, Any]) -> bool:
        return any((self.folder / name).exists() for name in ("delete", f"delete-{one['index']}"))

    def element(self, one: dict[str, Any]) -> None:
        while self.job["held"] or self.job["cores"] > CORES or (waits := self.waits()):
            if self.deleted(one) or (not self.job["held"] and self.job["cores"] <= CORES and waits == "never"):
                return self.note(one, state="F", substate=91)
            time.sleep(0.05)
        with self.room:
            if self.deleted(one):
                return self.note(one, state="F", substate=91)
            self.carry_out(one)
        return None

    def waits(self) -> str:
        """ "never" where what it depends on failed."""
        for part in filter(None, self.job["depend"].split(",")):
            kind, *ids = part.split(":")
            for number in (re.split(r"[.\[]", one)[0] for one in ids):
                before = JOBS / number
                if not before.exists():
                    continue  # an unknown id is accepted, and runs
                if not is_over(before):
                    return "yes"
                if kind == "afterok" and any(one.get("exit") != 0 for one in elements(before)):
                    return "never"
        return ""

    def carry_out(self, one: dict[str, Any]) -> None:
        number, index = self.job["number"], one["index"]
        own = f"{number}[{index}].{HOST}" if self.job["array"] else f"{number}.{HOST}"
        environ = {
            "HOME": os.environ["HOME"],
            "PATH": "/usr/bin:/bin",
            "PBS_CONF_FILE": str(CONF),
            "PBS_JOBID": own,
            "PBS_O_WORKDIR": self.job["folder"],
            "NCPUS": str(self.job["cores"]),
            **self.job["variables"],
            **({"PBS_ARRAY_INDEX": str(index)} if self.job["array"] else {}),
        }
        spooled = self.folder / f"out-{index}"
        with spooled.open("wb") as out:
            process = subprocess.Popen(
                ["/bin/bash", self.folder / "script"],
                cwd=environ["HOME"],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.note(one, state="R", node="node1", pid=process.pid, started=time.time())
        code = self.watched(process, one, spooled)
        if self.job["output"]:
            target = Path(self.job["output"].replace("^array_index^", str(index)))
            target.write_bytes(spooled.read_bytes())
        self.note(one, state="F", exit=code, substate=91 if self.deleted(one) else 92 if not code else 93)

    def watched(self, process: subprocess.Popen[bytes], one: dict[str, Any], spooled: Path) -> int:
        limit = self.job["walltime"]
        out_of_time = False
        while process.poll() is None:
            out_of_time = bool(limit and time.time() - one["started"] > limit)
            if out_of_time or self.deleted(one):
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(2)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.05)
        code = process.wait()
        if out_of_time:
            with spooled.open("a") as out:
                out.write(f"=>> PBS: job killed: walltime {limit + 1:.0f} exceeded limit {limit:.0f}\n")
            return -29
        return 256 - code if code < 0 else code


# -- qstat


def qstat(words: list[str]) -> None:
    options, ids = getopt.getopt(words, "xtfwB", ["version"])
    given = {name for name, _ in options}
    if "--version" in given:
        return print(settings()["version"])
    if "-B" in given:
        return print(f"Server: {HOST}\n    server_state = Active\n    max_array_size = 10000\n")
    history = checked_history(given)
    code = 0
    for one in ids:
        folder = JOBS / re.split(r"[.\[]", one)[0]
        if not (folder / "job.json").exists():
            print(f"qstat: Unknown Job Id {one}", file=sys.stderr)
            code = 153
        elif is_over(folder) and not history:
            print(f"qstat: {one} Job has finished, use -x or -H to obtain historical job information", file=sys.stderr)
            code = 35
        else:
            show(folder, with_elements="-t" in given)
    sys.exit(code)


def checked_history(given: set[str]) -> bool:
    if "-x" in given and not settings()["history"]:
        fail("qstat: PBS is not configured to maintain job history", 1)
    return "-x" in given


def show(folder: Path, *, with_elements: bool) -> None:
    job, parts = read(folder / "job.json"), elements(folder)
    if not job["array"]:
        return attributes(job, parts[0], f"{job['number']}.{HOST}")
    begun = any(one["state"] != "Q" for one in parts)
    state = "F" if is_over(folder) else "B" if begun else "Q"
    codes = [one.get("exit") for one in parts if "exit" in one]
    whole = {"state": state, **({"exit": int(any(codes))} if state == "F" and codes else {})}
    attributes(job, whole, f"{job['number']}[].{HOST}")
    for one in parts if with_elements else ():
        shown = one | {"state": "X"} if one["state"] == "F" and state != "F" else one
        attributes(job, shown, f"{job['number']}[{one['index']}].{HOST}")
    return None


def attributes(job: dict[str, Any], one: dict[str, Any], own: str) -> None:
    state, comment, hold = one["state"], "", "n"
    if state == "Q" and job["cores"] > CORES:
        comment = f"Can Never Run: Insufficient amount of resource: ncpus (R: {job['cores']} A: {CORES} T: {CORES})"
    elif state == "Q" and job["depend"]:
        state, hold = "H", "s"
    elif state == "Q" and job["held"]:
        state, hold = "H", "u"
    elif state == "Q":
        comment = "Not Running: Insufficient amount of resource: ncpus (R: 1 A: 0 T: 8)"
    if one.get("node"):
        comment = f"Job run at Fri Nov 27 at 14:00 on ({one['node']}:ncpus=1)"
    variables = {"PBS_O_HOME": "/home/me", "PBS_O_LANG": "C", **job["variables"]}
    lines = {
        "Job_Name": job["name"],
        "Job_Owner": f"me@{HOST}",
        "job_state": state,
        "queue": "workq",
        "server": HOST,
        "depend": f"{job['depend']}@{HOST}" if job["depend"] and one["state"] != "R" and "exit" not in one else "",
        "exec_host": f"{one['node']}/0*{job['cores']}" if one.get("node") else "",
        "Hold_Types": hold,
        "substate": one.get("substate", ""),
        "Variable_List": ",".join(f"{name}={value}" for name, value in variables.items()),
        "comment": comment,
        "Exit_status": one.get("exit", ""),
    }  # fmt: skip
    print(f"Job Id: {own}")
    for name, value in lines.items():
        if value != "":
            print(wrapped(f"    {name} = {value}"))
    print()


def wrapped(line: str) -> str:
    """After 78 signs a line goes on in the next, behind a tab."""
    first, rest = line[:78], line[78:]
    return "\n\t".join([first, *(rest[i : i + 70] for i in range(0, len(rest), 70))])


# -- qdel and qselect


def qdel(ids: list[str]) -> None:
    code = 0
    for one in ids:
        number, index = re.split(r"[.\[\]]", one)[:2]
        folder = JOBS / number
        if not folder.exists():
            print(f"qdel: Unknown Job Id {one}", file=sys.stderr)
            code = 153
        elif is_over(folder):
            print(f"qdel: Job has finished {one}", file=sys.stderr)
            code = 35
        else:
            (folder / (f"delete-{index}" if index.isdigit() else "delete")).touch()
    sys.exit(code)


def qselect(words: list[str]) -> None:
    options = dict(getopt.getopt(words, "xN:")[0])
    history = checked_history(set(options))
    for folder in folders():
        job = read(folder / "job.json")
        if job["name"] == options.get("-N") and (history or not is_over(folder)):
            print(f"{job['number']}{'[]' if job['array'] else ''}.{HOST}")


def main() -> None:
    program, *words = sys.argv[1:]
    if program == "mom":
        return Mom(int(words[0])).run()
    if settings()["down"] and "--version" not in words:
        fail(f"Connection refused\n{program}: cannot connect to server {HOST} (errno=111)", 111)
    return {"qsub": qsub, "qstat": qstat, "qdel": qdel, "qselect": qselect}[program](words)


if __name__ == "__main__":
    main()
