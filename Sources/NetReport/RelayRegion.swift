package import NetTypes

/// A region of the relay map, as far as measuring needs it.
package struct RelayRegion: Equatable, Sendable {
    package var id: Int
    package var nodes: [Node]
    /// Takes no part in measuring and is never chosen as home.
    package var isMeasured: Bool
    /// Multiplies the latency when homes are compared; values ≤ 0 count as 1.
    package var score: Double

    package init(id: Int, nodes: [Node], isMeasured: Bool = true, score: Double = 1) {
        self.id = id
        self.nodes = nodes
        self.isMeasured = isMeasured
        self.score = score
    }

    /// A STUN server of the region. The driver has resolved its name.
    package struct Node: Equatable, Sendable {
        package var ipv4: IPv4Address?
        package var ipv6: IPv6Address?
        /// Nil: the node answers no STUN.
        package var stunPort: UInt16?

        package init(ipv4: IPv4Address?, ipv6: IPv6Address?, stunPort: UInt16? = 3478) {
            self.ipv4 = ipv4
            self.ipv6 = ipv6
            self.stunPort = stunPort
        }
    }
}
