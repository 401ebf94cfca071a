"""Why HTCondor holds a job, in words that fit behind a stage's name. Pure.

Source: HTCondor manual 25, "Hold Reason Codes"; the codes it leaves out are in condor_holdcodes.h.
"""

from __future__ import annotations

JOB_POLICY, OUT_OF_RESOURCES, DURATION, EXECUTE_DURATION = 3, 34, 46, 47
MEMORY_SUBCODE, DISK_SUBCODE = 102, 104

_WORDS = {
    0: "for a reason that HTCondor does not name",
    1: "somebody put it on hold",
    2: "the Globus middleware reported an error",
    3: "a policy of the job's own (`periodic_hold` in `extra`)",
    4: "its credentials are not valid",
    5: "a policy expression of the job is undefined",
    6: "the worker could not start its script",
    7: "its output file could not be opened",
    8: "its input file could not be opened",
    9: "its output could not be streamed",
    10: "its input could not be streamed",
    11: "the transfer of its files failed inside HTCondor",
    12: "its outputs could not be brought back",
    13: "its inputs could not be brought to the worker",
    14: "its folder is not there or may not be entered on the worker; do workers share files with the hub? "
    "If not, set `transfer = true` in [batch.htcondor]",
    15: "it was submitted on hold",
    16: "its input files are still being spooled",
    17: "the shadow of the access point does not fit it",
    18: "the transfer of its files failed inside HTCondor",
    19: "a site's hook to prepare jobs failed",
    20: "it missed its deferred start",
    21: "the worker's policy put it on hold",
    22: "its event log could not be written: is the hub's folder writable on the access point?",
    23: "the worker could not use the account of the job's owner",
    24: "no shadow of the access point fits it",
    25: "its cron settings are not valid",
    26: "a policy of the access point put it on hold",
    27: "a policy expression of the access point is undefined",
    28: "its files could not be given to the account it runs under",
    29: "its files could not be given to the account it runs under",
    30: "its files could not be given back by the account it ran under",
    31: "its files could not be given back by the account it ran under",
    32: "its inputs are larger than the access point carries (MAX_TRANSFER_INPUT_MB)",
    33: "its outputs are larger than the access point carries (MAX_TRANSFER_OUTPUT_MB)",
    34: "it used more than it asked for",
    35: "its container image is not valid",
    36: "it failed when told to checkpoint",
    37: "the EC2 request was wrong",
    38: "EC2 failed inside HTCondor",
    39: "EC2 is not set up on the access point",
    40: "EC2 could not be reached",
    41: "EC2 reported an error",
    42: "the EC2 instance may be lost",
    43: "its pre script failed",
    44: "its post script failed",
    45: "the container program of the worker does not work",
    46: "it ran for longer than allowed",
    47: "it ran for longer than allowed",
    48: "a site's hook to prepare jobs failed",
    49: "the worker could not take on the group of the job's owner",
}
OUTPUTS = 12
#: In the words of a hold for outputs: there is no parcel, description.PARCEL, on the worker.
_UNPACKED = "htcondor.tar: (errno 2)"
_RESOURCES = {MEMORY_SUBCODE: "memory", DISK_SUBCODE: "disk"}


def hold_words(code: int, subcode: int, reason: str) -> str:
    """Return why a job is held: the meaning of the code, and HTCondor's own words where it has any."""
    if code == OUT_OF_RESOURCES and subcode in _RESOURCES:
        meaning = f"it used more {_RESOURCES[subcode]} than it asked for"
    elif code == OUTPUTS and _UNPACKED in reason:
        meaning = (
            "what it made could not be packed on the worker: its disk was full, or its folder there not "
            "writable, a right that no stage may take away"
        )
    else:
        meaning = _WORDS.get(code, f"for a reason with the unknown code {code}")
    reason = reason.strip().rstrip(".")
    if not reason or reason == "Unspecified gridmanager error":
        return meaning
    return f"{meaning} ({reason})"


def known_codes() -> frozenset[int]:
    """Return the codes that have words."""
    return frozenset(_WORDS)
