let relayFuzzTargets: [FuzzTarget] = []
