import NetTypes
import STUN

/// Finds out how long the NAT in our way keeps a mapping that no packet passes (RFC 5780 §4.6).
///
/// One spare socket makes a mapping by asking a STUN server, and asks once more a little later, as data
/// would. After a time in which nothing passes, a second socket has the server answer to the first
/// one's outside port (RESPONSE-PORT). What arrives shows that the mapping lives; when nothing does
/// although the server is there, it is gone. The times are those of `LifetimeBounds`.
///
/// Of a server that does not know RESPONSE-PORT the first socket asks again, and a changed port shows
/// that the mapping was lost. That the port is the same shows that it was kept only where the NAT
/// does not give the old one again.
///
/// A test costs about ten small packets and the waiting is done while the node is in use, so that no
/// idle node wakes for it: a test that is due then waits longer instead.
struct LifetimeSearch {
    enum Outcome: Equatable {
        case found
        /// The server does not answer.
        case noServer
        /// It cannot be found out here.
        case impossible
    }

    private enum Purpose {
        /// The first socket asks.
        case touch
        /// The second socket asks for an answer to the first.
        case test(gap: Nanoseconds)
        /// The second socket asks for itself, because the test brought nothing.
        case check(gap: Nanoseconds)
        /// The first socket asks, to compare.
        case comparison(gap: Nanoseconds)
    }

    private struct Question {
        let purpose: Purpose
        let id: STUNTransactionID
        let askedAt: MonotonicInstant
        var tries = 0

        var nextAt: MonotonicInstant {
            let delays = LifetimeTiming.retryDelays
            return askedAt
                + (tries < delays.count
                    ? delays[tries] : delays[tries - 1] + LifetimeTiming.patience)
        }
    }

    static var socketCount: Int { 2 }

    let server: Endpoint
    /// Whether a mapping that is made anew gets another port.
    let portsDiffer: Bool
    private(set) var bounds = LifetimeBounds()
    private(set) var outcome: Outcome?
    private var knowsResponsePort = true
    private var question: Question?
    /// Of the first socket.
    private var mapped: Endpoint?
    private var touchCount = 0
    private var touchedAt: MonotonicInstant
    private var dueAt: MonotonicInstant

    init(server: Endpoint, portsDiffer: Bool, at now: MonotonicInstant) {
        self.server = server
        self.portsDiffer = portsDiffer
        touchedAt = now
        dueAt = now
    }

    /// Nil as long as there is nothing to do: tests wait until the node is in use.
    func nextDeadline(isInUse: Bool) -> MonotonicInstant? {
        guard outcome == nil else { return nil }
        if let question { return question.nextAt }
        return touchCount < 2 || isInUse ? dueAt : nil
    }

    // MARK: Time

    mutating func handleTimeout(
        isInUse: Bool, at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> [NetReportTransmit] {
        guard let due = nextDeadline(isInUse: isInUse), due <= now else { return [] }
        if question == nil { begin(at: now, &random) }
        if let question, question.tries == LifetimeTiming.retryDelays.count {
            giveUp(question, at: now, &random)
        }
        guard outcome == nil, let asked = question, asked.nextAt <= now else { return [] }
        question?.tries += 1
        return [transmit(asked)]
    }

    private mutating func begin(
        at now: MonotonicInstant, _ random: inout some RandomNumberGenerator
    ) {
        let gap = now - touchedAt
        if touchCount < 2 {
            ask(.touch, at: now, &random)
        } else {
            ask(knowsResponsePort ? .test(gap: gap) : .comparison(gap: gap), at: now, &random)
        }
    }

    private mutating func ask(
        _ purpose: Purpose, at now: MonotonicInstant, _ random: inout some RandomNumberGenerator
    ) {
        question = Question(
            purpose: purpose, id: STUNTransactionID(random: &random), askedAt: now)
    }

    private func transmit(_ question: Question) -> NetReportTransmit {
        let socket: Int
        var bytes = STUNRequest.encode(question.id)
        switch question.purpose {
        case .touch, .comparison: socket = 0
        case .check: socket = 1
        case .test:
            socket = 1
            bytes = STUNRequest.encode(question.id, responsePort: mapped?.port ?? 0)
        }
        return NetReportTransmit(destination: server, bytes: bytes, probeSocket: socket)
    }

    private mutating func giveUp(
        _ asked: Question, at now: MonotonicInstant, _ random: inout some RandomNumberGenerator
    ) {
        switch asked.purpose {
        case .test(let gap): ask(.check(gap: gap), at: now, &random)
        case .touch, .check, .comparison: outcome = .noServer
        }
    }

    // MARK: Answers

    mutating func handleDatagram(
        _ datagram: RawSpan, on socket: Int, from source: Endpoint, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) {
        guard source == server, let asked = question else { return }
        // What is no STUN is nothing to us.
        if let refusal = try? STUNErrorResponse(datagram), refusal.id == asked.id {
            if case .test = asked.purpose { doWithoutResponsePort(asked, at: now, &random) }
            return
        }
        guard let response = try? STUNResponse(datagram), response.id == asked.id else { return }
        switch (asked.purpose, socket) {
        case (.touch, 0): noteTouch(response.mappedEndpoint, at: now)
        case (.test(let gap), 0):
            bounds.noteKept(for: gap)
            touchAgain(at: now)
        case (.test, 1): doWithoutResponsePort(asked, at: now, &random)
        case (.check(let gap), 1):
            // The answer went elsewhere if the two sockets have different addresses outside.
            guard response.mappedEndpoint.address == mapped?.address else {
                outcome = .impossible
                return
            }
            bounds.noteLost(after: gap)
            touchAgain(at: now)
        case (.comparison(let gap), 0):
            if response.mappedEndpoint == mapped {
                bounds.noteKept(for: gap)
            } else {
                bounds.noteLost(after: gap)
            }
            touchCount = 0
            noteTouch(response.mappedEndpoint, at: now)
        default: return
        }
    }

    private mutating func noteTouch(_ endpoint: Endpoint, at now: MonotonicInstant) {
        mapped = endpoint
        touchedAt = now
        touchCount += 1
        question = nil
        if touchCount < 2 {
            dueAt = now + LifetimeTiming.secondTouch
        } else if let gap = bounds.nextGap {
            dueAt = now + gap
        } else {
            outcome = bounds.safeGap == nil ? .impossible : .found
        }
    }

    private mutating func touchAgain(at now: MonotonicInstant) {
        question = nil
        touchCount = 0
        dueAt = now
        if bounds.nextGap == nil { outcome = bounds.safeGap == nil ? .impossible : .found }
    }

    private mutating func doWithoutResponsePort(
        _ asked: Question, at now: MonotonicInstant, _ random: inout some RandomNumberGenerator
    ) {
        knowsResponsePort = false
        guard portsDiffer else {
            outcome = .impossible
            return
        }
        ask(.comparison(gap: asked.askedAt - touchedAt), at: now, &random)
    }
}
