let networkFuzzTargets: [FuzzTarget] = []
