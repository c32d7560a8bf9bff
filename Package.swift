// swift-tools-version: 6.3
import PackageDescription

// The floors of docs/ARCHITECTURE.md. Arrows point down only; ArchitectureTests reads this file,
// so every target is declared by one call of the function of its floor.

let modern: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ImmutableWeakCaptures"), .treatAllWarnings(as: .error),
]
let strict: [SwiftSetting] =
    modern + [.enableExperimentalFeature("Lifetimes"), .strictMemorySafety()]
let cFlags: [CSetting] = [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

/// A product of a package we depend on, by the short name used in this file.
let external: [String: Target.Dependency] = [
    "Collections": .product(name: "Collections", package: "swift-collections"),
    "BasicContainers": .product(name: "BasicContainers", package: "swift-collections"),
    "NIOCore": .product(name: "NIOCore", package: "swift-nio"),
    "NIOPosix": .product(name: "NIOPosix", package: "swift-nio"),
    "NIOEmbedded": .product(name: "NIOEmbedded", package: "swift-nio"),
    "NIOHTTP1": .product(name: "NIOHTTP1", package: "swift-nio"),
    "NIOWebSocket": .product(name: "NIOWebSocket", package: "swift-nio"),
    "NIOHTTP2": .product(name: "NIOHTTP2", package: "swift-nio-http2"),
    "NIOHPACK": .product(name: "NIOHPACK", package: "swift-nio-http2"),
    "NIOSSL": .product(name: "NIOSSL", package: "swift-nio-ssl"),
    "HTTPTypes": .product(name: "HTTPTypes", package: "swift-http-types"),
    "Hummingbird": .product(name: "Hummingbird", package: "hummingbird"),
    "AsyncHTTPClient": .product(name: "AsyncHTTPClient", package: "async-http-client"),
    "GRDB": .product(name: "GRDB", package: "GRDB.swift"),
    "ArgumentParser": .product(name: "ArgumentParser", package: "swift-argument-parser"),
    "Logging": .product(name: "Logging", package: "swift-log"),
    "ServiceLifecycle": .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    "UnixSignals": .product(name: "UnixSignals", package: "swift-service-lifecycle"),
    "TOMLKit": .product(name: "TOMLKit", package: "TOMLKit"),
    "JWTKit": .product(name: "JWTKit", package: "jwt-kit"),
]

func resolve(_ names: [String]) -> [Target.Dependency] {
    names.map { external[$0] ?? .target(name: $0) }
}

func c(_ name: String, libraries: [String] = [], headers: [String] = []) -> Target {
    .target(
        name: name, cSettings: cFlags + [.unsafeFlags(headers.map { "-I" + $0 })],
        linkerSettings: libraries.map { .linkedLibrary($0) })
}
func word(_ name: String, _ dependencies: [String] = []) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: strict)
}
func codec(_ name: String, _ dependencies: [String]) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: strict)
}
func engine(_ name: String, _ dependencies: [String]) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: strict)
}
func driver(_ name: String, _ dependencies: [String]) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: strict)
}
func service(_ name: String, _ dependencies: [String]) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: modern)
}
func face(_ name: String, _ dependencies: [String]) -> Target {
    .target(name: name, dependencies: resolve(dependencies), swiftSettings: modern)
}
func program(_ name: String, _ dependencies: [String]) -> Target {
    .executableTarget(name: name, dependencies: resolve(dependencies), swiftSettings: modern)
}
func tests(_ name: String, _ dependencies: [String]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: resolve([name] + dependencies),
        swiftSettings: modern + [.enableExperimentalFeature("Lifetimes")])
}

