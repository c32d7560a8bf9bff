let wireGuardFuzzTargets: [FuzzTarget] = []
