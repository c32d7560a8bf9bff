#!/bin/bash
# Two machines with public addresses, IPv4 and IPv6, no NAT and no firewall.
#
#    alice --- internet --- bob
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 30

ipv6
host alice
host bob
start server
join alice bob

reach alice bob
expect direct alice bob 5
