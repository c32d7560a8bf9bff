import Coordination
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NetTypes
import SignIn
import WebForms

extension PeoplePages {
    func addProviders(to router: Router<PageContext>) {
        router.get("/login/with/:provider") { request, context in
            let provider = provider(context)
            let device = PendingLoginID(FormFields(urlEncoded: request.uri.query ?? "")["device"])
            let purpose = device.text.isEmpty ? SignInPurpose.account : .device(device)
            return try await show(request, context) { guest in
                guard let provider else { return Self.notFound }
                return try await page(
                    after: provider.begin(for: purpose, guest.visitor), at: provider, guest)
            }
        }
        router.get("/callback/:provider") { request, context in
            let provider = provider(context)
            let query = FormFields(urlEncoded: request.uri.query ?? "")
            return try await show(request, context) { guest in
                guard let provider else { return Self.notFound }
                return try await page(
                    after: provider.finish(query, guest.visitor), at: provider, guest)
            }
        }
        // No cookie is read or set here: the browser's own do not come along from another site, and
        // one that is set now would take the place of the one that it has.
        router.post("/callback/:provider") { request, context in
            let bytes = try await request.body.collect(upTo: FrontHandler.bodyLimit)
            let form = FormFields(urlEncoded: String(buffer: bytes))
            guard let provider = provider(context), let kept = await provider.receive(form) else {
                return plainResponse(Self.notFound)
            }
            return plainResponse(
                .redirect("/callback/\(provider.settings.name)?received=\(kept.id)"))
        }
    }

    /// Beside the pages of people: no cookie, nothing about anybody.
    func addServiceMetadata(to router: Router<PageContext>) {
        router.get("/saml/:provider") { _, context in
            guard let text = await provider(context)?.serviceMetadata() else {
                return plainResponse(Self.notFound)
            }
            return Response(
                status: .ok,
                headers: [
                    .contentType: "application/samlmetadata+xml", .cacheControl: "no-store",
                    .xContentTypeOptions: "nosniff",
                ], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }

    private func provider(_ context: PageContext) -> (any IdentityProvider)? {
        let name = context.parameters.get("provider") ?? ""
        return providers.first { $0.settings.name == name }
    }

    private func page(
        after step: ProviderStep, at provider: any IdentityProvider, _ guest: Guest
    ) async throws -> Page {
        switch step {
        case .leave(let url): return Page(status: .seeOther, location: url)
        case .post(let url, let field, let value):
            let label = provider.settings.label
            return Page(
                title: "Go on at \(label)",
                body: """
                    <form method="post" action="\(url)">
                    <input type="hidden" name="\(field)" value="\(value)">
                    <p>You are about to sign in at \(label).</p>
                    <p><button autofocus>Continue</button></p>
                    </form>
                    """, formTarget: url)
        case .proven(let proven, let purpose):
            let step = try await owner.attend(by: guest.initiator) {
                desk, coordinator, now, random in
                desk.accept(
                    proven, provider.settings.rules, for: purpose, guest.visitor,
                    in: coordinator.state, at: now, random: &random)
            }
            return page(after: step, guest)
        case .failed(let failure):
            let name = provider.settings.name
            logger.notice(
                "nobody was signed in",
                metadata: [
                    "provider": "\(name)", "reason": "\(failure.detail)",
                    "from": "\(guest.visitor.address?.description ?? "")",
                ])
            if failure.wasUnderWay {
                try await owner.attend(by: guest.initiator) { desk, _, now, _ in
                    desk.noteProviderFailure(
                        name, detail: failure.detail, guest.visitor, at: now)
                }
            }
            return Page(
                status: .conflict, title: "Nobody was signed in",
                body: """
                    \(Self.alert(failure.text))
                    <p><a href="/sign-in">Sign in</a></p>
                    """)
        }
    }

    /// A link for each provider.
    func providerChoice(for purpose: SignInPurpose) -> HTML {
        guard !providers.isEmpty else { return .empty }
        var query = ""
        if case .device(let id) = purpose { query = "?device=\(percentEncoded(id.text))" }
        let links: [HTML] = providers.map { provider in
            let path = "/login/with/\(provider.settings.name)\(query)"
            return """
                <p><a class="button" href="\(path)">Sign in with \(provider.settings.label)</a></p>
                """
        }
        return """
            \(hasLocalAccounts ? "<h2>Or elsewhere</h2>" : HTML.empty)
            \(links)
            """
    }
}
