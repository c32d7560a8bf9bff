let controlFuzzTargets: [FuzzTarget] = []
