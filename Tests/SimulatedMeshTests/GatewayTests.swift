import NetTypes
import SimulatedMesh
import SimulatedNetwork
import Testing

@Suite("simulated NAT-PMP gateways")
struct GatewayTests {
    private struct Scene: ~Copyable {
        let mesh = Mesh(seed: 1)
        let inside: SimulatedNetwork.HostID
        let gateway = Endpoint("192.168.1.1:5351")!

        init() {
            let router = mesh.network.addRouter(.hard, outside: [address("203.0.113.9")])
            inside = mesh.network.addHost(
                [address("192.168.1.2")], behind: router, link: .init(delay: .zero))
            mesh.addGateway(
                to: router, inside: address("192.168.1.1"), external: IPv4Address(203, 0, 113, 9))
        }

        /// What the gateway answers to the host.
        mutating func ask(_ request: [UInt8]) -> [UInt8]? {
            mesh.network.isTracing = true
            let before = mesh.network.trace.count
            mesh.network.send(request, from: inside, port: 4_000, to: gateway)
            mesh.run(for: .milliseconds(10))
            return mesh.network.trace[before...].last {
                $0.what == .arrived && $0.from == gateway
            }?.payload
        }
    }

    @Test("it tells its address, and that it knows no other version")
    func externalAddress() {
        var scene = Scene()
        let answer = scene.ask([0, 0])
        #expect(answer == [0, 128, 0, 0, 0, 0, 0, 0, 203, 0, 113, 9])
        let version = scene.ask([2, 1] + [UInt8](repeating: 0, count: 58))
        #expect(version?.prefix(4) == [0, 129, 0, 1])
        let opcode = scene.ask([0, 7])
        #expect(opcode?.prefix(4) == [0, 135, 0, 5])
    }

    @Test("it forwards a port behind a hard NAT until told otherwise")
    func mapping() {
        var scene = Scene()
        let map: [UInt8] = [0, 1, 0, 0, 0x13, 0x88, 0x20, 0x00, 0, 0, 0, 120]
        let answer = scene.ask(map)
        #expect(
            answer == [0, 129, 0, 0, 0, 0, 0, 0, 0x13, 0x88, 0x20, 0x00, 0, 0, 0, 120])
        let server = scene.mesh.network.addHost(
            [SimulatedMesh.address("198.51.100.77")], link: .init(delay: .zero))
        func arrives() -> Bool {
            let before = scene.mesh.network.receivedCount(of: scene.inside)
            scene.mesh.network.send(
                [1], from: server, port: 1, to: Endpoint("203.0.113.9:8192")!)
            scene.mesh.run(for: .milliseconds(10))
            return scene.mesh.network.receivedCount(of: scene.inside) > before
        }
        #expect(arrives())
        let again = scene.ask(map)
        #expect(again?[10...11] == [0x20, 0x00], "the same port")
        let removal = scene.ask([0, 1, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 0, 0])
        #expect(removal?[2...3] == [0, 0])
        #expect(!arrives())
    }
}
