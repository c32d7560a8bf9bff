import ControlMessages
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn

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

let password = "correct horse battery"

/// A network with users, and the desk at which they sign in, in virtual time.
final class TestDesk {
    var coordinator: Coordinator
    var desk: SignInDesk
    var random: SeededRandom
    var now = Moment(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000),
        wall: Timestamp(rfc3339: "2026-11-24T08:00:00Z")!)
    /// Every change so far.
    var log: [Change] = []

    var state: CoordinationState { coordinator.state }
    var audit: [AuditEntry] {
        log.compactMap { if case .audit(let entry) = $0 { entry } else { nil } }
    }

    init(seed: UInt64 = 1, _ edit: (inout SignInSettings) -> Void = { _ in }) {
        var settings = SignInSettings()
        settings.passwordCost = .least
        edit(&settings)
        random = SeededRandom(state: seed)
        var key = random.bytes(count: 32)
        defer { wipe(&key) }
        desk = SignInDesk(
            Accounts(
                settings: settings, secrets: AccountSecrets(SecretBytes(copying: key.span.bytes))),
            decoy: PasswordHash.decoy(cost: .least, random: &random), at: now)
        let network = CoordinationSettings(
            serverURL: "https://mesh.example.org/", baseDomain: "mesh.example",
            derpMap: DERPMap(regions: [:]))
        coordinator = Coordinator(state: CoordinationState(), settings: network, at: now)
        store(try! coordinator.createUser(name: "anna", role: .owner, at: now.wall))
        store(try! coordinator.createUser(name: "ben", at: now.wall))
        setPassword(of: "anna")
    }

    /// Stores what was decided, as the server does: with what the audit log says of it.
    @discardableResult
    func store<Reply: Sendable>(
        _ decision: Decision<Reply>, by initiator: Initiator = .commandLine
    ) -> Reply {
        let entries = state.auditEntries(of: decision.changes, by: initiator, at: now.wall)
        let changes = decision.changes + entries.map { .audit($0) }
        log += changes
        _ = coordinator.apply(changes, at: now)
        return decision.reply
    }

    func advance(_ time: Nanoseconds) {
        now = Moment(monotonic: now.monotonic + time, wall: now.wall + time)
    }

    func setPassword(
        of name: String, _ text: String = password, temporary: Bool = false,
        cost: PasswordHash.Cost = .least
    ) {
        let hash = PasswordHash.make(text, cost: cost)!
        store(
            desk.accounts.setPassword(
                of: state.user(name: name)!, hash: hash, isTemporary: temporary, in: state,
                at: now.wall, random: &random))
    }

    func visitor(_ number: UInt8, from address: String? = nil) -> Visitor {
        Visitor(
            browser: BrowserID(Bytes32([UInt8](repeating: number, count: 32))),
            address: IPAddress(address ?? "203.0.113.\(number)"), agent: "Browser \(number)")
    }

    /// Types a name and a password; the hash is compared at once.
    func signIn(
        _ name: String, _ typed: String, _ visitor: Visitor,
        for purpose: SignInPurpose = .account
    ) -> SignInStep {
        switch desk.beginPassword(name, for: purpose, visitor, in: state, at: now) {
        case .refused(let refusal): return .refused(refusal)
        case .check(let check):
            let matches = PasswordHash.matches(typed, check.hash)
            let cost = desk.settings.passwordCost
            let isOutdated = matches && PasswordHash.isOutdated(check.hash, cost: cost)
            let outcome = PasswordOutcome(
                matches: matches,
                renewed: isOutdated ? PasswordHash.make(typed, cost: cost) : nil)
            return store(
                desk.finishPassword(
                    check, outcome, visitor, in: state, at: now, random: &random))
        }
    }

    func signIn(
        _ name: String, _ visitor: Visitor, for purpose: SignInPurpose = .account
    ) -> SignInStep {
        signIn(name, password, visitor, for: purpose)
    }

    /// The session of a cookie, if it is alive.
    func session(_ token: String) -> LiveSession? { desk.session(token, in: state, at: now) }

    func use(_ session: LiveSession) -> Decision<Void> { desk.use(session.record, at: now) }
    func passwordHash(of user: UserID) -> String? {
        desk.accounts.passwordHash(of: user, in: state)
    }
    func shown(_ id: AttemptID, _ visitor: Visitor) -> (secret: String, address: String)? {
        desk.oneTimeCodeSetUp(id, visitor, in: state, at: now)
    }

    func answer(_ id: AttemptID, _ typed: String, _ visitor: Visitor) -> SignInStep {
        store(
            desk.answerSecondFactor(
                id, typed: typed, visitor, in: state, at: now, random: &random))
    }

    func confirm(_ id: AttemptID, _ typed: String, _ visitor: Visitor) -> SignInStep {
        store(
            desk.confirmOneTimeCodes(
                id, typed: typed, visitor, in: state, at: now, random: &random))
    }

    func goOn(_ id: AttemptID, _ visitor: Visitor) -> SignInStep {
        store(desk.goOn(id, visitor, in: state, at: now, random: &random))
    }

    /// Gives a user with a password a second factor; returns its secret and the recovery codes.
    func setUpCodes(of name: String, _ visitor: Visitor) -> (secret: [UInt8], codes: [String]) {
        guard case .signedIn(let signedIn) = signIn(name, visitor),
            let session = session(signedIn.token)
        else { preconditionFailure("\(name) signs in") }
        let id = desk.beginSetUp(for: session.record, visitor, at: now, random: &random)
        let secret = decodeBase32(shown(id, visitor)!.secret)
        guard case .recoveryCodes(_, let codes) = confirm(id, code(secret), visitor) else {
            preconditionFailure("the code is right")
        }
        _ = goOn(id, visitor)
        return (secret, codes)
    }

    func code(_ secret: [UInt8], steps: Int64 = 0) -> String {
        OneTimeCode.code(secret: secret, step: OneTimeCode.step(at: now.wall) + steps)
    }
}

func decodeBase32(_ text: String) -> [UInt8] {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    var bits = 0
    var buffer = 0
    var bytes: [UInt8] = []
    for character in text {
        buffer = buffer << 5 | alphabet.firstIndex(of: character)!
        bits += 5
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(buffer >> bits & 0xFF))
        }
        buffer &= 0xFF
    }
    return bytes
}

extension SignInStep {
    var signedIn: SignedIn? { if case .signedIn(let reply) = self { reply } else { nil } }
    var refusal: SignInRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
    var secondFactor: AttemptID? { if case .secondFactor(let id) = self { id } else { nil } }
    var setUp: AttemptID? { if case .setUpOneTimeCodes(let id) = self { id } else { nil } }
    var choosePassword: AttemptID? {
        if case .choosePassword(let id) = self { id } else { nil }
    }
    var recovery: (id: AttemptID, codes: [String])? {
        if case .recoveryCodes(let id, let codes) = self { (id, codes) } else { nil }
    }
}
