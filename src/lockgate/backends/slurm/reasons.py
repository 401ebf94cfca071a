"""Why a Slurm job waits, in words that fit behind a stage's name. Pure.

Sources: squeue(1), "JOB REASON CODES"; "Job Reason Codes" and "Resource Limits" of the online manual;
`enum job_state_reason` and its strings in Slurm's source, 20.02 to 26.05. The codes of limits are composed
(`QOSGrpCPUMinutesLimit`: whose, which, of what), and so are their words.
"""

from __future__ import annotations

import re

_ASK = "the cluster's administrators can say more"
_RELEASE = "scontrol release"

_WORDS = {
    "None": "waits for Slurm to consider it",
    "Resources": "waits for cpus, memory or nodes that other jobs use",
    "Priority": "waits behind jobs of higher priority",
    "AccountNotAllowed": "may not run in its partition under its account: choose another `account` or "
    "`partition` in [batch.slurm]",
    "AccountingPolicy": f"waits for a limit of its account or QOS that Slurm does not name; {_ASK}",
    "AssociationJobLimit": "waits: its account runs as many jobs as it may; it starts when others end",
    "AssociationResourceLimit": "waits: its account uses as much as it may; it starts when other jobs end",
    "AssociationTimeLimit": "waits: its account has used up its time; choose another `account` in "
    "[batch.slurm]",
    "BadConstraints": "asks for what no node has: lower the stage's resources, or correct `constraint`, "
    "`gres` or `nodelist` in [batch.slurm]",
    "BeginTime": "waits for the earliest time it may start, as after a start that failed or by `--begin` in "
    "`extra` of [batch.slurm]",
    "BlockFreeAction": "waits for a block of nodes to be freed",
    "BlockMaxError": "waits: too many blocks of nodes are in error; an administrator has to mend them",
    "BurstBufferOperation": f"waits: an operation of the burst buffer failed; {_ASK}",
    "BurstBufferResources": "waits for room in the burst buffer",
    "BurstBufferStageIn": "waits for its data to be staged into the burst buffer",
    "Cleaning": "waits for the clean-up after its former start",
    "Constraints": "waits for nodes with the features it asks for (`constraint` in [batch.slurm])",
    "DeadLine": "cannot end before its deadline: ask for a shorter walltime, or drop `--deadline` from "
    "`extra` in [batch.slurm]",
    "Dependency": "waits for another job that it depends on",
    "DependencyNeverSatisfied": "depends on a job that did not end as it should, and will never start: "
    "cancel the run",
    "FedJobLock": "waits for the clusters of its federation to agree where it runs",
    "FrontEndDown": "waits for a front-end node: an administrator has to bring one up",
    "InactiveLimit": "was inactive for longer than the cluster allows",
    "InvalidAccount": "is under an account that is not valid: correct `account` in [batch.slurm]",
    "InvalidQOS": "is under a QOS that is not valid: correct `qos` in [batch.slurm]",
    "JobArrayTaskLimit": "waits for others of its array: only so many run at a time",
    "JobHeldAdmin": f"is held by an administrator, who alone can let it go on ({_RELEASE})",
    "JobHeldUser": f"is held by its user, who can let it go on ({_RELEASE})",
    "JobHoldMaxRequeue": f"was put back into the queue too often and is held ({_RELEASE}, or cancel the run)",
    "JobLaunchFailure": "could not be launched on its node, as when its folder is not there or not writable",
    "Licenses": "waits for licences that other jobs use",
    "MaxMemPerLimit": "asks for more memory than a cpu or node of its partition may give: ask for less, for "
    "more cpus, or choose another `partition` in [batch.slurm]",
    "MaxPoweredUpNodes": "waits: as many nodes are powered up as may be",
    "MpiPortsBusy": "waits for network ports that other jobs use",
    "NodeDown": "needs a node that is down: an administrator has to bring it up, or change `nodelist` in "
    "[batch.slurm]",
    "NonZeroExitCode": "ended with an exit code other than 0",
    "NvidiaImexChannels": "waits for GPU channels (IMEX) that other jobs use",
    "OutOfMemory": "ran out of memory",
    "PartitionConfig": "does not fit into its partition as that is set up: lower the stage's resources, or "
    "choose another `partition` in [batch.slurm]",
    "PartitionDown": "waits: its partition is down; an administrator has to bring it up, or choose another "
    "`partition` in [batch.slurm]",
    "PartitionInactive": "waits: its partition is inactive; choose another `partition` in [batch.slurm]",
    "PartitionNodeLimit": "waits: the nodes it needs are down, drained, or more than its partition allows; "
    "an administrator has to bring them back, or choose another `partition` in [batch.slurm]",
    "PartitionTimeLimit": "asks for more time than its partition allows: shorten the stage's walltime, or "
    "choose another `partition` in [batch.slurm]",
    "PowerNotAvail": "waits for electrical power",
    "PowerReserved": "waits for electrical power that is reserved for others",
    "Prolog": "is about to start: the cluster prepares its node",
    "QOSJobLimit": "waits: its QOS runs as many jobs as it may; it starts when others of it end",
    "QOSNotAllowed": "may not use its QOS under this account or partition: correct `qos` in [batch.slurm]",
    "QOSResourceLimit": "waits: its QOS uses as much as it may; it starts when other jobs of it end",
    "QOSTimeLimit": "waits: its QOS has used up its time; choose another `qos` in [batch.slurm]",
    "QOSUsageThreshold": "waits: its account's share is too small for its QOS; choose another `qos` in "
    "[batch.slurm]",
    "RaisedSignal": "was ended by a signal",
    "ReqNodeNotAvail": "needs nodes that are down, drained, reserved or in use: an administrator has to give "
    "them back, or change `nodelist` in [batch.slurm]",
    "Reservation": "waits for its reservation to begin, or for room in it",
    "ReservationDeleted": "asks for a reservation that is no more: correct `reservation` in [batch.slurm]",
    "ReservationInvalid": "asks for a reservation that is not valid: correct `reservation` in [batch.slurm]",
    "SchedDefer": "waits for the next round of the scheduler",
    "SystemFailure": f"met a fault of Slurm, of a file system or of the network; {_ASK}",
    "TimeLimit": "has used up its time",
    "WaitingForScheduling": "waits for Slurm to consider it",
    # src/plugins/sched and src/slurmctld: what stands in place of a code
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": "waits "
    "for nodes that are down, drained, or kept for partitions of higher priority: an administrator may have "
    "to bring them back",
    "job requeued in held state": f"was put back into the queue and is held there ({_RELEASE})",
    "launch failed requeued held": "could not be launched on its node, and is held; see whether the node has "
    f"the hub's files ({_RELEASE}, or cancel the run)",
}

