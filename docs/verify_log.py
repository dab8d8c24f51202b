"""Verify an export of a hub's federation log without the hub: python verify_log.py EXPORT [--key KEY] [--held FILE].

EXPORT is what `manage.py export_log` wrote. KEY is a public key of the hub (publicKeyMultibase of its DID document)
that you have from the hub itself or from your own records; without it the keys in the export are believed. FILE holds
checkpoints of the log that others hold, one JSON object a line. docs/protocol-extensions.md defines all forms. The
script needs Python 3.9 and PyNaCl. It exits with 1 at the first fault.
"""

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

ENTRY, CHECKPOINT = "fedhub-log-entry/1", "fedhub-log-checkpoint/1"
EXPORT, PRUNED_EXPORT = "fedhub-log-export/1", "fedhub-log-export/2"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Fault = ValueError


def members(pairs):  # A member that stands twice would let two readers see two entries.
    if len(dict(pairs)) != len(pairs):
        raise Fault("a line names a member twice")
    return dict(pairs)


def jcs(record):  # The canonical bytes (RFC 8785) of an object of texts and integers.
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(record):
    return hashlib.sha256(jcs(record)).hexdigest()


def read_key(multibase):
    number = 0
    for character in multibase[1:]:
        number = number * 58 + BASE58.index(character)
    raw = number.to_bytes(34, "big")
    if multibase[:1] != "z" or raw[:2] != b"\xed\x01":
        raise Fault("not an Ed25519 key")
    return VerifyKey(raw[2:])


def check_signature(record):
    unsigned = {name: value for name, value in record.items() if name != "signature"}
    try:
        read_key(record["key"]).verify(jcs(unsigned), base64.b64decode(record["signature"], validate=True))
    except BadSignatureError as exc:
        raise Fault(f"checkpoint {record['batch']}: the signature does not hold") from exc


def verify(lines, trusted, held):
    head = json.loads(next(lines, "{}"), object_pairs_hook=members)
    if head.get("type") not in (EXPORT, PRUNED_EXPORT):
        raise Fault("not an export of a federation log")
    position, last_hash, last, entry, ended, lost = 0, "0" * 64, None, {}, set(), []
    said = head["type"] == EXPORT
    if not said:  # The log is pruned: it begins behind this checkpoint, and an entry must say so.
        last = head["pruned"]
        check_signature(last)
        position, last_hash = last["position"], last["hash"]
        for earlier in [each for each in held if each < position]:
            print(f"not compared: a held checkpoint of position {earlier}, in the pruned part", file=sys.stderr)
            del held[earlier]
        lost += [other for other in held.pop(position, []) if other != last]
    start = position
    for number, line in enumerate(lines, start=2):
        record = json.loads(line, object_pairs_hook=members)
        if record.get("type") == ENTRY:
            stated = record.pop("hash")
            if (record["position"], record["previous"], stated) != (position + 1, last_hash, sha256(record)):
                raise Fault(f"line {number}: entry {record['position']} was changed, moved, added, or follows a gap")
            position, last_hash, entry = position + 1, stated, record
            said = said or (record["kind"], record["digest"]) == ("prune", sha256(head["pruned"]))
        elif record.get("type") == CHECKPOINT:
            follows = (last["batch"] + 1, sha256(last)) if last else (1, "0" * 64)
            if (record["batch"], record["previous"]) != follows:
                raise Fault(f"line {number}: checkpoint {record['batch']} does not follow from the one before")
            if last and record["log"] != last["log"]:  # Another log begins, after a restore: one entry says so.
                if position != last["position"] + 1 or (entry["kind"], entry["digest"]) != ("log", sha256(last)):
                    raise Fault(f"line {number}: checkpoint {record['batch']} is of another log")
                ended.add(last["log"])
                print(f"position {position}: {entry['actor']} began another log: {entry['text']}")
            if (record["position"], record["hash"]) != (position, last_hash):
                raise Fault(f"line {number}: checkpoint {record['batch']} states another position or hash")
            check_signature(record)
            lost += [other for other in held.pop(position, []) if other != record]
            last = record
        else:
            raise Fault(f"line {number}: neither an entry nor a checkpoint")
    lost = sum(held.values(), lost)
    if position != (last["position"] if last else 0) or any(other["log"] not in ended for other in lost):
        raise Fault(f"position {position}: the end is missing, or somebody holds a checkpoint that is not in the log")
    if lost:
        print(f"{len(lost)} checkpoints that others hold are of the lost end of an earlier log")
    if last and last["key"] not in (trusted or head["keys"]):
        raise Fault("the newest checkpoint is not signed by a key of the hub")
    if not said:
        raise Fault(f"the entries up to position {start} are missing, and no entry says that they were pruned")
    return (
        f"{position - start} entries"
        + (f" behind position {start}" if start else "")
        + (f", signed by {last['key']} of {last['did']}" if last else "")
    )


parser = argparse.ArgumentParser(description="Verify an export of a hub's federation log.")
parser.add_argument("export")
parser.add_argument("--key", action="append", default=[], help="a public key of the hub (publicKeyMultibase)")
parser.add_argument("--held", help="a file of checkpoints that others hold, one JSON object a line")
options, others = parser.parse_args(), {}
try:
    for text in Path(options.held).read_text(encoding="utf-8").splitlines() if options.held else ():
        check_signature(found := json.loads(text, object_pairs_hook=members))
        others.setdefault(found["position"], []).append(found)
    with Path(options.export).open(encoding="utf-8", newline="\n") as source:
        print("verified:", verify(source, options.key, others))
except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
    sys.exit(f"NOT VERIFIED: {error}")
