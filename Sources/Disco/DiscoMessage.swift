package import NetTypes

/// Ties a pong to its ping: twelve random bytes.
package struct PingID: Hashable, Sendable, BitwiseCopyable {
    package let high: UInt32
    package let low: UInt64

    package init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }
    package init(random: inout some RandomNumberGenerator) {
        let word: UInt64 = random.next()
        high = UInt32(truncatingIfNeeded: word)
        low = random.next()
    }
}

/// A disco message as it lies in its box: type u8, version u8 (0), body. Integers are big-endian.
///
/// | type | message | body |
/// |---|---|---|
/// | 1 | ping | ID 12, optionally the sender's node key 32, zero padding |
/// | 2 | pong | ID 12, address 16 and port 2 the ping came from |
/// | 3 | CallMeMaybe | any number of address 16, port 2 |
/// | 4–6 | bind to a peer relay: request, challenge, answer | `RelayBinding` |
/// | 7 | CallMeMaybeVia | `RelayEndpoint` |
/// | 8, 9 | allocate a peer relay: request, response | see the cases |
/// | 0xB1 | only among Skein nodes: meet through a hard NAT | `HardNATMessage` |
///
/// Bytes behind a known body belong to later versions of it and are passed over.
package enum DiscoMessage: Equatable, Sendable {
    case ping(PingID, nodeKey: NodeKey?)
    case pong(PingID, source: Endpoint)
    /// Where the sender may be reached: "ping me there, now". Comes by relay only.
    case callMeMaybe([Endpoint])
    case bindRelay(RelayBinding)
    case bindRelayChallenge(RelayBinding)
    case bindRelayAnswer(RelayBinding)
    case callMeMaybeVia(RelayEndpoint)
    case allocateRelayRequest(clients: [DiscoKey], generation: UInt32)
    case allocateRelayResponse(generation: UInt32, RelayEndpoint)
    case hardNAT(HardNATMessage)

    /// What messages 4 to 6 say.
    package struct RelayBinding: Equatable, Sendable {
        package var virtualNetwork: UInt32
        package var generation: UInt32
        /// The other client.
        package var remote: DiscoKey
        package var challenge: Bytes32

        package init(
            virtualNetwork: UInt32, generation: UInt32, remote: DiscoKey, challenge: Bytes32
        ) {
            self.virtualNetwork = virtualNetwork
            self.generation = generation
            self.remote = remote
            self.challenge = challenge
        }
    }

    /// A peer relay's allocation for two clients.
    package struct RelayEndpoint: Equatable, Sendable {
        package var server: DiscoKey
        package var clients: [DiscoKey]
        package var lamportID: UInt64
        package var virtualNetwork: UInt32
        package var bindLifetime: Nanoseconds
        package var steadyStateLifetime: Nanoseconds
        package var endpoints: [Endpoint]

        package init(
            server: DiscoKey, clients: [DiscoKey], lamportID: UInt64, virtualNetwork: UInt32,
            bindLifetime: Nanoseconds, steadyStateLifetime: Nanoseconds, endpoints: [Endpoint]
        ) {
            precondition(clients.count == 2, "a relay endpoint joins two clients")
            self.server = server
            self.clients = clients
            self.lamportID = lamportID
            self.virtualNetwork = virtualNetwork
            self.bindLifetime = bindLifetime
            self.steadyStateLifetime = steadyStateLifetime
            self.endpoints = endpoints
        }
    }

    package enum ParseError: Error, Equatable, Sendable {
        case truncated(TruncatedInput)
        case unknownType(UInt8)
        case unknownVersion(UInt8)
    }

    /// Endpoints read from one message at most; the rest is passed over.
    package static var endpointsMax: Int { 128 }
}
