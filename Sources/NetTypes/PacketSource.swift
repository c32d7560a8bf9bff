/// Where a datagram came from.
public enum PacketSource: Hashable, Sendable, BitwiseCopyable {
    /// A UDP socket received it.
    case direct(Endpoint)
    /// A relay delivered it, which vouches for the sender's node key.
    case relay(region: Int, node: NodeKey)
}
