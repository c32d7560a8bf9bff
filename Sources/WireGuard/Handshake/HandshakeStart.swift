internal import NetTypes
internal import Noise
internal import WireGuardMessages

extension SymmetricState {
    /// The state both sides of a tunnel handshake start from (paper §5.4.2).
    static func tunnel(responder: NodeKey) -> SymmetricState {
        var state = SymmetricState(protocolName: WireGuardConstants.construction)
        let identifier = Array(WireGuardConstants.identifier.utf8)
        unsafe state.mixHash(identifier.span.bytes)
        state.mixHash(responder.bytes)
        return state
    }
}
