import LinuxIO
import NetTypes
import Netlink
import NetlinkSocket
import NetworkMonitor
import NetworkSandbox
import Synchronization
import Testing
import TunDevice

@Suite(.enabled(if: NetworkSandbox.isPermitted, "needs root for a network namespace"))
struct NetworkMonitorTests {
    private final class Events: Sendable {
        private let events = Mutex<[NetworkMonitor.Event]>([])
        private let wakeup: Wakeup

        init() throws { wakeup = try Wakeup() }

        func append(_ event: NetworkMonitor.Event) {
            events.withLock { $0.append(event) }
            wakeup.signal()
        }
        /// Waits until an event satisfies `condition`, and forgets all up to it; nil after 5 s.
        func next(_ condition: (NetworkMonitor.Event) -> Bool) throws -> NetworkMonitor.Event? {
            var poller = try Poller()
            try poller.add(wakeup.descriptor, token: 0)
            let deadline = BootClock.now() + .seconds(5)
            while true {
                wakeup.clear()
                let found: NetworkMonitor.Event? = events.withLock { events in
                    guard let index = events.firstIndex(where: condition) else { return nil }
                    let event = events[index]
                    events.removeSubrange(...index)
                    return event
                }
                if let found { return found }
                let left = deadline - BootClock.now()
                if left <= .zero { return nil }
                _ = try poller.wait(timeout: left)
            }
        }
        var count: Int { events.withLock { $0.count } }
    }

    @Test func `Addresses, routes and links that change are told, the tunnel's are not`() throws {
        try NetworkSandbox.run {
            let events = try Events()
            let wan = try TunDevice(name: "wan0")
            let tunnel = try TunDevice(name: "skein0")
            var socket = try NetlinkSocket()
            let wanIndex = try Self.index(of: "wan0", &socket)
            let tunnelIndex = try Self.index(of: "skein0", &socket)
            let monitor = try NetworkMonitor(ignoring: "skein0") { events.append($0) }

            let started = try #require(try events.next { _ in true })
            #expect(started.reason == .started)
            #expect(started.state.candidateAddresses == [] && !started.state.hasDefaultRouteV4)

            try socket.perform("up", Link.stateRequest(index: tunnelIndex, isUp: true))
            try socket.perform(
                "address",
                InterfaceAddress(linkIndex: tunnelIndex, prefix: IPPrefix("100.64.0.1/32")!)
                    .addRequest)
            try socket.perform("up", Link.stateRequest(index: wanIndex, isUp: true))
            try socket.perform(
                "address",
                InterfaceAddress(linkIndex: wanIndex, prefix: IPPrefix("192.0.2.7/24")!).addRequest)
            try socket.perform(
                "route",
                Route(
                    IPPrefix("0.0.0.0/0")!, table: Route.mainTable, linkIndex: wanIndex, origin: 4
                ).addRequest)
            let connected = try #require(try events.next { $0.state.hasDefaultRouteV4 })
            #expect(connected.reason == .changed)
            #expect(connected.state.defaultInterfaceV4 == "wan0")
            #expect(connected.state.candidateAddresses == [IPAddress("192.0.2.7")!])
            #expect(!connected.state.addresses.contains { $0.interface == "skein0" })

            try socket.perform(
                "down", Link.stateRequest(index: wanIndex, isUp: false))
            let disconnected = try #require(try events.next { !$0.state.hasDefaultRouteV4 })
            #expect(disconnected.state.candidateAddresses == [])
            #expect(wan.name + tunnel.name == "wan0skein0")
            withExtendedLifetime(monitor) {}
        }
    }

    @Test func `A burst of changes is one event`() throws {
        try NetworkSandbox.run {
            let events = try Events()
            let wan = try TunDevice(name: "wan0")
            var socket = try NetlinkSocket()
            let index = try Self.index(of: "wan0", &socket)
            try socket.perform("up", Link.stateRequest(index: index, isUp: true))
            let monitor = try NetworkMonitor(ignoring: "skein0") { events.append($0) }
            _ = try events.next { $0.reason == .started }
            for octet in 1...20 as ClosedRange<UInt8> {
                let prefix = IPPrefix(.v4(IPv4Address(192, 0, 2, octet)), length: 24)
                try socket.perform(
                    "address", InterfaceAddress(linkIndex: index, prefix: prefix).addRequest)
            }
            let all = try events.next { $0.state.candidateAddresses.count == 20 }
            #expect(all != nil)
            // Twenty addresses are set within the quiet time; the link's own address may come later.
            #expect(events.count <= 1)
            #expect(wan.name == "wan0")
            withExtendedLifetime(monitor) {}
        }
    }

    @Test func `The thread ends with the monitor`() throws {
        try NetworkSandbox.run {
            let events = try Events()
            var monitor: NetworkMonitor? = try NetworkMonitor(ignoring: "skein0") {
                events.append($0)
            }
            _ = try events.next { _ in true }
            #expect(monitor != nil)
            // Returns only when the thread has ended.
            monitor = nil
            var socket = try NetlinkSocket()
            try socket.perform("lo down", Link.stateRequest(index: 1, isUp: false))
            #expect(events.count == 0)
        }
    }

    private static func index(of name: String, _ socket: inout NetlinkSocket) throws -> UInt32 {
        var index: UInt32 = 0
        try socket.dump("links", Link.dumpRequest) {
        } entry: { message in
            if let link = try? Link(parsing: message.payload), link.name == name {
                index = link.index
            }
        }
        return index
    }
}
