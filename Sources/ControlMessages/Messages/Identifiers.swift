/// Names a node within a network for as long as it exists. Non-zero and below 2^53.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var value: Int64
    package init(_ value: Int64) { self.value = value }
    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
    package var description: String { String(value) }
}

/// Names a user. Non-zero and below 2^53.
package struct UserID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var value: Int64
    package init(_ value: Int64) { self.value = value }
    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
    package var description: String { String(value) }

    /// The made-up user under whom nodes with tags are shown.
    package static var taggedDevices: Self { Self(2_147_455_555) }
}

extension NodeID: JSONReadable, JSONWritable, JSONKey {
    package init(json: JSON) throws(MessageDecodingError) { self.init(try Int64(json: json)) }
    package func write(to writer: inout JSONWriter) { value.write(to: &writer) }
    package var isJSONZero: Bool { value == 0 }
    package init?(jsonKey: String) {
        guard let value = Int64(jsonKey) else { return nil }
        self.init(value)
    }
    package var jsonKey: String { String(value) }
}

extension UserID: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) { self.init(try Int64(json: json)) }
    package func write(to writer: inout JSONWriter) { value.write(to: &writer) }
    package var isJSONZero: Bool { value == 0 }
}

/// The version of the control protocol: one number, raised for each change of behaviour
/// (control protocol §2.2).
package enum CapabilityVersion {
    /// The oldest that our server serves (release 1.80).
    package static var minimum: Int { 113 }
    /// What our node says of itself. From 121 on, peers expect it to understand peer relays.
    package static var own: Int { 121 }
}

/// Node or peer capabilities: each key with the raw JSON values attached to it, possibly none.
package typealias CapabilityMap = [String: [JSON]]

extension CapabilityMap {
    /// Reads a map whose values may be null.
    init(nullable: [String: [JSON]?]) { self = nullable.mapValues { $0 ?? [] } }

    /// The form for the wire: null where a key has no values.
    var nullable: [String: [JSON]?] { mapValues { $0.isEmpty ? nil : $0 } }
}
