#!/bin/bash
# A short Lab/soak-packets: through a bad network and over new keys no packet is damaged and none
# comes twice.
RATE=3000 exec "$(dirname "${BASH_SOURCE[0]}")/../soak-packets" 60000
