package import NetTypes

extension PathEngine {
    /// The peer that datagrams from `source` come from, as far as that is known: by the relay's word,
    /// or because one peer has the endpoint among its candidates. Looks at all peers.
    package func peer(at source: PacketSource) -> Int? {
        switch source {
        case .relay(_, let node): return indicesByNodeKey[node]
        case .direct(let endpoint):
            return peers.indices.first { peers[$0]?.candidates[endpoint] != nil }
        }
    }
}
