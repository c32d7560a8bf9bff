/// A secret in writing, such as a client secret, that no log or description shows.
package struct SecretText: Equatable, Sendable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    /// The secret itself.
    package var revealed: String

    package init(_ text: String) { revealed = text }

    package var description: String { "(secret)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a secret of the configuration is.
package enum SecretSource: Equatable, Sendable {
    case inline(SecretText)
    /// The path of a file that only its owner may read.
    case file(String)
}
