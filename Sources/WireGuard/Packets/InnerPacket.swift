internal import IPPacket
internal import NetTypes

/// What crypto-routing needs of a packet inside the tunnel.
struct InnerPacket {
    var source: IPAddress
    /// As its header says; padding follows it.
    var totalLength: Int

    /// Nil when this is no IP packet, or its header claims more bytes than there are or fewer than
    /// itself.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount > 0 else { return nil }
        do throws(IPPacketError) {
            if bytes.byte(at: 0) >> 4 == 6 {
                let view = try IPv6View(bytes)
                source = .v6(view.source)
                totalLength = view.totalByteCount
            } else {
                let view = try IPv4View(bytes)
                source = .v4(view.source)
                totalLength = view.totalByteCount
            }
        } catch {
            return nil
        }
    }
}
