/// What a peer may do about peer relays.
public struct PeerRelayRoles: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// It knows the protocol, so a relay can stand between it and us (capability version 121).
    public static var canBeRelayed: Self { Self(rawValue: 1) }
    /// It may relay for us: it holds `tailscale.com/cap/relay-target` on us.
    public static var relaysForUs: Self { Self(rawValue: 2) }
    /// It may use our relay: it holds `tailscale.com/cap/relay` on us.
    public static var mayUseOurs: Self { Self(rawValue: 4) }
}
