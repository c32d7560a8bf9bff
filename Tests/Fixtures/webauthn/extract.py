"""Makes vectors.json from the source of the W3C's "Web Authentication: Level 3" (index.bs of w3c/webauthn),
section "Test Vectors": python3 extract.py < index.bs > vectors.json"""
import json
import re
import sys

text = sys.stdin.read()
vectors = []
for title, name, body in re.findall(
        r"^## (.*?) ## \{#sctn-test-vectors-([\w-]+)\}(.*?)(?=^## |^<!-- END)", text, re.S | re.M):
    steps = []
    for block in re.findall(r'<xmp class="example" highlight="cddl">(.*?)</xmp>', body, re.S):
        values = dict(re.findall(r"^(\w+) = h'([0-9a-f]*)'", block, re.M))
        steps.append({key: values[key] for key in (
            "challenge", "clientDataJSON", "attestationObject", "authenticatorData", "signature",
            "credential_id") if key in values})
    if len(steps) == 2:
        vectors.append({"name": name, "title": title, "registration": steps[0],
                        "authentication": steps[1]})
json.dump(vectors, sys.stdout, indent=1)
print()
