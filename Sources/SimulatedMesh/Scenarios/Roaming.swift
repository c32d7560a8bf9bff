import NetReport
import NetTypes
import PathEngine
import SimulatedNetwork

extension Mesh {
    /// The node's machine gets another address behind another router, which its monitor notices
    /// 20 ms later: the engines are told, and relays dialled anew.
    package func roam(_ index: Int, to kind: NATKind = .portRestricted) {
        roamCount += 1
        let number = UInt8(roamCount)
        let node = nodes[index]
        let delay = Nanoseconds.milliseconds(Int64(5 + node.random.below(16)))
        guard let behavior = kind.behavior else {
            preconditionFailure("one roams to another router")
        }
        let elsewhere = network.addRouter(
            behavior, outside: [.v4(IPv4Address(192, 0, 2, number))],
            link: SimulatedNetwork.Link(delay: delay, jitter: .milliseconds(2)))
        network.move(
            node.host, to: [.v4(IPv4Address(10, 7, number, 2))], behind: elsewhere)
        after(.milliseconds(20)) { $0.noteLinkChange(of: index) }
    }

    /// What the driver does when links, addresses or routes change.
    package func noteLinkChange(of index: Int) {
        let node = nodes[index]
        setLocalEndpoints(of: index)
        node.paths.handleLinkChange(at: now)
        node.report.handleLinkChange(at: now)
        network.reconnectRelays(node.nodeKey)
        drain(index)
    }

    /// The node's machine sleeps: nothing is sent, nothing received, no timer fires.
    package func suspend(_ index: Int) { network.suspend(nodes[index].host) }

    /// It wakes: timers that are overdue fire, and the relay connections, which have died, are
    /// dialled anew.
    package func resume(_ index: Int) {
        network.resume(nodes[index].host)
        network.reconnectRelays(nodes[index].nodeKey)
        setTimer(of: index)
    }
}

extension Scenario {
    static var roaming: [Scenario] {
        [
            roam("one roams", both: false, tells: true),
            roam("both roam at once", both: true, tells: true),
            roam("both roam at once, control server unreachable", both: true, tells: false),
            roamUntilDirect,
        ]
    }

    /// From the change of address to flow in both directions.
    private static func roam(_ name: String, both: Bool, tells: Bool) -> Scenario {
        Scenario(
            name: "\(name): to flow", unit: .milliseconds, goal: 1_000, percentile: 99,
            seedCount: 50
        ) { seed in
            guard let mesh = Mesh.connected(seed, .portRestricted, .portRestricted) else {
                return nil
            }
            mesh.sharesEndpoints = tells
            mesh.roam(0)
            if both { mesh.roam(1) }
            return mesh.longestSilence(for: .seconds(6)) { $0.sendData(from: 0, to: 1) }?
                .wholeMilliseconds
        }
    }

    private static var roamUntilDirect: Scenario {
        Scenario(
            name: "both roam at once: to a direct path", unit: .milliseconds, goal: 1_000,
            percentile: 95, seedCount: 50
        ) { seed in
            guard let mesh = Mesh.connected(seed, .portRestricted, .portRestricted) else {
                return nil
            }
            mesh.roam(0)
            mesh.roam(1)
            // Until the engines know, they take the old path for good.
            mesh.exchange(0, 1, every: .milliseconds(10), for: .milliseconds(30))
            return mesh.timeUntilDirect(0, 1, limit: .seconds(10)).map {
                ($0 + .milliseconds(30)).wholeMilliseconds
            }
        }
    }

    static var sleep: [Scenario] {
        [
            sleep("ten minutes asleep: to the first packet of the sleeper") { mesh in
                let start = mesh.now
                mesh.nodes[0].firstArrival[1] = nil
                mesh.nodes[0].lastArrival[1] = nil
                mesh.exchange(1, 0, every: .milliseconds(20), for: .seconds(3))
                return mesh.nodes[0].firstArrival[1].map { $0 - start }
            },
            sleep("ten minutes asleep: to a direct path") { mesh in
                mesh.timeUntilDirect(1, 0, limit: .seconds(10))
            },
        ]
    }

    private static func sleep(
        _ name: String, _ measure: @escaping @Sendable (Mesh) -> Nanoseconds?
    ) -> Scenario {
        Scenario(name: name, unit: .milliseconds, goal: 1_000, percentile: 95, seedCount: 50) {
            seed in
            guard let mesh = Mesh.connected(seed, .portRestricted, .portRestricted) else {
                return nil
            }
            mesh.suspend(1)
            mesh.run(for: .minutes(10))
            mesh.resume(1)
            return measure(mesh)?.wholeMilliseconds
        }
    }
}
