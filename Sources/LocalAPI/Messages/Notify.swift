package import ControlMessages

/// One notice of `watch-ipn-bus`; members that did not change are nil.
package struct Notify: Equatable, Sendable {
    /// A failure to show to the person, for example a refused key.
    package var errorMessage: String?
    package var state: BackendState?
    package var prefs: Prefs?
    /// The page to open in a browser.
    package var browseToURL: String?
    /// Set once when a login was accepted.
    package var loginFinished = false
    package var health: [String]?

    package init() {}
}

/// What a watcher is told at once, before anything changes. Bits as Tailscale's.
package struct NotifyMask: OptionSet, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let initialState = Self(rawValue: 1 << 1)
    package static let initialPrefs = Self(rawValue: 1 << 2)
    package static let initialHealth = Self(rawValue: 1 << 7)
}

extension Notify: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        errorMessage = try object.optional("ErrMessage")
        if let number = try object.optional("State", as: Int.self) {
            state = BackendState(rawValue: number)
        }
        prefs = try object.optional("Prefs")
        browseToURL = try object.optional("BrowseToURL")
        loginFinished = try object.optional("LoginFinished", as: JSONObject.self) != nil
        if let health = try object.optional("Health", as: JSONObject.self) {
            self.health = try health.read("Warnings", or: JSONObject()).members.map(\.name)
        }
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("ErrMessage", errorMessage)
            if loginFinished { writer.keep("LoginFinished", JSONObject()) }
            writer.omit("State", state.map(\.rawValue))
            writer.omit("Prefs", prefs)
            writer.omit("BrowseToURL", browseToURL)
            if let health {
                writer.key("Health")
                writer.object { writer in
                    writer.key("Warnings")
                    writer.object { writer in
                        for text in health { writer.keep(text, JSONObject()) }
                    }
                }
            }
        }
    }
}
