import ControlMessages
import Coordination
import CryptoPrimitives
import Foundation
import NetTypes

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

func machineKey(_ number: Int) -> MachineKey { MachineKey(bytes(number, tag: 1)) }
func nodeKey(_ number: Int) -> NodeKey { NodeKey(bytes(number, tag: 2)) }
func discoKey(_ number: Int) -> DiscoKey { DiscoKey(bytes(number, tag: 3)) }
private func bytes(_ number: Int, tag: UInt8) -> Bytes32 {
    var bytes = [UInt8](repeating: tag, count: 32)
    bytes[0] = UInt8(truncatingIfNeeded: number)
    bytes[1] = UInt8(truncatingIfNeeded: number >> 8)
    return Bytes32(bytes)
}

func hostinfo(_ hostname: String) -> Hostinfo {
    var hostinfo = Hostinfo()
    hostinfo.hostname = hostname
    hostinfo.operatingSystem = "linux"
    return hostinfo
}

/// A coordinator with its clock, which stores every change at once.
final class TestNetwork {
    var coordinator: Coordinator
    var now = Moment(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000),
        wall: Timestamp(rfc3339: "2026-11-24T08:00:00Z")!)
    var random = SeededRandom(state: 1)
    var events: [CoordinationEvent] = []
    /// Every change since the start.
    var log: [Change] = []

    init(_ edit: (inout CoordinationSettings) -> Void = { _ in }) {
        var settings = CoordinationSettings(
            serverURL: "https://mesh.example.org/", baseDomain: "mesh.example",
            derpMap: DERPMap(regions: [:]))
        edit(&settings)
        coordinator = Coordinator(state: CoordinationState(), settings: settings, at: now)
        _ = try! store(coordinator.createUser(name: "anna", at: now.wall))
        _ = try! store(coordinator.createUser(name: "ben", displayName: "Ben B.", at: now.wall))
    }

    @discardableResult
    func store<Reply: Sendable>(_ decision: Decision<Reply>) -> Reply {
        log += decision.changes
        events += coordinator.apply(decision.changes, at: now)
        return decision.reply
    }

    func advance(by time: Nanoseconds) {
        let end = now.monotonic + time
        while let deadline = coordinator.nextDeadline(at: now), deadline <= end {
            step(to: max(deadline, now.monotonic))
            let decision = coordinator.handleTimeout(at: now)
            events += decision.reply
            store(decision)
            if coordinator.nextDeadline(at: now) == deadline { break }
        }
        step(to: end)
    }

    private func step(to instant: MonotonicInstant) {
        now.wall = now.wall + (instant - now.monotonic)
        now.monotonic = instant
    }

    func takeEvents() -> [CoordinationEvent] {
        defer { events = [] }
        return events
    }

    /// The text of a new key.
    func key(
        user: String = "anna", _ edit: (inout Coordinator.PreAuthKeyOptions) -> Void = { _ in }
    ) -> String {
        var options = Coordinator.PreAuthKeyOptions()
        edit(&options)
        let decision = try! coordinator.createPreAuthKey(
            user: user, options, at: now.wall, random: &random)
        return store(decision).text
    }

    func send(
        _ request: RegisterRequest, machine: Int, capabilityVersion: Int = 133
    ) -> RegistrationReply {
        let decision = coordinator.register(
            request, from: machineKey(machine), capabilityVersion: capabilityVersion, at: now,
            random: &random)
        return store(decision)
    }

    func respond(_ request: RegisterRequest, machine: Int) -> RegisterResponse {
        switch send(request, machine: machine) {
        case .respond(let response): return response
        case .wait(let id): return RegisterResponse(error: "waits for \(id)")
        }
    }

    /// Registers machine `number` with node key `number` under a new key.
    @discardableResult
    func join(
        _ number: Int, user: String = "anna", hostname: String? = nil,
        _ edit: (inout Coordinator.PreAuthKeyOptions) -> Void = { _ in }
    ) -> NodeRecord {
        let request = RegisterRequest(
            nodeKey: nodeKey(number), authKey: key(user: user, edit),
            hostinfo: hostinfo(hostname ?? "host\(number)"))
        let response = respond(request, machine: number)
        precondition(response.error.isEmpty, response.error)
        return record(number)!
    }

    func isOnline(_ number: Int) -> Bool { coordinator.isOnline(record(number)!.id) }

    func record(_ number: Int) -> NodeRecord? { coordinator.state.node(key: nodeKey(number)) }

    /// Stores what a node tells and begins a session of it.
    func connect(_ number: Int) {
        tell(number) { $0.isStreaming = true }
        events += coordinator.sessionBegan(of: record(number)!.id)
    }

    func disconnect(_ number: Int) {
        coordinator.sessionEnded(of: record(number)!.id, at: now)
    }

    func tell(_ number: Int, _ edit: (inout MapRequest) -> Void) {
        var request = MapRequest(nodeKey: nodeKey(number), discoKey: discoKey(number))
        edit(&request)
        let decision = try! coordinator.update(
            request, from: record(number)!.machineKey, capabilityVersion: 133)
        store(decision)
    }

    func map(_ number: Int) -> MapResponse { coordinator.map(for: record(number)!.id, at: now)! }

    /// What the session of a node would send for the events so far.
    func delta(_ number: Int, _ events: [CoordinationEvent]) -> MapResponse? {
        let id = record(number)!.id
        var pending = PendingChanges()
        for event in events { pending.note(event, viewer: id) }
        return coordinator.delta(for: id, pending, at: now)
    }
}

/// The recorded conversation in Tests/Fixtures/ControlCapture.
func captured(_ file: String) -> JSON {
    let url = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/ControlCapture/\(file).json")
    return try! JSON(parsing: Array(Data(contentsOf: url)))
}
