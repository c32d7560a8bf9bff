import Hummingbird
import Logging
import NetTypes

/// What a page knows about its request besides the request itself.
struct PageContext: RequestContext {
    typealias Source = PageRequestSource
    var coreContext: CoreRequestContextStorage
    /// Where the request comes from, behind trusted proxies.
    let remoteAddress: IPAddress?

    init(source: PageRequestSource) {
        coreContext = .init(source: source)
        remoteAddress = source.remoteAddress
    }
}

struct PageRequestSource: RequestContextSource {
    let logger: Logger
    let remoteAddress: IPAddress?
}