let package = Package(
    name: "skein",
    products: [
        .executable(name: "skein", targets: ["skein"]),
        .executable(name: "skein-server", targets: ["skein-server"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", .upToNextMinor(from: "1.6.0")),
        .package(url: "https://github.com/apple/swift-nio", .upToNextMinor(from: "2.101.2")),
        .package(url: "https://github.com/apple/swift-nio-http2", .upToNextMinor(from: "1.46.0")),
        .package(url: "https://github.com/apple/swift-nio-ssl", .upToNextMinor(from: "2.37.6")),
        .package(url: "https://github.com/apple/swift-http-types", .upToNextMinor(from: "1.8.0")),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            .upToNextMinor(from: "2.28.1")),
        .package(
            url: "https://github.com/swift-server/async-http-client",
            .upToNextMinor(from: "1.37.0")),
        .package(url: "https://github.com/groue/GRDB.swift", .upToNextMinor(from: "7.10.0")),
        .package(
            url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2")),
        .package(url: "https://github.com/apple/swift-log", .upToNextMinor(from: "1.16.2")),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle",
            .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/LebJe/TOMLKit", .upToNextMinor(from: "0.6.0")),
        .package(url: "https://github.com/vapor/jwt-kit", .upToNextMinor(from: "5.7.1")),
    ],
    targets: [
        // Floor 0: words and C
        c("CLinux"),
        c("CCrypto", libraries: ["crypto", "sodium"]),
        c("CZstd", libraries: ["zstd"]),
        c("CMeasurement"),
        c("CX509", libraries: ["crypto"]),
        c(
            "CXMLSec", libraries: ["xmlsec1-openssl", "xmlsec1", "xml2", "crypto"],
            headers: ["/usr/include/xmlsec1", "/usr/include/libxml2"]),
        word("NetTypes"),
        word("CryptoPrimitives", ["CCrypto", "NetTypes"]),
        word("Compression", ["CZstd"]),
        word("Certificates", ["CX509", "NetTypes"]),
        word("XMLSecurity", ["CXMLSec", "NetTypes"]),
        tests("NetTypes", []),
        tests("CryptoPrimitives", ["CCrypto", "NetTypes"]),
        tests("Compression", []),
        tests("Certificates", ["NetTypes"]),
        tests("XMLSecurity", ["NetTypes", "FakeIdentityProvider"]),

        // Floor 1: codecs
        codec("IPPacket", ["NetTypes"]),
        codec("STUN", ["NetTypes"]),
        codec("Disco", ["NetTypes", "CryptoPrimitives"]),
        codec("DERP", ["NetTypes", "CryptoPrimitives"]),
        codec("WireGuardMessages", ["NetTypes"]),
        codec("Netlink", ["NetTypes"]),
        codec("ControlMessages", ["NetTypes"]),
        codec("PortMappingMessages", ["NetTypes"]),
        codec("QRCode", []),
        codec("WebForms", ["NetTypes"]),
        codec("CBOR", []),
        tests("IPPacket", ["NetTypes"]),
        tests("STUN", ["NetTypes"]),
        tests("Disco", ["NetTypes", "CryptoPrimitives"]),
        tests("DERP", ["NetTypes", "CryptoPrimitives"]),
        tests("WireGuardMessages", ["NetTypes"]),
        tests("Netlink", ["NetTypes"]),
        tests("ControlMessages", ["NetTypes"]),
        tests("PortMappingMessages", ["NetTypes"]),
        tests("QRCode", []),
        tests("WebForms", []),
        tests("CBOR", []),

        // Floor 2: engines
        engine("Noise", ["NetTypes", "CryptoPrimitives"]),
        engine(
            "WireGuard", ["NetTypes", "CryptoPrimitives", "WireGuardMessages", "Noise", "IPPacket"]),
        engine("PathEngine", ["NetTypes", "CryptoPrimitives", "Disco", "STUN"]),
        engine("NetReport", ["NetTypes", "STUN"]),
        engine("PacketFilter", ["NetTypes", "IPPacket"]),
        engine("Segmentation", ["NetTypes", "IPPacket"]),
        engine("FairQueue", ["NetTypes"]),
        engine("PortMapping", ["NetTypes", "PortMappingMessages"]),
        engine("RelayCore", ["NetTypes", "CryptoPrimitives", "DERP"]),
        engine("PeerRelay", ["NetTypes", "CryptoPrimitives", "Disco", "STUN"]),
        engine("Coordination", ["NetTypes", "CryptoPrimitives", "ControlMessages"]),
        engine("WebAuthn", ["NetTypes", "CryptoPrimitives", "ControlMessages", "CBOR"]),
        engine(
            "SimulatedAuthenticator",
            ["NetTypes", "CryptoPrimitives", "ControlMessages", "Certificates", "WebAuthn"]),
        engine(
            "SignIn",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "WebAuthn",
                "WebForms",
            ]),
        engine(
            "OpenIDConnect",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "SignIn",
                "WebForms",
            ]),
        engine(
            "SAML",
            [
                "NetTypes", "XMLSecurity", "WebForms", "ControlMessages", "Coordination", "SignIn",
            ]),
        engine("FakeIdentityProvider", ["NetTypes", "XMLSecurity", "ControlMessages"]),
        engine("NodeCore", ["NetTypes", "CryptoPrimitives", "ControlMessages", "PacketFilter"]),
        engine("SimulatedNetwork", ["NetTypes"]),
        engine(
            "SimulatedMesh",
            [
                "NetTypes", "CryptoPrimitives", "Disco", "STUN", "NetReport", "PathEngine",
                "PortMapping", "PortMappingMessages", "PeerRelay", "SimulatedNetwork",
            ]),
        tests("Noise", ["NetTypes", "CryptoPrimitives"]),
        tests(
            "WireGuard", ["NetTypes", "CryptoPrimitives", "WireGuardMessages", "Noise", "IPPacket"]),
        tests(
            "PathEngine",
            [
                "NetTypes", "CryptoPrimitives", "Disco", "STUN", "NetReport", "SimulatedNetwork",
                "SimulatedMesh",
            ]),
        tests("NetReport", ["NetTypes", "STUN", "SimulatedNetwork"]),
        tests("PacketFilter", ["NetTypes", "IPPacket"]),
        tests("Segmentation", ["NetTypes", "IPPacket"]),
        tests("FairQueue", ["NetTypes"]),
        tests("PortMapping", ["NetTypes", "PortMappingMessages", "SimulatedNetwork"]),
        tests("RelayCore", ["NetTypes", "CryptoPrimitives", "DERP"]),
        tests("PeerRelay", ["NetTypes", "CryptoPrimitives", "Disco", "STUN", "SimulatedNetwork"]),
        tests("Coordination", ["NetTypes", "CryptoPrimitives", "ControlMessages"]),
        tests(
            "SAML",
            [
                "NetTypes", "CryptoPrimitives", "XMLSecurity", "ControlMessages", "Coordination",
                "SignIn", "FakeIdentityProvider",
            ]),
        tests(
            "WebAuthn",
            ["NetTypes", "CryptoPrimitives", "ControlMessages", "CBOR", "SimulatedAuthenticator"]),
        tests(
            "SignIn",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "WebAuthn",
                "SimulatedAuthenticator",
            ]),
        tests(
            "OpenIDConnect", ["NetTypes", "ControlMessages", "Coordination", "SignIn", "WebForms"]),
        tests("NodeCore", ["NetTypes", "CryptoPrimitives", "ControlMessages", "PacketFilter"]),
        tests("SimulatedNetwork", ["NetTypes"]),
        tests(
            "SimulatedMesh",
            ["NetTypes", "CryptoPrimitives", "PathEngine", "NetReport", "SimulatedNetwork"]),

        // Floor 3: drivers
        driver("LinuxIO", ["CLinux", "NetTypes"]),
        driver("NetworkSandbox", ["CLinux", "LinuxIO"]),
        driver("TunDevice", ["CLinux", "NetTypes", "IPPacket", "Segmentation", "LinuxIO"]),
        driver("UDPSocket", ["CLinux", "NetTypes", "LinuxIO"]),
        driver(
            "DataPlane",
            [
                "CLinux", "NetTypes", "CryptoPrimitives", "IPPacket", "STUN", "Disco", "WireGuard",
                "PathEngine", "PeerRelay", "NetReport", "PacketFilter", "NodeCore", "Segmentation",
                "FairQueue", "LinuxIO", "TunDevice", "UDPSocket", "Logging",
            ]),
        driver("NetlinkSocket", ["CLinux", "NetTypes", "Netlink", "LinuxIO"]),
        driver("LinuxRouter", ["NetTypes", "Netlink", "NetlinkSocket", "LinuxIO"]),
        driver("NetworkMonitor", ["NetTypes", "Netlink", "NetlinkSocket", "LinuxIO"]),
        driver(
            "DERPClient",
            [
                "NetTypes", "CryptoPrimitives", "DERP", "NIOCore", "NIOPosix", "NIOHTTP1",
                "NIOWebSocket", "NIOSSL", "Logging",
            ]),
        driver(
            "ControlTransport",
            ["NetTypes", "CryptoPrimitives", "Noise", "NIOCore", "NIOHTTP1", "NIOHTTP2"]),
        driver(
            "ControlClient",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Compression", "Noise",
                "ControlTransport", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTP2", "NIOHPACK",
                "NIOSSL", "Logging",
            ]),
        driver(
            "RelayServer",
            [
                "NetTypes", "CryptoPrimitives", "DERP", "DERPClient", "RelayCore", "NIOCore",
                "NIOPosix", "Logging",
            ]),
        driver(
            "PortMapper",
            [
                "CLinux", "NetTypes", "CryptoPrimitives", "PortMapping", "PortMappingMessages",
                "LinuxIO", "UDPSocket", "Logging",
            ]),
        driver("STUNServer", ["CLinux", "NetTypes", "STUN", "LinuxIO", "UDPSocket", "Logging"]),
        driver(
            "ServerStore",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "LinuxIO",
                "GRDB",
                "Logging",
            ]),
        driver(
            "MachineCertificates",
            ["NetTypes", "Certificates", "ControlMessages", "Coordination", "LinuxIO", "Logging"]),
        driver(
            "OpenIDClient",
            [
                "NetTypes", "CryptoPrimitives", "Coordination", "SignIn", "WebForms",
                "OpenIDConnect", "AsyncHTTPClient", "JWTKit", "NIOCore", "NIOSSL", "NIOHTTP1",
                "Logging",
            ]),
        driver(
            "LocalAPI",
            [
                "NetTypes", "ControlMessages", "WebForms", "NIOCore", "NIOPosix", "NIOHTTP1",
                "Logging",
            ]),
        driver("FakeNode", ["NetTypes", "ControlMessages", "LocalAPI"]),
        tests("LinuxIO", ["NetTypes"]),
        tests(
            "TunDevice",
            ["NetTypes", "IPPacket", "Segmentation", "LinuxIO", "CLinux", "NetworkSandbox"]),
        tests("UDPSocket", ["NetTypes", "LinuxIO"]),
        tests(
            "DataPlane",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "NodeCore", "PacketFilter",
                "NetReport",
                "UDPSocket", "Logging",
            ]),
        tests(
            "LinuxRouter",
            ["NetTypes", "Netlink", "NetlinkSocket", "LinuxIO", "TunDevice", "NetworkSandbox"]),
        tests(
            "NetworkMonitor",
            ["NetTypes", "Netlink", "NetlinkSocket", "LinuxIO", "TunDevice", "NetworkSandbox"]),
        tests(
            "DERPClient",
            [
                "NetTypes", "CryptoPrimitives", "DERP", "RelayCore", "RelayServer", "NIOCore",
                "NIOPosix", "NIOHTTP1", "NIOSSL", "Logging",
            ]),
        tests(
            "ControlTransport",
            [
                "NetTypes", "CryptoPrimitives", "Noise", "NIOCore", "NIOEmbedded", "NIOHTTP1",
                "NIOHTTP2", "NIOHPACK",
            ]),
        tests(
            "ControlClient",
            ["NetTypes", "CryptoPrimitives", "ControlMessages", "Compression", "NIOCore"]),
        tests(
            "RelayServer",
            ["NetTypes", "CryptoPrimitives", "DERP", "RelayCore", "NIOCore", "NIOPosix", "Logging"]),
        tests(
            "PortMapper",
            [
                "NetTypes", "CryptoPrimitives", "PortMapping", "PortMappingMessages", "LinuxIO",
                "UDPSocket", "Logging",
            ]),
        tests("STUNServer", ["NetTypes", "STUN", "LinuxIO", "UDPSocket", "Logging"]),
        tests(
            "ServerStore",
            ["NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "GRDB"]),
        tests(
            "MachineCertificates",
            ["NetTypes", "Certificates", "ControlMessages", "Coordination", "LinuxIO", "Logging"]),
        tests(
            "LocalAPI",
            ["NetTypes", "ControlMessages", "FakeNode", "NIOCore", "NIOPosix", "Logging"]),

        // Floor 4: programs as libraries
        service(
            "NodeDaemon",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "NodeCore", "PacketFilter",
                "PathEngine", "NetReport", "WireGuard", "DataPlane", "LinuxIO", "TunDevice",
                "UDPSocket", "LinuxRouter", "NetworkMonitor", "DERPClient", "ControlClient",
                "Certificates", "PortMapping", "PortMappingMessages", "PortMapper", "LocalAPI",
                "Logging",
                "ServiceLifecycle", "UnixSignals", "NIOCore", "NIOPosix",
            ]),
        service(
            "ControlServer",
            [
                "NetTypes", "LinuxIO", "CryptoPrimitives", "ControlMessages", "Compression",
                "Coordination", "WebAuthn", "SignIn", "OpenIDConnect", "OpenIDClient", "QRCode",
                "WebForms", "SAML", "XMLSecurity", "ControlTransport", "DERP", "DERPClient",
                "MachineCertificates",
                "RelayServer", "STUNServer", "Certificates", "ServerStore",
                "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTP2",
                "NIOHPACK", "NIOSSL", "HTTPTypes", "AsyncHTTPClient", "Hummingbird", "Logging",
                "ServiceLifecycle", "UnixSignals", "TOMLKit",
            ]),
        service(
            "FuzzTargets",
            [
                "NetTypes", "CryptoPrimitives", "IPPacket", "STUN", "Disco", "DERP",
                "WireGuardMessages", "Netlink", "ControlMessages", "Noise", "WireGuard",
                "PathEngine", "NetReport", "PacketFilter", "RelayCore", "PeerRelay", "Coordination",
                "PortMapping", "PortMappingMessages", "Segmentation", "Certificates", "CBOR",
                "WebAuthn", "SignIn", "OpenIDConnect", "WebForms", "SAML", "XMLSecurity",
                "FakeIdentityProvider",
            ]),
        tests("FuzzTargets", ["NetTypes"]),
        tests(
            "NodeDaemon",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "DERPClient", "LocalAPI",
                "NetReport",
            ]),
        tests(
            "ControlServer",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Compression", "Coordination",
                "WebAuthn", "SimulatedAuthenticator", "SignIn", "OpenIDConnect", "OpenIDClient",
                "JWTKit", "WebForms",
                "SAML", "XMLSecurity", "FakeIdentityProvider",
                "Certificates", "MachineCertificates", "ControlTransport", "ControlClient", "DERP",
                "Noise", "NodeCore", "STUN", "ServerStore", "LinuxIO", "NIOCore",
                "NIOPosix", "NIOHTTP1", "NIOHTTP2", "NIOHPACK", "NIOSSL", "HTTPTypes", "Logging",
            ]),

        // Floor 5: faces
        face(
            "SkeinCLI",
            [
                "NetTypes", "ControlMessages", "LocalAPI", "NodeDaemon", "ArgumentParser",
                "Logging",
            ]),
        face(
            "SkeinServerCLI",
            [
                "NetTypes", "CryptoPrimitives", "ControlMessages", "Coordination", "SignIn",
                "ServerStore", "MachineCertificates", "ControlServer", "WebForms", "ArgumentParser",
                "Logging",
            ]
        ),
        program("skein", ["SkeinCLI"]),
        program("skein-server", ["SkeinServerCLI"]),
        tests(
            "SkeinCLI",
            [
                "NetTypes", "ControlMessages", "LocalAPI", "FakeNode", "ArgumentParser", "NIOPosix",
                "Logging",
            ]),
        tests("SkeinServerCLI", ["ControlMessages", "ControlServer", "WebForms"]),
        .testTarget(name: "ArchitectureTests", swiftSettings: modern),
    ],
    swiftLanguageModes: [.v6])

