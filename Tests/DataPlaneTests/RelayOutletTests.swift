import NetTypes
import Synchronization
import Testing

@testable import DataPlane

@Suite("relay outlet")
struct RelayOutletTests {
    /// A function kept as it is by a generic type gains a wrapper at each access, and a million of
    /// them exhaust the stack when it is called.
    @Test func servesAMillionWakeUps() {
        let outlet = RelayOutlet()
        let count = Mutex(0)
        outlet.set { _, _, packet in count.withLock { $0 += packet.byteCount } }
        for _ in 0..<1_000_000 { _ = outlet.current }
        let packet: [UInt8] = [1, 2, 3]
        outlet.current?(1, .zero, packet.span.bytes)
        #expect(count.withLock { $0 } == 3)
    }
}
