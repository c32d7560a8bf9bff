package import NetTypes
import PathEngine

/// What became of one pair with one seed.
package struct GridOutcome: Equatable, Sendable {
    /// From the first packet of the sender to its arrival, handshake included.
    package var firstPacket: Nanoseconds?
    /// From the first packet of the sender until both sides send directly, and do so a second later.
    package var direct: Nanoseconds?
    /// Disco and STUN packets of both sides, by UDP and by relay, from the first packet of the sender
    /// until a second after they are direct, or to the end.
    package var packets: Int

    package init(firstPacket: Nanoseconds?, direct: Nanoseconds?, packets: Int) {
        self.firstPacket = firstPacket
        self.direct = direct
        self.packets = packets
    }
}

/// The rules of one run of the grid.
enum GridRun {
    /// Time for STUN and the control server before anything is sent.
    static var settling: Nanoseconds { .seconds(5) }
    /// Traffic goes on for this long where a direct path may come…
    static var patience: Nanoseconds { .seconds(30) }
    /// …and for this long where none can.
    static var patienceWithoutHope: Nanoseconds { .seconds(10) }
    /// Time between packets in the first two seconds, and later.
    static var interval: Nanoseconds { .milliseconds(20) }
    static var laterInterval: Nanoseconds { .milliseconds(100) }
}

extension GridPair {
    /// Both nodes come up, learn of each other by the control server, and are quiet for five seconds.
    /// Then one of them, by turns of the seeds, sends packets that the other answers.
    package func run(seed: UInt64) -> GridOutcome {
        let mesh = mesh(seed: seed, swapped: seed % 2 == 0)
        mesh.handshakes = true
        mesh.start()
        mesh.run(for: GridRun.settling)
        let start = mesh.now
        let spentBefore = mesh.overheadSent
        var outcome = GridOutcome(firstPacket: nil, direct: nil, packets: 0)
        let patience = theory == .none ? GridRun.patienceWithoutHope : GridRun.patience
        while mesh.now - start < patience {
            mesh.sendData(from: 0, to: 1)
            let isEarly = mesh.now - start < .seconds(2)
            var directAt: MonotonicInstant?
            mesh.run(for: isEarly ? GridRun.interval : GridRun.laterInterval) {
                let isDirect = mesh.sendsDirectly(0, to: 1) && mesh.sendsDirectly(1, to: 0)
                directAt = isDirect ? directAt ?? mesh.now : nil
            }
            if let directAt, mesh.staysDirect() {
                outcome.direct = directAt - start
                break
            }
        }
        outcome.firstPacket = mesh.nodes[1].firstArrival[0].map { $0 - start }
        outcome.packets = mesh.overheadSent - spentBefore
        return outcome
    }
}

extension Mesh {
    package var overheadSent: Int { nodes.reduce(0) { $0 + $1.overheadSent } }

    fileprivate func sendsDirectly(_ one: Int, to other: Int) -> Bool {
        let route = nodes[one].paths.currentRoute(for: other, at: now)
        return route.direct != nil && route.relayRegion == nil
    }

    /// Traffic of a second: whether both sides are direct at its end, and data has come directly.
    fileprivate func staysDirect() -> Bool {
        let before = (nodes[0].directArrivals[1] ?? 0, nodes[1].directArrivals[0] ?? 0)
        exchange(0, 1, every: GridRun.laterInterval, for: .seconds(1))
        return sendsDirectly(0, to: 1) && sendsDirectly(1, to: 0)
            && (nodes[0].directArrivals[1] ?? 0) > before.0
            && (nodes[1].directArrivals[0] ?? 0) > before.1
    }
}
