import Coordination
import CryptoPrimitives
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NetTypes
import SignIn
import WebForms

/// The pages for people: signing in, letting a machine in, one's own account, administration.
///
/// Each form carries a token that only this server and the browser know. Where a page leads to is
/// never taken from the request but made of a purpose, so no link leads elsewhere.
struct PeoplePages: Sendable {
    let owner: CoordinationOwner
    let hasher: PasswordHasher
    let storage: Storage
    let cookies: CookieJar
    /// In the order of their buttons.
    let providers: [any IdentityProvider]
    let hasLocalAccounts: Bool
    let logger: Logger

    init(
        owner: CoordinationOwner, hasher: PasswordHasher, storage: Storage, serverURL: String,
        providers: [any IdentityProvider], hasLocalAccounts: Bool, logger: Logger
    ) {
        self.owner = owner
        self.hasher = hasher
        self.storage = storage
        cookies = CookieJar(isSecure: serverURL.hasPrefix("https://"))
        self.providers = providers
        self.hasLocalAccounts = hasLocalAccounts
        self.logger = logger
    }

    func add(to router: Router<PageContext>) {
        addSignIn(to: router)
        addProviders(to: router)
        addServiceMetadata(to: router)
        addDevice(to: router)
        addPasskeys(to: router)
        addAccount(to: router)
        addAdministration(to: router)
    }

    // MARK: Requests

    /// The browser that asks, and who is signed in there.
    struct Guest: Sendable {
        var token: String
        var isNew: Bool
        var visitor: Visitor
        var sessionToken: String?
        var session: LiveSession?

        /// The hidden field of each form.
        var formToken: HTML {
            let token = SecretToken.formToken(token) ?? ""
            return "<input type=\"hidden\" name=\"form\" value=\"\(token)\">"
        }

        var initiator: Initiator {
            guard let session else { return Initiator(.stranger, address: visitor.address) }
            return Initiator(.user, name: session.user.name, address: visitor.address)
        }
    }

    func guest(_ request: Request, _ context: PageContext) async throws -> Guest {
        let known = cookies.value(.browser, in: request.headers)
        var random = SecureRandom()
        let token: String
        let hash: Bytes32
        if let known, let knownHash = SecretToken.hash(known) {
            (token, hash) = (known, knownHash)
        } else {
            token = SecretToken.make(random: &random)
            hash = SecretToken.hash(token) ?? Bytes32()
        }
        let visitor = Visitor(
            browser: BrowserID(hash), address: context.remoteAddress,
            agent: request.headers[.userAgent] ?? "")
        let cookie = cookies.value(.session, in: request.headers)
        var session: LiveSession?
        if let cookie {
            session = await owner.consult { desk, coordinator, now, _ in
                desk.session(cookie, in: coordinator.state, at: now)
            }
        }
        if let record = session?.record {
            try await owner.attend(by: .server) { desk, _, now, _ in desk.use(record, at: now) }
        }
        return Guest(
            token: token, isNew: token != known, visitor: visitor, sessionToken: cookie,
            session: session)
    }

    /// Answers a GET.
    func show(
        _ request: Request, _ context: PageContext, _ make: (Guest) async throws -> Page
    ) async throws -> Response {
        let guest = try await guest(request, context)
        return response(try await refusing { try await make(guest) }, guest)
    }

    /// Answers a form, if it is one of ours.
    func receive(
        _ request: Request, _ context: PageContext,
        _ make: (Guest, FormFields) async throws -> Page
    ) async throws -> Response {
        let guest = try await guest(request, context)
        let bytes = try await request.body.collect(upTo: FrontHandler.bodyLimit)
        let fields = FormFields(urlEncoded: String(buffer: bytes))
        let site = request.headers[.fetchSite] ?? "same-origin"
        guard !guest.isNew, SecretToken.isFormToken(fields["form"], of: guest.token),
            site == "same-origin" || site == "none"
        else {
            return response(
                Page(
                    status: .forbidden, title: "Please try again",
                    body: """
                        <p>This form did not come from this server's pages, or it lay open for too
                        long. Go back, load the page again, and repeat what you did. Cookies have to
                        be allowed.</p>
                        """), guest)
        }
        return response(try await refusing { try await make(guest, fields) }, guest)
    }

