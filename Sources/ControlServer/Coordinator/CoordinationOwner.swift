import ControlMessages
package import Coordination
package import CryptoPrimitives
import Logging
import NetTypes
package import SignIn

/// Owns the coordinator: everything that looks at the network or changes it passes through here.
///
/// A decision's changes count at once for the next decision, but its reply and its events go out
/// only after they are stored. What is decided while a transaction runs is stored in the next one
/// together, so that many nodes that join at once share the cost of writing.
package actor CoordinationOwner {
    /// The stored state could not be written; nothing of the request happened.
    package struct StorageFailure: Error {}

    var coordinator: Coordinator
    var desk: SignInDesk
    let clock: ServerClock
    let logger: Logger
    private let storage: Storage
    private var random = SecureRandom()

    // Storing
    private var batch = Batch()
    private var committing: Task<Void, Never>?
    private var isFailing = false

    // Who is told
    var sessions: [MapSessionID: MapSessionState] = [:]
    var sessionsByNode: [NodeID: [MapSessionID]] = [:]
    var nextSession: UInt64 = 0
    /// The message made last for nodes that are not its subject; nil once the network changed.
    var lastDelta: (pending: PendingChanges, message: SharedMessage?)?
    private var loginWaiters: [PendingLoginID: [UInt64: CheckedContinuation<Void, Never>]] = [:]
    private var nextWaiter: UInt64 = 0
    /// Called for each node that is removed or whose key expired.
    private let nodeRemoved: @Sendable (NodeKey) -> Void

    // Time
    private var sleep: Task<Void, Never>?
    /// How often `run` has looked at the clock.
    private(set) var timerRounds = 0

    private struct Batch {
        var changes: [Change] = []
        var events: [CoordinationEvent] = []
        var waiters: [CheckedContinuation<Void, any Error>] = []
        var isEmpty: Bool { changes.isEmpty && events.isEmpty && waiters.isEmpty }
    }

    init(
        settings: CoordinationSettings, accounts: Accounts, storage: Storage,
        clock: ServerClock, logger: Logger, nodeRemoved: @escaping @Sendable (NodeKey) -> Void
    ) async throws {
        self.storage = storage
        self.clock = clock
        self.logger = logger
        self.nodeRemoved = nodeRemoved
        coordinator = Coordinator(
            state: try await storage.load(), settings: settings, at: clock.now)
        desk = SignInDesk(
            accounts,
            decoy: PasswordHash.decoy(cost: accounts.settings.passwordCost, random: &random),
            at: clock.now)
    }

    // MARK: Deciding

    /// Lets `decide` look at the network and returns its reply once its changes are stored. What
    /// the audit log says of them names `initiator`.
    package func perform<Reply: Sendable>(
        by initiator: Initiator = .server,
        _ decide: (inout Coordinator, Moment, inout SecureRandom) throws -> Decision<Reply>
    ) async throws -> Reply {
        let now = clock.now
        let decision = try decide(&coordinator, now, &random)
        try await store(decision.changes, by: initiator, at: now)
        return decision.reply
    }

    /// As `perform`, for what concerns sessions and accounts.
    package func attend<Reply: Sendable>(
        by initiator: Initiator,
        _ decide: (
            inout SignInDesk, inout Coordinator, Moment, inout SecureRandom
        ) throws -> Decision<Reply>
    ) async throws -> Reply {
        let now = clock.now
        let decision = try decide(&desk, &coordinator, now, &random)
        try await store(decision.changes, by: initiator, at: now)
        return decision.reply
    }

    /// As `attend`, for what changes nothing that is stored.
    package func consult<Reply: Sendable>(
        _ look: (inout SignInDesk, borrowing Coordinator, Moment, inout SecureRandom) -> Reply
    ) -> Reply {
        look(&desk, coordinator, clock.now, &random)
    }

    /// Does what an administrator asks.
    func administer(_ decide: AdminService.Decide) async throws -> AdminReply {
        let now = clock.now
        let decision = decide(&coordinator, now, &random)
        try await store(
            decision.changes, events: decision.reply.events, by: .commandLine, at: now)
        return decision.reply.reply
    }

    /// Looks at the network without changing it. What is seen may not be stored yet.
    package func read<Result: Sendable>(_ look: (borrowing Coordinator, Moment) -> Result) -> Result
    {
        look(coordinator, clock.now)
    }

    /// Applies changes and returns when they, and all that was decided before, are stored.
    private func store(
        _ changes: [Change], events: [CoordinationEvent] = [], by initiator: Initiator,
        at now: Moment
    ) async throws {
        let changes =
            changes
            + coordinator.state.auditEntries(of: changes, by: initiator, at: now.wall)
            .map { .audit($0) }
        let isIdle = batch.isEmpty && committing == nil
        lastDelta = nil
        let events = events + coordinator.apply(changes, at: now)
        if changes.isEmpty, isIdle {
            deliver(events)
            return
        }
        batch.changes += changes
        batch.events += events
        pullAlarm()
        try await withCheckedThrowingContinuation { waiter in
            batch.waiters.append(waiter)
            if committing == nil { committing = Task { await self.commitAll() } }
        }
    }

    private func commitAll() async {
        while !batch.isEmpty {
            let current = batch
            batch = Batch()
            do {
                if !current.changes.isEmpty { try await storage.commit(current.changes) }
            } catch {
                await recover(from: error, current.waiters)
                continue
            }
            isFailing = false
            deliver(current.events)
            for waiter in current.waiters { waiter.resume() }
        }
        committing = nil
    }

    /// Goes back to what is stored. Decisions made meanwhile were built on what is lost, so they
    /// fail too, and every session begins anew.
    private func recover(
        from error: any Error, _ waiters: [CheckedContinuation<Void, any Error>]
    ) async {
        isFailing = true
        logger.critical("cannot store changes", metadata: ["error": "\(error)"])
        do {
            let state = try await storage.load()
            coordinator.replaceState(state, at: clock.now)
            lastDelta = nil
        } catch {
            logger.critical("cannot read the stored state", metadata: ["error": "\(error)"])
        }
        let failed = waiters + batch.waiters
        batch = Batch()
        endAllSessions()
        for waiter in failed { waiter.resume(throwing: StorageFailure()) }
    }

    private func deliver(_ events: [CoordinationEvent]) {
        guard !events.isEmpty else { return }
        pullAlarm()
        noteInSessions(events)
        for event in events {
            switch event {
            case .loginSettled(let id):
                for waiter in loginWaiters.removeValue(forKey: id)?.values ?? [:].values {
                    waiter.resume()
                }
            case .nodeRemoved(let node): nodeRemoved(node.nodeKey)
            case .nodeChanged(let id, let aspects):
                // A node whose key is no good any more has nothing to do at the relay either.
                if aspects.contains(.whole), let node = coordinator.state.nodes[id],
                    node.isExpired(at: clock.now.wall)
                {
                    nodeRemoved(node.nodeKey)
                }
            case .userChanged, .relayRulesChanged: break
            }
        }
    }

    /// Fails when the last attempt to store something failed.
    func checkHealth() throws {
        if isFailing { throw StorageFailure() }
    }

    /// Returns when everything that was decided is stored.
    func finish() async { await committing?.value }

    /// Delivers events that come with no changes, after all that was decided before.
    func announce(_ events: [CoordinationEvent]) {
        if batch.isEmpty, committing == nil {
            deliver(events)
        } else {
            batch.events += events
        }
    }

    // MARK: Registration

    /// Answers a registration; with `Followup` that takes until a person has decided.
    func register(
        _ request: RegisterRequest, from connection: MachineConnection,
        certificate: MachineCertificateFinding = .absent
    ) async throws -> RegisterResponse {
        while true {
            let name = coordinator.state.node(key: request.nodeKey)?.name ?? ""
            let node = Initiator(.node, name: name, address: connection.remoteAddress)
            let reply = try await perform(by: node) { coordinator, now, random in
                coordinator.register(
                    request, from: connection.machineKey,
                    capabilityVersion: connection.capabilityVersion,
                    address: connection.remoteAddress, certificate: certificate, at: now,
                    random: &random)
            }
            switch reply {
            case .respond(let response): return response
            case .wait(let id):
                // Settled while its changes were stored: the next round knows how.
                guard coordinator.waitingLogin(id) != nil else { continue }
                await waitForLogin(id)
                try Task.checkCancellation()
            }
        }
    }

    private func waitForLogin(_ id: PendingLoginID) async {
        let number = nextWaiter
        nextWaiter += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                if Task.isCancelled {
                    waiter.resume()
                } else {
                    loginWaiters[id, default: [:]][number] = waiter
                }
            }
        } onCancel: {
            // The handler may not wait; the task only reaches this actor.
            Task { await self.stopWaiting(number, for: id) }
        }
    }

    private func stopWaiting(_ number: UInt64, for id: PendingLoginID) {
        loginWaiters[id]?.removeValue(forKey: number)?.resume()
        if loginWaiters[id]?.isEmpty == true { loginWaiters[id] = nil }
    }

    // MARK: Time

    /// Sleep follows the monotonic clock, keys expire by the wall clock: so soon it is noticed when
    /// that was set.
    private static var clockCheckInterval: Nanoseconds { .minutes(1) }

    /// The next deadline may have changed.
    func pullAlarm() { sleep?.cancel() }

    /// Does what falls due until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            timerRounds += 1
            let now = clock.now
            if let deadline = earliest(coordinator.nextDeadline(at: now), desk.nextDeadline) {
                if deadline <= now.monotonic {
                    await handleTimeout(at: now)
                    continue
                }
                await sleepUntilAlarm(
                    atMost: min(deadline - now.monotonic, Self.clockCheckInterval))
            } else {
                await sleepUntilAlarm(atMost: Self.clockCheckInterval)
            }
        }
    }

    private func handleTimeout(at now: Moment) async {
        lastDelta = nil
        let decision = coordinator.handleTimeout(at: now)
        let sessions = desk.handleTimeout(in: coordinator.state, at: now)
        do {
            try await store(
                decision.changes + sessions.changes, events: decision.reply, by: .server, at: now)
        } catch {
            logger.error("what fell due was not stored", metadata: ["error": "\(error)"])
            // It is still due: without a pause a full disk would keep this loop busy.
            await sleepUntilAlarm(atMost: .seconds(1))
        }
    }

    /// Nothing can happen between the look at the deadline and the beginning of the sleep, because
    /// both run on this actor without a pause.
    private func sleepUntilAlarm(atMost pause: Nanoseconds) async {
        // Cancelling the sleep is how the alarm ends it, so that error carries no news.
        let sleep = Task { _ = try? await Task.sleep(for: .nanoseconds(pause.count)) }
        self.sleep = sleep
        await withTaskCancellationHandler {
            await sleep.value
        } onCancel: {
            sleep.cancel()
        }
        self.sleep = nil
    }
}
