/// Why a message could not be decoded.
package struct MessageDecodingError: Error, Equatable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case notJSON(JSONSyntaxError)
        case wrongType(expected: String)
        /// A text that is no key, address, time and so on.
        case unreadable(expected: String)
    }
    /// Where in the message, such as `Node.Addresses[1]`; empty for the whole of it.
    package var path: String
    package var reason: Reason

    package init(path: String = "", _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    package var description: String {
        let place = path.isEmpty ? "message" : path
        return switch reason {
        case .notJSON(let error): "\(place): not JSON (\(error))"
        case .wrongType(let expected): "\(place): expected \(expected)"
        case .unreadable(let expected): "\(place): not \(expected)"
        }
    }

    fileprivate func inside(_ parent: String) -> Self {
        let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
        return Self(path: parent + separator + path, reason)
    }
}

/// A value that can be read from JSON. Readers are as lenient as Go's: unknown members are ignored,
/// names match whatever their case, null means "not given".
package protocol JSONReadable {
    init(json: JSON) throws(MessageDecodingError)
}

extension JSONReadable {
    /// Parses JSON text and reads the value from it.
    package init(
        jsonBytes bytes: [UInt8], limits: JSON.Limits = JSON.Limits()
    ) throws(MessageDecodingError) {
        let json: JSON
        do { json = try JSON(parsing: bytes, limits: limits) } catch {
            throw MessageDecodingError(.notJSON(error))
        }
        try self.init(json: json)
    }
}

extension JSON: JSONReadable {
    package init(json: JSON) { self = json }
}

extension JSONObject: JSONReadable {
    /// Null reads as an empty object, like a struct left unset.
    package init(json: JSON) throws(MessageDecodingError) {
        switch json {
        case .object(let object): self = object
        case .null: self.init()
        default: throw MessageDecodingError(.wrongType(expected: "an object"))
        }
    }

    /// The member called `name`; nil when it is absent or null.
    package func optional<Value: JSONReadable>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(MessageDecodingError) -> Value? {
        guard let value = self[name], value != .null else { return nil }
        do { return try Value(json: value) } catch { throw error.inside(name) }
    }

    /// The readable elements of the list called `name`; nil when it is absent or null.
    package func readableElements<Element: JSONReadable>(
        _ name: String, problems: inout [MessageDecodingError]
    ) throws(MessageDecodingError) -> [Element]? {
        try self[name]?.readableElements(path: name, problems: &problems)
    }

    /// The member called `name`, or `fallback` when it is absent or null.
    package func read<Value: JSONReadable>(
        _ name: String, or fallback: Value
    ) throws(MessageDecodingError) -> Value {
        try optional(name) ?? fallback
    }
}

extension JSON {
    /// The readable elements of a list that may hold nulls; nil for null itself. What cannot be
    /// read is left out and noted in `problems`: one odd entry must not cost a node its network.
    func readableElements<Element: JSONReadable>(
        path: String, problems: inout [MessageDecodingError]
    ) throws(MessageDecodingError) -> [Element]? {
        guard self != .null else { return nil }
        guard case .array(let elements) = self else {
            throw MessageDecodingError(path: path, .wrongType(expected: "an array"))
        }
        var result: [Element] = []
        result.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() where element != .null {
            do { result.append(try Element(json: element)) } catch {
                problems.append(error.inside("[\(index)]").inside(path))
            }
        }
        return result
    }
}

extension Array: JSONReadable where Element: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .array(let elements) = json else {
            throw MessageDecodingError(.wrongType(expected: "an array"))
        }
        self = []
        reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            do { append(try Element(json: element)) } catch { throw error.inside("[\(index)]") }
        }
    }
}

extension Optional: JSONReadable where Wrapped: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        self = json == .null ? nil : try Wrapped(json: json)
    }
}

extension Dictionary: JSONReadable where Key: JSONKey, Value: JSONReadable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard case .object(let object) = json else {
            throw MessageDecodingError(.wrongType(expected: "an object"))
        }
        self = [:]
        for member in object.members {
            guard let key = Key(jsonKey: member.name) else {
                throw MessageDecodingError(
                    path: member.name, .unreadable(expected: "a key of this map"))
            }
            do { self[key] = try Value(json: member.value) } catch {
                throw error.inside(member.name)
            }
        }
    }
}
