/// The firewall mark (SO_MARK) that a routing rule keeps out of the tunnel: carried by our own
/// packets (data protocol, "Marks, rules, routes").
package enum SocketMark {
    package static var bypassingTunnel: UInt32 { 0x80000 }
    /// Leaves the bits of others alone.
    package static var mask: UInt32 { 0xFF0000 }
}
