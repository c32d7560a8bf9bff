internal import Disco
internal import LinuxIO
internal import NetTypes
internal import PathEngine

/// Packets on their way to peer relays, each behind the header that tells the relay whose it is. They
/// are few on most nodes, so they are copied here instead of making room in every batch.
// A class, because packets are put into it from where the loop may not be changed.
final class PeerRelayOutbox {
    private var batch: PacketBatch?
    private(set) var dropped: Int64 = 0

    var count: Int { batch?.count ?? 0 }

    /// The batch has to be sent before it takes another packet.
    var isFull: Bool { batch?.isFull == true }

    func append(_ message: RawSpan, through relay: PeerRelayAddress, endpoint: Endpoint?) {
        if batch == nil { batch = PacketBatch() }
        let byteCount = GeneveHeader.byteCount + message.byteCount
        guard let endpoint, let payloadMax = batch?.payloadMax, byteCount <= payloadMax, !isFull
        else {
            dropped += 1
            return
        }
        batch?.append(message, behind: relay.dataHeader, endpoint: endpoint)
    }

    /// Sends all by `body`, which returns how many were refused, and forgets them.
    func send(_ body: (borrowing PacketBatch) -> Int) {
        guard var full = batch.take() else { return }
        dropped += Int64(body(full))
        full.removeAll()
        batch = consume full
    }
}

extension PacketBatch {
    /// Takes the next slot into use with a header and a copy of `message`. There must be room.
    fileprivate mutating func append(
        _ message: RawSpan, behind header: GeneveHeader, endpoint: Endpoint
    ) {
        let index = appendSlot()
        let start = headroom
        var slot = slot(at: index)
        header.write(to: &slot, at: start)
        slot.copy(message, at: start + GeneveHeader.byteCount)
        setPayload(start..<start + GeneveHeader.byteCount + message.byteCount, at: index)
        setEndpoint(endpoint, at: index)
    }
}
