/// What people type, brought into the form that the parser knows.
package enum CommandLineForm {
    /// Settings that are on when nothing follows: `--accept-dns` is `--accept-dns=true`.
    static let switches: Set = [
        "accept-dns", "accept-routes", "shields-up", "peers", "until-direct",
    ]
    /// Options that may stand before the command.
    static let common = "--socket"

    package static func normalized(_ arguments: [String]) -> [String] {
        var common: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == Self.common, rest.count > 1 {
                common += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if first.hasPrefix(Self.common + "=") {
                common.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        var result = rest.flatMap { argument -> [String] in
            guard argument.hasPrefix("--") else { return [argument] }
            if switches.contains(String(argument.dropFirst(2))) { return [argument + "=true"] }
            // The parser takes an empty value only as an argument of its own.
            if argument.hasSuffix("=") { return [String(argument.dropLast()), ""] }
            return [argument]
        }
        // Options of a command stand after its name; without a name there is nothing to ask.
        if let verb = result.first, !verb.hasPrefix("-") { result += common }
        return result
    }
}
