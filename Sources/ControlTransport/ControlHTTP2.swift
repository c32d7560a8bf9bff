internal import NIOCore
package import NIOHTTP2
internal import NetTypes

/// How HTTP/2 is set up inside a control channel.
package enum ControlHTTP2 {
    /// A window in which a whole network map of hundreds of nodes travels without a pause.
    private static let clientWindow = 2 << 20
    /// A request's body is at most 1 MiB; few are under way at a time.
    private static let serverWindow = 256 << 10

    package static var client: NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.targetWindowSize = clientWindow
        configuration.stream.targetWindowSize = clientWindow
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .initialWindowSize, value: clientWindow),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
            HTTP2Setting(parameter: .enablePush, value: 0),
        ]
        return configuration
    }

    package static var server: NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.targetWindowSize = serverWindow
        configuration.stream.targetWindowSize = serverWindow
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .initialWindowSize, value: serverWindow),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
        ]
        return configuration
    }

    /// A connection without requests is not kept, because anyone can open one.
    static var management: NIOHTTP2ServerConnectionManagementHandler.Configuration {
        .init(
            maxIdleTime: .minutes(5), maxAge: nil, maxGraceTime: .seconds(5), keepalive: nil)
    }

    /// Map streams ask a node whether it is there with each sign of life that they give, so that this
    /// is for connections without one. A node that vanished is noticed within two minutes.
    static let pingAfter = TimeAmount.nanoseconds(KeepAlive.period.count * 7 / 6 + 5_000_000_000)
    static let pingAnswer = TimeAmount.seconds(15)
}
