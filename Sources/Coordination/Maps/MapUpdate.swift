package import ControlMessages
package import NetTypes

/// Why a map request is not served.
package enum MapRefusal: Error, Equatable {
    case clientTooOld(capabilityVersion: Int)
    case unknownNode
    case machineKeyMismatch

    package var text: String {
        switch self {
        case .clientTooOld(let version):
            RegistrationRefusal.clientTooOld(capabilityVersion: version).text
        case .unknownNode: "this node is not registered: log in again"
        case .machineKeyMismatch: RegistrationRefusal.machineKeyMismatch.text
        }
    }

    /// The HTTP status. Never a success: an empty one makes clients ask again at once.
    package var httpStatus: Int {
        switch self {
        case .clientTooOld: 400
        case .unknownNode: 404
        case .machineKeyMismatch: 401
        }
    }
}

extension Coordinator {
    /// More endpoints than these of one node are cut: peers try them all.
    private static var endpointLimit: Int { 64 }

    /// Takes in what a map request tells, whatever its kind: the first poll is often the first
    /// message with routes. The reply is the node that asked.
    package func update(
        _ request: MapRequest, from machine: MachineKey, capabilityVersion: Int
    ) throws(MapRefusal) -> Decision<NodeID> {
        guard capabilityVersion >= CapabilityVersion.minimum else {
            throw .clientTooOld(capabilityVersion: capabilityVersion)
        }
        guard let node = state.node(key: request.nodeKey) else { throw .unknownNode }
        guard node.machineKey == machine else { throw .machineKeyMismatch }
        var updated = node
        updated.capabilityVersion = capabilityVersion
        if let hostinfo = request.hostinfo { takeIn(hostinfo, &updated) }
        if !request.discoKey.isZero, request.discoKey != node.discoKey {
            updated.discoKey = request.discoKey
            // Endpoints found before a restart lead nowhere.
            updated.endpoints = []
        }
        if let endpoints = request.endpoints {
            updated.endpoints = Array(endpoints.prefix(Self.endpointLimit))
        }
        return Decision(node.id, changes: updated == node ? [] : [.node(updated)])
    }
}
