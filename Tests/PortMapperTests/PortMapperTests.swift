import LinuxIO
import Logging
import NetTypes
import PortMapper
import PortMapping
import PortMappingMessages
import Testing

@Suite("Port mapper") struct PortMapperTests {
    @Test("It ends at once when no gateway holds anything, with and without links")
    func ends() throws {
        var random = SystemRandomNumberGenerator()
        for links in [[], [Self.nowhere]] {
            let mapper = try PortMapper(
                memory: PortMappingMemory(externalPort: 0, nonce: PCPNonce(using: &random)),
                mark: 0, logger: Logger(label: "test")
            ) { _ in }
            mapper.setEnabled(true)
            mapper.setLinks(links)
            let before = BootClock.now()
            mapper.stop()
            #expect(BootClock.now() - before < .seconds(5))
        }
    }

    /// An address this machine does not have: its sockets cannot be bound.
    private static let nowhere = PortMapper.Link(
        interface: "lo",
        link: GatewayLink(
            gateway: IPAddress("10.254.254.1")!, own: IPPrefix("10.254.254.2/24")!, port: 41641))
}
