import LinuxIO
import NetTypes
import STUN
import UDPSocket

/// One bound socket.
final class Listener: Sendable {
    let socket: UDPSocket
    let endpoint: Endpoint

    init(_ endpoint: Endpoint) throws(UDPSocket.OpenError) {
        let socket = try UDPSocket(local: endpoint, bufferByteCount: 1 << 20)
        do throws(SystemError) { try socket.wantLocalAddresses() } catch { throw .system(error) }
        self.endpoint = Endpoint(endpoint.address, port: socket.port)
        self.socket = socket
    }

    /// Whether a datagram can be sent from `origin` by this socket.
    func canSend(from origin: Endpoint) -> Bool {
        origin.port == endpoint.port && origin.address.isIPv4 == endpoint.address.isIPv4
            && (endpoint.address.isUnspecified || endpoint.address == origin.address)
    }
}

/// The sockets of a server: at each of its addresses two, on its port and on another, as far as that
/// is possible.
struct Listeners: Sendable {
    let all: [Listener]
    /// On the port that was asked for.
    let endpoints: [Endpoint]
    /// The port that was asked for, and the other one.
    private let ports: (first: UInt16, second: UInt16?)
    /// The two addresses between which answers can change, if there are two.
    private let addresses: (first: IPAddress, second: IPAddress)?

    /// `endpoint` as for `STUNServer`. The port itself must be free everywhere; the other one, the
    /// next higher if possible, may be missing.
    init(_ endpoint: Endpoint, alternate: IPAddress?) throws(STUNServer.StartError) {
        addresses = alternate.map { (endpoint.address, $0) }
        var wanted = [endpoint.address]
        if endpoint.address.isUnspecified {
            wanted = [.v4(.any), .v6(.any)]
        } else if let alternate {
            wanted.append(alternate)
        }
        var first: [Listener] = []
        for address in wanted {
            let port = first.first?.endpoint.port ?? endpoint.port
            do throws(UDPSocket.OpenError) {
                first.append(try Listener(Endpoint(address, port: port)))
            } catch .familyUnsupported where endpoint.address.isUnspecified {
                continue
            } catch {
                throw STUNServer.StartError(Endpoint(address, port: port), error)
            }
        }
        guard let port = first.first?.endpoint.port else {
            throw .cannotListen(endpoint, reason: "this machine has neither IPv4 nor IPv6")
        }
        endpoints = first.map(\.endpoint)
        let second = Self.second(for: endpoints) ?? []
        ports = (port, second.first?.endpoint.port)
        all = first + second
    }

    /// Sockets on one more port at all the addresses; nil where no port is free at all of them.
    private static func second(for endpoints: [Endpoint]) -> [Listener]? {
        let port = endpoints[0].port
        // 0: any that is free.
        for candidate in port < .max ? [port + 1, 0] : [0] {
            var found: [Listener] = []
            for endpoint in endpoints {
                let wanted = found.first?.endpoint.port ?? candidate
                // A port that is taken is no error: the next is tried.
                guard let listener = try? Listener(Endpoint(endpoint.address, port: wanted)) else {
                    break
                }
                found.append(listener)
            }
            if found.count == endpoints.count { return found }
        }
        return nil
    }

    /// What the server knows about a request to `local`.
    func site(of local: Endpoint) -> STUNSite {
        var other: IPAddress?
        if let addresses, local.address.isIPv4 == addresses.second.isIPv4 {
            if local.address != addresses.second {
                other = addresses.second
            } else if !addresses.first.isUnspecified {
                other = addresses.first
            }
        }
        return STUNSite(
            local: local, alternatePort: local.port == ports.first ? ports.second : ports.first,
            alternateAddress: other)
    }

    /// The socket to send from `origin` by.
    func index(sendingFrom origin: Endpoint) -> Int? {
        all.firstIndex { $0.canSend(from: origin) }
    }
}

extension STUNServer.StartError {
    fileprivate init(_ endpoint: Endpoint, _ error: UDPSocket.OpenError) {
        self =
            switch error {
            case .portInUse: .portInUse(endpoint)
            case .portNotPermitted: .portNotPermitted(endpoint)
            default: .cannotListen(endpoint, reason: "\(error)")
            }
    }
}
