import ControlMessages
import NetTypes

let controlFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "control-to-node") { bytes in
        let bytes = bytes.array
        guard let request = try? ControlToNodeRequest(parsing: bytes) else { return }
        precondition(request.path.hasPrefix("/"), "a path begins with a slash")
        precondition(bytes.reversed().starts(with: request.body.reversed()), "the body is the end")
    }
]
