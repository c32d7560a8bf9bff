import ArgumentParser

/// A span of time as in `40s`, `1m30s`, `500ms`; `0` is none.
struct TimeSpan: ExpressibleByArgument, Equatable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        if argument == "0" {
            duration = .zero
            return
        }
        duration = .zero
        var rest = argument[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            let seconds: Double? =
                switch unit {
                case "h": 3600
                case "m": 60
                case "s": 1
                case "ms": 0.001
                default: nil
                }
            guard let seconds, let count = Double(digits), count * seconds < 1e9 else { return nil }
            duration += .seconds(count * seconds)
        }
        guard !argument.isEmpty else { return nil }
    }

    var defaultValueDescription: String { "\(duration.components.seconds)s" }
}

/// Runs `body`; nil when it did not end within `limit`, of which zero is none.
func within<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    guard limit > .zero else { return try await body() }
    return try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
