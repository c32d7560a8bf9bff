let pathFuzzTargets: [FuzzTarget] = []
