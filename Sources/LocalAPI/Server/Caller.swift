import Glibc
import NIOCore

/// The user at the other end of a connection, as the kernel knows it.
package struct Caller: Equatable, Sendable {
    package var uid: UInt32

    package init(uid: UInt32) { self.uid = uid }

    /// `struct ucred` of unix(7).
    private struct Credentials: Sendable {
        var processID: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// Asks the kernel; nil when the connection is no Unix socket or is gone.
    static func of(_ channel: any Channel) -> EventLoopFuture<Caller?> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(nil)
        }
        let credentials: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        return credentials.map { Optional(Caller(uid: $0.uid)) }.recover { _ in nil }
    }

    /// Root, whoever runs the daemon, and the operator may change the node; others may look.
    package func mayChange(operatorUser: String) -> Bool {
        uid == 0 || uid == geteuid()
            || (!operatorUser.isEmpty && Self.uid(ofUser: operatorUser) == uid)
    }

    /// The number of a user of this machine, by name or written as a number.
    package static func uid(ofUser name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        let result = unsafe getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        guard result == 0, unsafe found != nil else { return nil }
        return unsafe entry.pw_uid
    }
}