_WHAT = {
    "BB": "burst buffer",
    "Billing": "billing units",
    "CPU": "cpus",
    "Cpu": "cpus",
    "Energy": "energy",
    "GRES": "gpus or other generic resources",
    "Job": "jobs",
    "Jobs": "jobs",
    "License": "licences",
    "Mem": "memory",
    "Memory": "memory",
    "Node": "nodes",
    "SubmitJob": "jobs that run or wait",
    "SubmitJobs": "jobs that run or wait",
    "Unknown": "a resource Slurm does not name",
    "Wall": "time",
    "WallDuration": "time",
}
_LIMIT = re.compile(
    r"(?P<whose>Assoc|QOS)?(?P<which>Grp|Max|Min)"
    rf"(?P<what>{'|'.join(sorted(_WHAT, key=len, reverse=True))})"
    r"(?P<time>Minutes|RunMinutes|RunMins)?(?:NotSatisfied)?"
    r"(?:Per(?P<per>Job|Node|User|Account))?(?:Limit)?"
)
_CHOOSE = {
    "Assoc": "choose another `account` in [batch.slurm]",
    "QOS": "choose another `qos` in [batch.slurm]",
}
_WHOSE = {"Assoc": "account", "QOS": "QOS"}


def reason_words(reason: str) -> str:
    """Return why a job waits, by the reason that `squeue` names (`%r`); an unknown code is told as it is."""
    text = reason.strip().removeprefix("(").removesuffix(")")
    code, _, more = text.partition(",")
    words = _known(text) or _known(code.partition(":")[0])
    if words is None:
        if text in ("", "null"):
            return "waits; Slurm names no reason"
        return f"waits; Slurm's reason: {text} (see squeue(1), JOB REASON CODES)"
    nodes = re.search(r"UnavailableNodes:([^\s)]+)", more)
    if nodes:
        return f"{words} (not available: {nodes[1]})"
    return f"{words} ({more.strip()})" if more.strip() and _known(text) is None else words


def _known(code: str) -> str | None:
    plain = code.replace("_", " ")
    found = _LIMIT.fullmatch(code)
    return _WORDS.get(code) or _WORDS.get(plain) or (_limit_words(found) if found else None)


def _limit_words(found: re.Match[str]) -> str:
    whose = found["whose"] or "QOS"
    owner, choose, what = _WHOSE[whose], _CHOOSE[whose], _WHAT[found["what"]]
    of = f"{what} × minutes" if found["time"] else what
    if found["which"] == "Min":
        return f"asks for less ({of}) than its {owner} demands of a job: ask for more, or {choose}"
    if found["which"] == "Grp":
        if found["time"] == "Minutes":
            return f"waits: its {owner} has used up its {of}; ask for more of them, or {choose}"
        return (
            f"waits: all jobs of its {owner} together have reached its limit ({of}); it starts when some end"
        )
    if found["per"] in ("Job", "Node"):
        each = "a job" if found["per"] == "Job" else "a job on one node"
        return f"asks for more ({of}) than its {owner} allows {each}: ask for less, or {choose}"
    if found["per"] == "Account":
        return f"waits: its account has reached its QOS's limit ({of}); it starts when other jobs of it end"
    return f"waits: the hub's user has reached the limit of its {owner} ({of}); it starts when other jobs end"