// Fuzz/run and Benchmarks/run build no more than they reach, without external packages.
func keepOnly(_ package: Package, _ name: String, in folder: String, _ dependencies: [String]) {
    var reached = Set(dependencies)
    for target in package.targets.reversed() where reached.contains(target.name) {
        for case .targetItem(let name, _) in target.dependencies { reached.insert(name) }
    }
    package.products = []
    package.dependencies = []
    package.targets.removeAll { !reached.contains($0.name) }
    package.targets.append(
        .executableTarget(
            name: name, dependencies: resolve(dependencies), path: "\(folder)/Program",
            swiftSettings: modern + [.enableExperimentalFeature("Lifetimes")]))
}
if Context.environment["SKEIN_FUZZ"] != nil {
    keepOnly(package, "skein-fuzz", in: "Fuzz", ["FuzzTargets"])
}
if Context.environment["SKEIN_BENCHMARKS"] != nil {
    keepOnly(
        package, "skein-benchmarks", in: "Benchmarks",
        [
            "CMeasurement", "NetTypes", "CryptoPrimitives", "IPPacket", "ControlMessages",
            "WireGuard",
            "PacketFilter", "PathEngine", "Segmentation", "NodeCore", "SimulatedNetwork",
            "SimulatedMesh",
        ])
}
