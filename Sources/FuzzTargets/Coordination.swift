import ControlMessages
import NetTypes

let coordinationFuzzTargets: [FuzzTarget] = [
    // What was read is written, and read again as the same value.
    FuzzTarget(name: "json") { bytes in
        guard let json = try? JSON(parsing: bytes.array) else { return }
        let again = try? JSON(parsing: json.jsonBytes)
        precondition(again == json, "JSON changes when it is written and read")
    },
    FuzzTarget(name: "register-request") { bytes in
        guard let request = try? RegisterRequest(jsonBytes: bytes.array) else { return }
        let again = try? RegisterRequest(jsonBytes: request.jsonBytes)
        precondition(again == request, "a request changes when it is written and read")
    },
    FuzzTarget(name: "map-request") { bytes in
        guard let request = try? MapRequest(jsonBytes: bytes.array) else { return }
        let again = try? MapRequest(jsonBytes: request.jsonBytes)
        precondition(again == request, "a request changes when it is written and read")
    },
    // Each line is a response; together they are one stream.
    FuzzTarget(name: "map-response") { bytes in
        var map = NetworkMap()
        let now = Timestamp(unixSeconds: 1_800_000_000)
        for line in bytes.array.split(separator: UInt8(ascii: "\n")) {
            guard let response = try? MapResponse(jsonBytes: Array(line)) else { continue }
            _ = map.apply(response, now: now)
            let again = try? MapResponse(jsonBytes: response.jsonBytes)
            precondition(again != nil, "a response is not read after it was written")
        }
    },
    FuzzTarget(name: "register-response") { _ = try? RegisterResponse(jsonBytes: $0.array) },
]
