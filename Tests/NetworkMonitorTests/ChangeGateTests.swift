import NetTypes
import Testing

@testable import NetworkMonitor

@Suite struct ChangeGateTests {
    private func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
    }

    @Test func `A burst becomes one look after it`() {
        var gate = ChangeGate()
        #expect(gate.nextDeadline == nil)
        for time in stride(from: 0 as Int64, through: 60, by: 20) { gate.noteChange(at: at(time)) }
        #expect(gate.nextDeadline == at(60 + 75))
        let early = gate.takeChange(at: at(134))
        let due = gate.takeChange(at: at(135))
        let again = gate.takeChange(at: at(1000))
        #expect(!early && due && !again)
    }

    @Test func `Notices without end do not put the look off`() {
        var gate = ChangeGate()
        var looks = 0
        for time in stride(from: 0 as Int64, to: 2000, by: 10) {
            gate.noteChange(at: at(time))
            if gate.takeChange(at: at(time)) { looks += 1 }
        }
        #expect(looks == 3)
    }

    @Test func `A jump between the clocks is a suspension`() {
        var gate = ChangeGate()
        let first = gate.takeSuspension(at: at(90_000), awake: at(10_000))
        let none = gate.takeSuspension(at: at(95_000), awake: at(15_000))
        let slept = gate.takeSuspension(at: at(3_700_000), awake: at(20_000))
        let after = gate.takeSuspension(at: at(3_701_000), awake: at(21_000))
        #expect(first == nil && none == nil && after == nil)
        #expect(slept == .seconds(3600))
    }

    @Test func `Candidates are what a peer may reach`() {
        func address(_ interface: String, _ text: String) -> LinkState.Address {
            LinkState.Address(interface: interface, prefix: IPPrefix(text)!)
        }
        let state = LinkState(addresses: [
            address("lo", "127.0.0.1/8"), address("lo", "::1/128"), address("eth0", "10.0.0.5/24"),
            address("eth0", "fe80::1/64"), address("eth0", "2001:db8::5/64"),
            address("eth1", "169.254.3.4/16"), address("docker0", "172.17.0.1/16"),
            address("wlan0", "10.0.0.5/24"),
        ])
        #expect(
            state.candidateAddresses.map(String.init(describing:)) == [
                "10.0.0.5", "2001:db8::5",
            ])
    }
}
