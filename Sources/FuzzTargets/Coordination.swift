let coordinationFuzzTargets: [FuzzTarget] = []
