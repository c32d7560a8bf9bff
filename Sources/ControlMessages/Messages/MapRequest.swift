package import NetTypes

/// A node tells its state, asks for the network map, or both (control protocol §5.1).
package struct MapRequest: Equatable, Sendable {
    /// What the sender wants (control protocol §5.2).
    package enum Kind: Equatable, Sendable {
        /// The whole map, then changes for as long as the sender listens.
        case poll
        /// No map: only what is told counts.
        case update
        /// One map.
        case single
    }

    /// The sender's capability version.
    package var version: Int
    /// `zstd` or empty.
    package var compression: String
    package var wantsKeepAlive: Bool
    package var nodeKey: NodeKey
    /// New at each start of the node.
    package var discoKey: DiscoKey
    package var isStreaming: Bool
    package var hostinfo: Hostinfo?
    package var mapSessionHandle: String
    package var mapSessionSequence: Int64
    /// Nil when the sender does not say; parallel to `endpointTypes`.
    package var endpoints: [Endpoint]?
    package var endpointTypes: [EndpointType]?
    package var omitsPeers: Bool
    package var debugFlags: [String]

    package init(
        version: Int = CapabilityVersion.own, compression: String = "",
        wantsKeepAlive: Bool = false,
        nodeKey: NodeKey, discoKey: DiscoKey, isStreaming: Bool = false, hostinfo: Hostinfo? = nil,
        endpoints: [Endpoint]? = nil, endpointTypes: [EndpointType]? = nil, omitsPeers: Bool = false
    ) {
        self.version = version
        self.compression = compression
        self.wantsKeepAlive = wantsKeepAlive
        self.nodeKey = nodeKey
        self.discoKey = discoKey
        self.isStreaming = isStreaming
        self.hostinfo = hostinfo
        mapSessionHandle = ""
        mapSessionSequence = 0
        self.endpoints = endpoints
        self.endpointTypes = endpointTypes
        self.omitsPeers = omitsPeers
        debugFlags = []
    }

    package var kind: Kind { isStreaming ? .poll : omitsPeers ? .update : .single }
}

/// How a node came to know one of its endpoints.
package struct EndpointType: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static var unknown: Self { Self(rawValue: 0) }
    package static var local: Self { Self(rawValue: 1) }
    package static var stun: Self { Self(rawValue: 2) }
    package static var portMapped: Self { Self(rawValue: 3) }
    package static var stunWithLocalPort: Self { Self(rawValue: 4) }
    package static var explicit: Self { Self(rawValue: 5) }
}

extension EndpointType: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        self.init(rawValue: try Int(json: json))
    }
    package func write(to writer: inout JSONWriter) { rawValue.write(to: &writer) }
}

extension MapRequest: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        version = try object.read("Version", or: 0)
        compression = try object.read("Compress", or: "")
        wantsKeepAlive = try object.read("KeepAlive", or: false)
        nodeKey = try object.read("NodeKey", or: .zero)
        discoKey = try object.read("DiscoKey", or: .zero)
        isStreaming = try object.read("Stream", or: false)
        hostinfo = try object.optional("Hostinfo")
        mapSessionHandle = try object.read("MapSessionHandle", or: "")
        mapSessionSequence = try object.read("MapSessionSeq", or: 0)
        endpoints = try object.endpoints("Endpoints")
        endpointTypes = try object.optional("EndpointTypes")
        omitsPeers = try object.read("OmitPeers", or: false)
        debugFlags = try object.read("DebugFlags", or: [])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Version", version)
            writer.omit("Compress", compression)
            writer.omit("KeepAlive", wantsKeepAlive)
            writer.keep("NodeKey", nodeKey)
            writer.keep("DiscoKey", discoKey)
            writer.omit("Stream", isStreaming)
            writer.keep("Hostinfo", hostinfo)
            writer.omit("MapSessionHandle", mapSessionHandle)
            writer.omit("MapSessionSeq", mapSessionSequence)
            writer.omit("Endpoints", endpoints ?? [])
            writer.omit("EndpointTypes", endpointTypes ?? [])
            writer.omit("OmitPeers", omitsPeers)
            writer.omit("DebugFlags", debugFlags)
        }
    }
}
