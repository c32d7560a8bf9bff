import NIOCore
import Synchronization

/// All connections of a listener, to be closed when the server stops.
final class OpenChannels: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosing = false
    }
    private let state = Mutex(State())

    var count: Int { state.withLock { $0.channels.count } }

    /// Remembers a channel until it closes.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isClosing = state.withLock { state in
            state.channels[id] = channel
            return state.isClosing
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.channels.removeValue(forKey: id) }
        }
        if isClosing { channel.close(promise: nil) }
    }

    func closeAll() async {
        let channels = state.withLock { state in
            state.isClosing = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
        for channel in channels {
            // How a connection that we close ends does not matter.
            _ = try? await channel.closeFuture.get()
        }
    }
}
