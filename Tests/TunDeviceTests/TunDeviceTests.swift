import CLinux
import LinuxIO
import NetTypes
import NetworkSandbox
import Testing
import TunDevice

@Suite(.enabled(if: NetworkSandbox.isPermitted, "needs root for a network namespace"))
struct TunDeviceTests {
    /// An IPv4 packet without payload, protocol 253 (for experiments).
    private static let packet: [UInt8] = [
        0x45, 0, 0, 20, 0, 0, 0x40, 0, 64, 253, 0x26, 0xb9, 10, 1, 2, 3, 10, 1, 2, 4,
    ]

    @Test func `The kernel's own packets are read once the interface is up`() throws {
        let first = try NetworkSandbox.run {
            let device = try TunDevice(name: "skein%d")
            var poller = try Poller()
            try poller.add(device.descriptor, token: 0)
            var batch = PacketBatch()
            let before = try device.receive(into: &batch)
            guard before == 0, device.name == "skein0" else { return [UInt8]() }
            _ = try check("up", clinux_link_up("skein0"))
            // The kernel announces itself to the multicast routers of a new IPv6 link.
            guard try poller.wait(timeout: .seconds(5)) == 1 else { return [] }
            guard try device.receive(into: &batch) > 0 else { return [] }
            return batch.payload(at: 0).array
        }
        #expect(first.first.map { $0 >> 4 } == 6)
    }

    @Test func `Packets are written while the interface is up and refused while it is down`() throws
    {
        let (down, up, bad) = try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            var batch = PacketBatch()
            batch.append(Self.packet.span.bytes)
            batch.append(Self.packet.span.bytes)
            batch.append(Self.packet.span.bytes)
            batch.drop(at: 1)
            let down = device.send(batch)
            _ = try check("up", clinux_link_up("skein0"))
            let up = device.send(batch)
            batch.removeAll()
            batch.append(([0xFF, 1, 2] as [UInt8]).span.bytes)
            return (down, up, device.send(batch))
        }
        #expect(down == .init(sent: 0, refused: 2, lastError: SystemError.inputOutput))
        #expect(up == .init(sent: 2))
        #expect(bad == .init(sent: 0, refused: 1, lastError: SystemError.invalidArgument))
    }

    @Test func `Names that cannot be are typed errors`() throws {
        try NetworkSandbox.run {
            let first = try TunDevice(name: "skein0")
            #expect(throws: TunDevice.OpenError.nameInUse("skein0")) {
                _ = try TunDevice(name: "skein0")
            }
            #expect(throws: TunDevice.OpenError.badName("lo")) { _ = try TunDevice(name: "lo") }
            for name in ["", "sixteen bytes ok", "a/b"] {
                #expect(throws: TunDevice.OpenError.badName(name)) {
                    _ = try TunDevice(name: name)
                }
            }
            #expect(first.name == "skein0")
        }
    }

    @Test func `The interface vanishes with its owner`() throws {
        let second = try NetworkSandbox.run {
            do { _ = try TunDevice(name: "skein0") }
            return try TunDevice(name: "skein0").name
        }
        #expect(second == "skein0")
    }
}
