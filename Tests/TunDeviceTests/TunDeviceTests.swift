import CLinux
import IPPacket
import LinuxIO
import NetTypes
import NetworkSandbox
import Segmentation
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
            var packets = HostPackets(largeCount: 1, smallCount: 1)
            let before = try device.receive(into: &packets)
            guard before == nil, device.name == "skein0" else { return [UInt8]() }
            _ = try check("up", clinux_link_up("skein0"))
            // The kernel announces itself to the multicast routers of a new IPv6 link.
            guard try poller.wait(timeout: .seconds(5)) == 1 else { return [] }
            guard let slot = try device.receive(into: &packets) else { return [] }
            // It is small, and so the large slot is still there.
            guard packets.hasLargeRoom, !packets.hasSmallRoom else { return [] }
            let bytes = packets.bytes(of: slot).array
            packets.remove(slot)
            return packets.hasSmallRoom ? bytes : []
        }
        #expect(first.first.map { $0 >> 4 } == 6)
    }

    @Test func `Packets are written while the interface is up and refused while it is down`() throws
    {
        let (down, up, bad) = try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            var batch = PacketBatch()
            for _ in 0..<3 { batch.append(Self.packet.span.bytes) }
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

    @Test func `What the kernel can do is found out while the interface is down`() throws {
        let offloads = try NetworkSandbox.run { try TunDevice(name: "skein0").offloads }
        // Every kernel since 2.6.27 cuts TCP; whether it takes and leaves more depends.
        #expect(offloads.receives.contains(.tcp))
        #expect(offloads.sends.contains(.tcp))
    }

    @Test func `Merged packets are taken, and one that is refused goes in pieces`() throws {
        let (sent, refused) = try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            _ = try check("up", clinux_link_up("skein0"))
            let memory = try Self.segments(count: 3)
            var coalescer = Coalescer(capacity: 8, kinds: [.tcp])
            let size = memory.count / 3
            for index in 0..<3 {
                coalescer.add(index * size..<(index + 1) * size, of: memory.span.bytes)
            }
            guard coalescer.groupCount == 1 else { return (Int32(-1), Int32(-1)) }
            let good = device.send(coalescer, of: memory.span.bytes)
            // No packet at all: the kernel refuses it, and its pieces.
            let bad = [UInt8](repeating: 0xFF, count: memory.count)
            let none = device.send(coalescer, of: bad.span.bytes)
            return (Int32(good.sent), Int32(none.refused))
        }
        #expect(sent == 3)
        #expect(refused == 3)
    }

    private static func segments(count: Int) throws -> [UInt8] {
        let here = Endpoint(.v4(IPv4Address(10, 1, 2, 3)), port: 9)
        var memory: [UInt8] = []
        for index in 0..<count {
            memory += PacketBuilder.tcp(
                from: here, to: here, flags: .ack, sequence: UInt32(index * 100),
                payload: [UInt8](repeating: 1, count: 100))
        }
        return memory
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
