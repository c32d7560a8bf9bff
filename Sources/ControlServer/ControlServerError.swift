import NIOCore
import NIOPosix

/// Why the server does not start. One line, for people.
package enum ControlServerError: Error, Equatable, CustomStringConvertible {
    case portInUse(host: String, port: Int)
    case portNotPermitted(port: Int)
    case cannotListen(host: String, port: Int, reason: String)
    case certificate(path: String, reason: String)
    case storage(String)
    case meshKey(path: String, reason: String)
    case machineCertificates(String)
    case provider(String, reason: String)

    init(listening host: String, _ port: Int, _ error: any Error) {
        switch (error as? IOError)?.errnoCode {
        case Errno.addressInUse: self = .portInUse(host: host, port: port)
        case Errno.notPermitted: self = .portNotPermitted(port: port)
        default: self = .cannotListen(host: host, port: port, reason: "\(error)")
        }
    }

    package var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) on \(host) is in use: another program listens there, perhaps another skein-server"
        case .portNotPermitted(let port):
            "no permission to listen on port \(port): ports below 1024 need root or CAP_NET_BIND_SERVICE"
        case .cannotListen(let host, let port, let reason):
            "cannot listen on \(host), port \(port): \(reason)"
        case .certificate(let path, let reason): "cannot use the certificate \(path): \(reason)"
        case .meshKey(let path, let reason): "cannot use the mesh key \(path): \(reason)"
        case .machineCertificates(let reason): "machine certificates: \(reason)"
        case .provider(let name, let reason): "provider \(name): \(reason)"
        case .storage(let reason): "cannot read the stored state: \(reason)"
        }
    }
}

/// The numbers of Linux (asm-generic/errno.h).
private enum Errno {
    static let notPermitted: Int32 = 13
    static let addressInUse: Int32 = 98
}
