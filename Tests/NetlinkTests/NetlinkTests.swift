import NetTypes
import Netlink
import Testing

/// Replies of a Linux 6.18 kernel, captured in a network namespace set up with iproute2.
@Suite struct NetlinkTests {
    /// Calls `body` with the first message of `hex`.
    private func withMessage<Result>(
        _ hex: String, _ body: (borrowing NetlinkMessage) throws -> Result
    ) throws -> Result {
        let bytes = try #require(Hexadecimal.decode(hex))
        var reader = NetlinkReader(bytes.span.bytes)
        guard let message = try reader.next() else {
            throw NetlinkError.truncated(needed: 16, have: 0)
        }
        return try body(message)
    }
    private func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }

    @Test func `Links have a name, an MTU and a state`() throws {
        let up = try withMessage(
            "900000001000020007000000bd51000000000403010000004900010000000000070003006c6f0000"
                + "08000d00e803000005001000000000000500110000000000050043000100000008000400"
                + "000001000800320000000000080033000000000008001b000000000008001e0000000000"
                + "08003d000000000008001f000100000008002800ffff00000800290000000100"
        ) { message in
            #expect(message.type == .newLink)
            #expect(message.flags == .multipart)
            #expect(message.sequence == 7)
            return try Link(parsing: message.payload)
        }
        #expect(up.index == 1 && up.name == "lo" && up.mtu == 65_536)
        #expect(up.isUp && up.isRunning && up.isLoopback)
        let veth = try withMessage(
            "940000001000020007000000bd510000000001000300000043100100000000000a00030076657468"
                + "3000000008000d00e8030000050010000600000005001100000000000500430000000000"
                + "0800040078050000080032004400000008003300ffff000008001b000000000008001e00"
                + "0000000008003d000000000008001f000200000008002800ffff00000800290000000100"
        ) { try Link(parsing: $0.payload) }
        #expect(veth.index == 3 && veth.name == "veth0" && veth.mtu == 1400)
        #expect(veth.isUp && veth.isRunning && !veth.isLoopback)
    }

    @Test func `Addresses have a prefix, an interface and a scope`() throws {
        let v4 = try withMessage(
            "500000001400020007000000bd510000021880000300000008000100c000020108000200c0000201"
                + "0a0003007665746830000000080008008000000014000600ffffffffffffffff0f8d0400"
                + "0f8d0400"
        ) { try InterfaceAddress(parsing: $0.payload) }
        #expect(v4 == InterfaceAddress(linkIndex: 3, prefix: prefix("192.0.2.1/24")))
        let v6 = try withMessage(
            "480000001400020007000000bd5100000a408200030000001400010020010db80000000000000000"
                + "0000000114000600ffffffffffffffff0f8d04000f8d04000800080082000000"
        ) { try InterfaceAddress(parsing: $0.payload) }
        #expect(v6 == InterfaceAddress(linkIndex: 3, prefix: prefix("2001:db8::1/64")))
        let tentative = try withMessage(
            "500000001400020007000000bd5100000a40c0fd0200000014000100fe80000000000000d0e088ff"
                + "fe4f473114000600ffffffffffffffff0f8d04000f8d040008000800c000000005000b00"
                + "03000000"
        ) { try InterfaceAddress(parsing: $0.payload) }
        #expect(tentative.isLinkScope && tentative.isUnsteady)
        #expect(tentative.prefix == prefix("fe80::d0e0:88ff:fe4f:4731/64"))
    }

    @Test func `Routes have a table, a way out and a maker`() throws {
        let ours = try withMessage(
            "340000001800020007000000bd510000022000003453fd010000000008000f003400000008000100"
                + "644000020800040002000000"
        ) { try Route(parsing: $0.payload) }
        #expect(
            ours
                == Route(
                    prefix("100.64.0.2/32"), table: 52, linkIndex: 2, origin: RouteOrigin.skein))
        let excluded = try withMessage(
            "2c0000001800020007000000bd51000002080000345300090000000008000f003400000008000100"
                + "0a000000"
        ) { try Route(parsing: $0.payload) }
        #expect(
            excluded
                == Route(
                    prefix("10.0.0.0/8"), table: 52, kind: .throwToNextRule,
                    origin: RouteOrigin.skein))
        let standard = try withMessage(
            "340000001800020007000000bd51000002000000fe0300010000000008000f00fe00000008000500"
                + "c00002fe0800040003000000"
        ) { try Route(parsing: $0.payload) }
        #expect(standard.destination == prefix("0.0.0.0/0"))
        #expect(standard.table == Route.mainTable && standard.linkIndex == 3)
        #expect(standard.gateway == IPAddress("192.0.2.254"))
        let local = try withMessage(
            "3c0000001800020007000000bd51000002200000ff02fe020000000008000f00ff00000008000100"
                + "7f000001080007007f0000010800040001000000"
        ) { try Route(parsing: $0.payload) }
        #expect(local.kind == .other(2) && local.table == 255)
    }

    @Test func `Rules have a priority, a mark and an action`() throws {
        let mark = RoutingRule.Mark(value: 0x80000, mask: 0xFF0000)
        let toMain = try withMessage(
            "4c0000002000020007000000bd51000002000000fe0000010000000008000f00fe00000008000e00"
                + "ffffffff0500150000000000080006005a14000008000a0000000800080010000000ff00"
        ) { try RoutingRule(parsing: $0.payload) }
        #expect(
            toMain
                == RoutingRule(
                    .v4, priority: 5210, mark: mark, action: .lookUp(table: 254), origin: 0)
        )
        let unreachable = try withMessage(
            "4c0000002000020007000000bd51000002000000000000070000000008000f000000000008000e00"
                + "ffffffff0500150000000000080006008214000008000a0000000800080010000000ff00"
        ) { try RoutingRule(parsing: $0.payload) }
        #expect(unreachable.action == .unreachable && unreachable.priority == 5250)
        let ours = try withMessage(
            "3c0000002000020007000000bd5100000a000000340000010000000008000f003400000008000e00"
                + "ffffffff05001500530000000800060096140000"
        ) { try RoutingRule(parsing: $0.payload) }
        #expect(
            ours
                == RoutingRule(
                    .v6, priority: 5270, action: .lookUp(table: 52), origin: RouteOrigin.skein))
    }

    @Test func `Families other than IP are refused`() throws {
        // The rules of IPv4 multicast routing, which a dump of all families contains.
        #expect(throws: NetlinkError.badAddress) {
            try withMessage(
                "3c0000002000020007000000bd51000080000000fd0000010000000008000f00fd00000008000e00"
                    + "ffffffff050015000200000008000600ff7f0000"
            ) { _ = try RoutingRule(parsing: $0.payload) }
        }
    }

    @Test func `Errors carry the number and acknowledgements zero`() throws {
        let code = try withMessage(
            "2c0000000200000009000000bd510000eaffffff180000001400050609000000000000000221000001000000"
        ) { $0.errorCode }
        #expect(code == 22)
        let acknowledged = try withMessage(
            "2c0000000200000009000000bd51000000000000180000001400050609000000000000000221000001000000"
        ) { $0.errorCode }
        #expect(acknowledged == 0)
        let smallest = try withMessage("140000000200000009000000bd51000000000080") { $0.errorCode }
        #expect(smallest == Int32.max)
        let short = try withMessage("100000000200000009000000bd510000") { $0.errorCode }
        #expect(short == nil)
    }

    @Test func `A request reads as what it was made of`() throws {
        func reread<Value>(
            _ request: NetlinkRequest, _ parse: (RawSpan) throws -> Value
        ) throws -> Value {
            let bytes = request.encoded(sequence: 42)
            var reader = NetlinkReader(bytes.span.bytes)
            guard let message = try reader.next() else { throw NetlinkError.badLength(0) }
            #expect(message.sequence == 42)
            #expect(message.flags.contains([.request, .acknowledge]))
            return try parse(message.payload)
        }
        for text in ["100.64.0.1/32", "fd7a:115c:a1e0::1/128"] {
            let address = InterfaceAddress(linkIndex: 5, prefix: prefix(text))
            #expect(try reread(address.addRequest) { try InterfaceAddress(parsing: $0) } == address)
            #expect(
                try reread(address.deleteRequest) { try InterfaceAddress(parsing: $0) } == address)
        }
        for text in ["100.64.0.0/10", "0.0.0.0/0", "fd7a:115c:a1e0::/48", "::/0"] {
            for table: UInt32 in [52, 5200] {
                var route = Route(prefix(text), table: table, linkIndex: 5, origin: 83)
                #expect(try reread(route.addRequest) { try Route(parsing: $0) } == route)
                route.kind = .throwToNextRule
                route.linkIndex = nil
                #expect(try reread(route.deleteRequest) { try Route(parsing: $0) } == route)
            }
        }
        for family in AddressFamily.allCases {
            for action: RoutingRule.Action in [
                .lookUp(table: 254), .lookUp(table: 1000), .unreachable,
            ] {
                let rule = RoutingRule(
                    family, priority: 5210, mark: .init(value: 0x80000, mask: 0xFF0000),
                    action: action, origin: 83)
                #expect(try reread(rule.addRequest) { try RoutingRule(parsing: $0) } == rule)
            }
        }
    }

    @Test func `The bytes of a request`() {
        let route = Route(prefix("100.64.0.2/32"), table: 52, linkIndex: 2, origin: 83)
        // Header, struct rtmsg, then RTA_DST, RTA_TABLE and RTA_OIF.
        #expect(
            Hexadecimal.encode(route.addRequest.encoded(sequence: 1))
                == "340000001800050501000000000000000220000034" + "53fd0100000000"
                + "0800010064400002" + "08000f0034000000" + "0800040002000000")
    }

    @Test func `Lengths that lie are errors`() throws {
        let good =
            "340000001800020007000000bd510000022000003453fd010000000008000f003400000008000100"
            + "644000020800040002000000"
        let bytes = try #require(Hexadecimal.decode(good))
        func error(_ bytes: [UInt8]) -> NetlinkError? {
            var reader = NetlinkReader(bytes.span.bytes)
            do throws(NetlinkError) {
                while let message = try reader.next() { _ = try Route(parsing: message.payload) }
                return nil
            } catch { return error }
        }
        #expect(error(bytes) == nil)
        #expect(error(bytes + bytes) == nil)
        #expect(error(Array(bytes.dropLast())) == .badLength(52))
        #expect(error([UInt8](bytes[..<12])) == .truncated(needed: 16, have: 12))
        var changed = bytes
        changed[0] = 15
        #expect(error(changed) == .badLength(15))
        changed = bytes
        changed[28] = 3
        #expect(error(changed) == .badLength(3))
        changed[28] = 100
        #expect(error(changed) == .badLength(100))
        changed = bytes
        changed[17] = 33
        #expect(error(changed) == .badLength(33))
        changed = bytes
        changed[16] = 10
        #expect(error(changed) == .badAddress)
    }

    @Test func `No bytes make the parsers trap`() throws {
        let seeds = try [
            "340000001800020007000000bd510000022000003453fd010000000008000f003400000008000100"
                + "644000020800040002000000",
            "4c0000002000020007000000bd51000002000000fe0000010000000008000f00fe00000008000e00"
                + "ffffffff0500150000000000080006005a14000008000a0000000800080010000000ff00",
            "480000001400020007000000bd5100000a408200030000001400010020010db80000000000000000"
                + "0000000114000600ffffffffffffffff0f8d04000f8d04000800080082000000",
        ].map { try #require(Hexadecimal.decode($0)) }
        var state: UInt64 = 9
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var parsed = 0
        for round in 0..<20_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...random(3) { bytes[random(bytes.count)] = UInt8(random(256)) }
            bytes.removeLast(round % 4 == 0 ? random(bytes.count) : 0)
            var reader = NetlinkReader(bytes.span.bytes)
            while let message = try? reader.next() {
                if (try? Link(parsing: message.payload)) != nil { parsed += 1 }
                if (try? InterfaceAddress(parsing: message.payload)) != nil { parsed += 1 }
                if (try? Route(parsing: message.payload)) != nil { parsed += 1 }
                if (try? RoutingRule(parsing: message.payload)) != nil { parsed += 1 }
                _ = message.errorCode
            }
        }
        #expect(parsed > 5000)
    }
}
