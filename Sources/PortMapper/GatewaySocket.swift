import CLinux
import LinuxIO
import NetTypes
import PortMapping
import PortMappingMessages
import UDPSocket

/// The UDP sockets towards the gateway of one address family.
final class GatewaySocket {
    static var bufferByteCount: Int32 { 1 << 16 }

    let link: PortMapper.Link
    /// Bound to our address, because gateways map for the address that asks.
    let requests: UDPSocket
    /// Hears what gateways announce to all; nil where another program does.
    let announcements: UDPSocket?

    init(_ link: PortMapper.Link, mark: UInt32) throws(UDPSocket.OpenError) {
        self.link = link
        let own = link.link.own.address
        requests = try UDPSocket(
            local: Endpoint(own, port: 0), mark: mark, bufferByteCount: Self.bufferByteCount)
        do throws(SystemError) { try requests.bind(toInterface: link.interface) } catch {
            // Then the routes choose, which is as good unless the gateway is link-local.
        }
        let any: IPAddress = own.isIPv4 ? .v4(.any) : .v6(.any)
        do throws(UDPSocket.OpenError) {
            // Every host is in the groups 224.0.0.1 and ff02::1: nothing is to be joined.
            announcements = try UDPSocket(
                local: Endpoint(any, port: PortMappingPort.client),
                bufferByteCount: Self.bufferByteCount)
        } catch {
            announcements = nil
        }
    }

    var announcementDescriptor: Int32? {
        switch announcements {
        case .some(let socket): socket.descriptor
        case .none: nil
        }
    }

    func receiveAnnouncements(into batch: inout PacketBatch) throws(SystemError) -> Int {
        switch announcements {
        case .some(let socket): try socket.receive(into: &batch)
        case .none: 0
        }
    }
}

/// One HTTP exchange with a gateway, on a TCP connection of its own.
final class GatewayExchange {
    enum Progress {
        case going
        case done(HTTPResponse?)
    }

    let id: Int
    private let socket: Descriptor
    private let request: [UInt8]
    private var sentCount = 0
    private var reader = HTTPResponseReader()

    /// Begins to connect.
    init(
        id: Int, from link: PortMapper.Link, mark: UInt32, to gateway: Endpoint, request: [UInt8]
    ) throws(SystemError) {
        self.id = id
        self.request = request
        let own = Endpoint(link.link.own.address, port: 0)
        let descriptor = unsafe clinux_tcp_connect(
            clinux_address(own), clinux_address(gateway), mark, link.interface)
        socket = Descriptor(owning: try check("connect to \(gateway)", descriptor))
    }

    var descriptor: Int32 { socket.raw }
    var isSending: Bool { sentCount < request.count }

    /// The connection is ready for the next step. Reads at most a few thousand bytes.
    func proceed() -> Progress {
        if isSending {
            let count = unsafe request.withUnsafeBytes {
                unsafe clinux_write(
                    socket.raw, $0.baseAddress! + sentCount, $0.count - sentCount)
            }
            if count == -Int(SystemError.wouldBlock) || count == -Int(SystemError.interrupted) {
                return .going
            }
            guard count > 0 else { return .done(nil) }
            sentCount += count
            return .going
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe clinux_read(socket.raw, $0.baseAddress, $0.count)
        }
        if count == -Int(SystemError.wouldBlock) || count == -Int(SystemError.interrupted) {
            return .going
        }
        guard count >= 0 else { return .done(nil) }
        let progress =
            count == 0
            ? reader.finish() : unsafe reader.append(bytes.span.extracting(..<count).bytes)
        switch progress {
        case .incomplete: return .going
        case .complete(let response): return .done(response)
        case .malformed: return .done(nil)
        }
    }
}
