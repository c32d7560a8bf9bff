#!/bin/bash
# Behind two routers that give each destination another port, where prediction fails: one of them runs
# miniupnpd, and whatever protocol it speaks, the pair becomes direct. The mapping is made anew after a
# restart of the router's daemon and removed when the node stops.
#
#    alice -- [hard, miniupnpd] -- internet -- [hard] -- bob
#                                     |
#                             mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90
need miniupnpd

# miniupnpd serves no addresses that are reserved for documentation, as the lab's are.
router home hard; host alice home
further_address home 9.9.9.9
router office hard; host bob office
start server

declare -A SPOKEN=([pcp]="NAT-PMP, PCP" [natpmp]=NAT-PMP [upnp]=UPnP)
older() { (($(ps -o etimes= -p "${PID[$1]}") >= $2)); }

for protocol in pcp natpmp upnp; do
    gateway home "$protocol"
    join alice
    await 5 maps_port home alice
    [[ $protocol != pcp ]] || join bob
    reach alice bob
    expect direct alice bob
    skein alice netcheck | tee -a "$LOGS/alice.log" | grep "PortMapping: ${SPOKEN[$protocol]};"

    # Its mappings are lost with it; who hears of the restart asks again. Its clock tells of a restart
    # only when it had gone on for some seconds (RFC 6887 §8.5).
    await 10 older miniupnpd 5
    crash miniupnpd
    gateway home "$protocol"
    [[ $protocol == upnp ]] || await 10 maps_port home alice

    stop alice
    await 3 maps_nothing home
    crash miniupnpd
done