    /// As `show`, for who is signed in; others are asked to sign in.
    func showMember(
        _ request: Request, _ context: PageContext,
        _ make: (Guest, LiveSession) async throws -> Page
    ) async throws -> Response {
        try await show(request, context) { guest in
            guard let session = guest.session else { return .redirect("/sign-in") }
            return try await make(guest, session)
        }
    }

    /// As `receive`, for who is signed in.
    func receiveMember(
        _ request: Request, _ context: PageContext,
        _ make: (Guest, LiveSession, FormFields) async throws -> Page
    ) async throws -> Response {
        try await receive(request, context) { guest, fields in
            guard let session = guest.session else { return .redirect("/sign-in") }
            return try await make(guest, session, fields)
        }
    }

    private func refusing(_ make: () async throws -> Page) async throws -> Page {
        do {
            return try await make()
        } catch let refusal as AdministrationRefusal {
            let isForbidden = refusal == .notPermitted
            return Page(
                status: isForbidden ? .forbidden : .conflict, title: "That was not done",
                body: "<p class=\"error\" role=\"alert\">\(Self.sentence(refusal.text))</p>")
        }
    }

    /// Refusals are written for the command line.
    private static func sentence(_ text: String) -> String {
        let text = text.split(separator: ": see 'skein-server").first.map { String($0) } ?? text
        return text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    // MARK: Answers

    /// What is shown, or where the browser is sent.
    struct Page: Sendable {
        var status = HTTPResponse.Status.ok
        var title = ""
        var body = HTML.empty
        var location: String?
        var cookies: [String] = []
        /// Whether the page has a form for passkeys.
        var needsScript = false
        /// Where the page's form goes, if that is another site.
        var formTarget: String?

        /// `path` is one of this server's.
        static func redirect(_ path: String, cookies: [String] = []) -> Page {
            Page(status: .seeOther, location: path, cookies: cookies)
        }
    }

    private func response(_ page: Page, _ guest: Guest) -> Response {
        var page = page
        if guest.isNew {
            page.cookies.append(cookies.setting(.browser, guest.token, seconds: 400 * 86_400))
        }
        return plainResponse(page, navigation: navigation(guest))
    }

    /// As `response`, without a browser.
    func plainResponse(_ page: Page, navigation: HTML = .empty) -> Response {
        var response: Response
        if let location = page.location {
            response = Response(
                status: page.status,
                headers: [
                    .location: location, .cacheControl: "no-store", .referrerPolicy: "no-referrer",
                ])
        } else {
            response = htmlResponse(
                status: page.status, title: page.title, navigation: navigation,
                body: page.body, needsScript: page.needsScript)
            if let target = page.formTarget {
                response.headers[.contentSecurityPolicy] = pageSecurityPolicy(formsTo: target)
            }
        }
        for cookie in page.cookies {
            response.headers.append(HTTPField(name: .setCookie, value: cookie))
        }
        return response
    }

    private func navigation(_ guest: Guest) -> HTML {
        guard let user = guest.session?.user else { return .empty }
        var links: [HTML] = ["<a href=\"/account\">Your machines and account</a>"]
        if user.role.seesEverything {
            links.append("<a href=\"/admin/machines\">All machines</a>")
            links.append("<a href=\"/admin/users\">Users</a>")
            links.append("<a href=\"/admin/audit\">Audit log</a>")
        }
        return """
            <nav aria-label="Pages">
            \(links)
            <form method="post" action="/sign-out">\(guest.formToken)<button class="plain">Sign out \(user.name)</button></form>
            </nav>
            """
    }

    static func alert(_ text: String?) -> HTML {
        guard let text else { return .empty }
        return "<p class=\"error\" role=\"alert\">\(text)</p>"
    }

    static let notFound = Page(
        status: .notFound, title: "Page not found",
        body: "<p>This server has no page at this address.</p>")
}

extension HTTPField.Name {
    fileprivate static let fetchSite = Self("Sec-Fetch-Site")!
}
