import ControlMessages

extension JSON {
    /// A member as text for a table; empty when it is absent or null.
    func text(_ name: String) -> String {
        switch object?[name] {
        case .string(let text): text
        case .number(let digits): digits
        case .bool(let value): value ? "yes" : "no"
        default: ""
        }
    }

    /// The texts of a list, separated by commas.
    func list(_ name: String) -> String {
        (object?[name]?.array ?? []).compactMap(\.string).joined(separator: ", ")
    }

    /// A time without fractions of a second; `fallback` when there is none.
    func time(_ name: String, or fallback: String) -> String {
        let text = text(name)
        guard !text.isEmpty else { return fallback }
        guard let dot = text.firstIndex(of: ".") else { return text }
        return text[..<dot] + "Z"
    }
}
