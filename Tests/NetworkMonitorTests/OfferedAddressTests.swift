import NetTypes
import NetworkMonitor
import Testing

@Suite("addresses that peers are told of")
struct OfferedAddressTests {
    @Test(
        "each class of address is offered or not, as the table of OfferedAddress says",
        arguments: [
            ("eth0", "192.168.1.5/24", true), ("eth0", "10.0.0.5/8", true),
            ("eth0", "203.0.113.7/24", true), ("eth0", "2001:db8::7/64", true),
            ("eth0", "fd00:1::7/64", true), ("lo", "127.0.0.1/8", false), ("lo", "::1/128", false),
            ("eth0", "169.254.7.7/16", false), ("eth0", "fe80::7/64", false),
            ("eth0", "224.0.0.5/32", false), ("eth0", "ff02::1/128", false),
            ("tailscale0", "100.101.102.103/32", false),
            ("tailscale0", "fd7a:115c:a1e0::7/128", false), ("wwan0", "100.70.1.2/30", false),
            ("v4-wwan0", "192.0.0.4/32", false), ("docker0", "172.17.0.1/16", false),
            ("br-0123456789ab", "172.18.0.1/16", false), ("virbr0", "192.168.122.1/24", false),
            ("br0", "192.168.1.6/24", true), ("wlan0", "192.0.0.9/24", true),
        ])
    func classes(interface: String, prefix: String, isOffered: Bool) throws {
        let prefix = try #require(IPPrefix(prefix))
        let state = LinkState(addresses: [.init(interface: interface, prefix: prefix)])
        #expect(state.candidateAddresses == (isOffered ? [prefix.address] : []))
    }

    @Test("a bridge that leads to the default route is the machine's own network")
    func bridge() throws {
        let state = LinkState(
            addresses: [.init(interface: "br-lan", prefix: IPPrefix("192.168.1.5/24")!)],
            defaultInterfaceV4: "br-lan")
        #expect(state.candidateAddresses == [IPAddress("192.168.1.5")!])
    }

    @Test("a carrier's address of the shared range is offered, one of another tunnel is not")
    func shared() {
        let entry = LinkState.Address(interface: "wwan0", prefix: IPPrefix("100.70.1.2/30")!)
        let carrier = LinkState(addresses: [entry], defaultInterfaceV4: "wwan0")
        #expect(carrier.candidateAddresses == [IPAddress("100.70.1.2")!])
        #expect(LinkState(addresses: [entry]).candidateAddresses == [])
    }

    @Test("an address that no peer is told of still carries what we send")
    func families() {
        let state = LinkState(
            addresses: [.init(interface: "v4-wwan0", prefix: IPPrefix("192.0.0.4/32")!)],
            defaultInterfaceV4: "v4-wwan0")
        #expect(state.candidateAddresses == [])
        #expect(state.canSendIPv4 && !state.canSendIPv6)
    }
}
