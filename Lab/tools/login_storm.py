"""Signs in two hundred people at once, and looks meanwhile at how long a change takes to reach a node's map and at the
server's memory. Prints both, before and during the storm; fails where not all are signed in.

usage: login_storm.py URL ADMIN_SOCKET NODE_SOCKET NODE PID USERS PASSWORD COUNT

URL's server must trust this machine as a proxy: each person comes from an address of their own. NODE is renamed over
and over; NODE_SOCKET is another node's. USERS: names that the sign-ins are shared among, with commas.
"""
import http.client
import json
import re
import socket
import statistics
import sys
import threading
import time
import urllib.parse

url, admin_socket, node_socket, node, pid, users, password, count = sys.argv[1:]
users, count = users.split(","), int(count)
place = urllib.parse.urlparse(url)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(path, method, target):
    connection = UnixConnection(path)
    connection.request(method, target, headers={"Host": "local-tailscaled.sock"})
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert reply.status == 200, (target, reply.status, body[:200])
    return body


def memory(name):
    """In MB, from /proc."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024


names = [f"{node}-{number}" for number in range(2)]
latencies = []


def rename_once():
    """From the change until another node's map has it, in milliseconds."""
    name = names[len(latencies) % 2]
    start = time.monotonic()
    call(admin_socket, "POST", f"/api/v1/node/{identifier}/rename/{name}")
    stored = time.monotonic()
    needle = f'"DNSName":"{name}.'.encode()
    while needle not in call(node_socket, "GET", "/localapi/v0/status"):
        time.sleep(0.0005)
    latencies.append(((time.monotonic() - start) * 1000, (stored - start) * 1000))
    # As a change now and then, not as the only thing the server does.
    time.sleep(0.02)


def shown(title, seconds=None):
    whole = sorted(pair[0] for pair in latencies)
    at = lambda part: whole[min(len(whole) - 1, int(part * len(whole)))]
    print(f"{title}: {len(whole)} changes, map latency p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, "
          f"worst {whole[-1]:.1f} ms; RSS {memory('VmRSS'):.0f} MB, at most {memory('VmHWM'):.0f} MB"
          + (f"; {count} sign-ins in {seconds:.1f} s" if seconds else ""), flush=True)
    return {"p50": at(0.5), "p99": at(0.99), "worst": whole[-1], "rss": memory("VmRSS"),
            "peak": memory("VmHWM"), "seconds": seconds}


ready = threading.Barrier(count + 1)
results = []


def sign_in(number):
    address = f"198.51.{100 + number // 200}.{number % 200 + 1}"
    headers = {"X-Forwarded-For": address}
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=300)
    connection.request("GET", "/sign-in", headers=headers)
    reply = connection.getresponse()
    page = reply.read().decode()
    cookie = reply.getheader("Set-Cookie").split(";")[0]
    token = re.search(r'name="form" value="([0-9a-f]{64})"', page).group(1)
    body = urllib.parse.urlencode(
        {"form": token, "name": users[number % len(users)], "password": password})
    ready.wait()
    start = time.monotonic()
    connection.request("POST", "/sign-in", body, headers | {
        "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"})
    reply = connection.getresponse()
    reply.read()
    results.append((reply.status, time.monotonic() - start))


identifier = next(entry["id"] for entry in json.loads(call(admin_socket, "GET", "/api/v1/node"))["nodes"]
                  if entry["givenName"].startswith(node))
for _ in range(100):
    rename_once()
before = shown("at rest")
latencies.clear()
threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(count)]
for thread in threads:
    thread.start()
ready.wait()
start = time.monotonic()
while any(thread.is_alive() for thread in threads):
    rename_once()
during = shown("in the storm", time.monotonic() - start)
times = sorted(seconds for _, seconds in results)
wrong = [status for status, _ in results if status != 303]
assert len(results) == count and not wrong, f"{len(results)} answers, {len(wrong)} of them {set(wrong)}"
print(f"each sign-in took {statistics.median(times):.1f} s at the median, {times[-1]:.1f} s at most")
print(json.dumps({"before": before, "during": during}))
