#!/usr/bin/env python3
"""clone_nodes.py DATABASE NAME COUNT: adds so many nodes like the one of that name to the tables of a server that
does not run. Nobody has their keys."""
import json
import secrets
import sqlite3
import sys

path, model, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
database = sqlite3.connect(path)
(record,) = database.execute("SELECT record FROM nodes WHERE name = ?", (model,)).fetchone()
(first,) = database.execute("SELECT max(id) + 1 FROM nodes").fetchone()
for number in range(first, first + count):
    node = json.loads(record)
    node["id"] = number
    node["name"] = node["hostinfo"]["Hostname"] = f"clone-{number}"
    for field, kind in (("machineKey", "mkey"), ("nodeKey", "nodekey"), ("discoKey", "discokey")):
        node[field] = f"{kind}:{secrets.token_hex(32)}"
    # 100.80.0.0 and up: the server gives out lower ones first.
    node["ipv4"] = f"100.{80 + number // 65536}.{number // 256 % 256}.{number % 256}"
    node["ipv6"] = f"fd7a:115c:a1e0::{number // 65536 + 1:x}:{number % 65536:x}"
    node["endpoints"] = [f"198.51.100.{number % 250 + 1}:{1024 + number % 60000}"]
    database.execute(
        "INSERT INTO nodes (id, node_key, machine_key, name, record) VALUES (?, ?, ?, ?, ?)",
        (number, node["nodeKey"], node["machineKey"], node["name"], json.dumps(node)))
database.execute("UPDATE counters SET value = ? WHERE name = 'node'", (first + count - 1,))
database.commit()
