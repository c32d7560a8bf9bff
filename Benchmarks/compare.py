#!/usr/bin/env python3
"""compare.py FOLDER PACKETS [update]: holds what Benchmarks/run measured against the thresholds."""
import pathlib
import re
import sys

folder, packets = pathlib.Path(sys.argv[1]), int(sys.argv[2])
thresholds_file = pathlib.Path(__file__).with_name("thresholds")
# Room that an update leaves: another compiler or another library moves counts a little.
room = {"instructions": 1.05, "bytes": 1.05, "allocations": 1}


def results(path):
    found = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, *fields = line.split()
        found[name] = {key: int(value) for key, value in (field.split("=") for field in fields)}
    return found


def instruction_totals():
    """Of the parts that callgrind wrote, in the order of the benchmarks: each ends at a benchmark's end."""
    parts = sorted(folder.glob("callgrind.*"), key=lambda path: int(path.suffix[1:]))
    texts = [part.read_text(errors="replace") for part in parts]
    return [
        int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1])
        for text in texts if "cmeasurement_end" in text.split("events:")[0]
    ]


measured = results(folder / "timed")
for result in measured.values():
    count = result.pop("packets", None)
    if count:
        # A table that grows once is no allocation for each packet.
        result["allocations"] = result["allocations"] * 1000 // count
if (folder / "counted").exists():
    names = list(results(folder / "counted"))
    totals = instruction_totals()
    if len(totals) != len(names):
        sys.exit(f"callgrind reported {len(totals)} of {len(names)} benchmarks")
    for name, total in zip(names, totals):
        measured[name]["instructions"] = total // packets
    # What the session adds to the cipher, which is the library's business.
    for name, result in measured.items():
        kind, _, size = name.partition("/")
        if kind in ("seal", "open"):
            result["instructions"] -= measured[f"cipher/libcrypto/{size}"]["instructions"]

if sys.argv[3:] == ["update"]:
    lines = ["# name: the most a packet (or peer) may cost; written by Benchmarks/run update"]
    for name, result in measured.items():
        # How fast ciphers are is the libraries' business.
        kinds = ["allocations"] if name.startswith("cipher/") else ["allocations", "instructions", "bytes"]
        fields = [f"{kind}={int(result[kind] * room[kind])}" for kind in kinds if kind in result]
        lines.append(" ".join([name, *fields]))
    thresholds_file.write_text("\n".join(lines) + "\n")

thresholds = results(thresholds_file) if thresholds_file.exists() else {}
exceeded = []
print(f"{'':24}{'ns':>8}{'instructions':>14}{'allocations':>13}{'bytes':>8}")
for name, result in measured.items():
    columns = [result.get("nanoseconds", ""), result.get("instructions", "")]
    columns += [f"{result['allocations'] / 1000:g}" if "allocations" in result else "", result.get("bytes", "")]
    print(f"{name:24}{columns[0]:>8}{columns[1]:>14}{columns[2]:>13}{columns[3]:>8}")
    for kind, most in thresholds.get(name, {}).items():
        if result.get(kind, 0) > most:
            exceeded.append(f"{name}: {result[kind]} {kind}, at most {most}")
missing = [name for name in thresholds if name not in measured and not name.startswith("cipher/")]
exceeded += [f"{name}: not measured" for name in missing]
exceeded += [f"{name}: no threshold" for name in measured if name not in thresholds]
print("\n".join(["", *exceeded]) if exceeded else "\nAll within the thresholds.")
sys.exit(bool(exceeded))
