import Certificates
import ControlMessages
import ControlServer
import Coordination
import Glibc
import MachineCertificates
import NetTypes
import Testing

@Suite struct ConfigurationTests {
    private func read(_ text: String) throws(ConfigurationError) -> ServerConfiguration {
        try ServerConfiguration(toml: text, file: "c.toml")
    }

    @Test func everythingHasADefault() throws {
        let configuration = try read("")
        #expect(configuration.serverURL == "http://127.0.0.1:8080")
        #expect(configuration.listen == Endpoint("0.0.0.0:8080"))
        #expect(configuration.stateDirectory == "/var/lib/skein-server")
        #expect(configuration.tls == nil)
        #expect(configuration.relay.stunListen == Endpoint("0.0.0.0:3478"))
        #expect(configuration.ipv4Range == IPPrefix("100.64.0.0/10"))
        #expect(configuration.keyLifetime == .seconds(15_552_000))
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try read(
            """
            server_url = "https://mesh.example.org/"
            listen = "[::]:443"
            state_dir = "/srv/skein/"
            trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]

            [tls]
            certificate = "/etc/c.pem"
            key = "/etc/k.pem"

            [relay]
            enabled = true
            region_id = 901
            region_code = "home"
            region_name = "At home"
            stun_listen = "[::]:3479"
            stun_alternate = "2001:db8::a"
            ipv4 = "192.0.2.9"
            ipv6 = "2001:db8::9"

            [node]
            key_expiry = "90d"
            ephemeral_timeout = "1h30m"
            key_expiry_of = { "alice" = "30d", "tag:kiosk" = "7d", "bob" = "0" }

            [dns]
            base_domain = "mesh.example"

            [addresses]
            ipv4 = "100.80.0.0/16"
            ipv6 = ""
            """)
        #expect(configuration.serverURL == "https://mesh.example.org")
        #expect(configuration.serverHost == "mesh.example.org" && configuration.serverPort == 443)
        #expect(configuration.listen == Endpoint("[::]:443"))
        #expect(configuration.stateDirectory == "/srv/skein")
        #expect(
            configuration.trustedProxies == [IPPrefix("10.0.0.0/8")!, IPPrefix("192.0.2.1/32")!])
        #expect(configuration.tls?.certificate == "/etc/c.pem")
        #expect(configuration.tls?.key == "/etc/k.pem")
        #expect(configuration.keyLifetime == .seconds(7_776_000))
        let lifetimes: [String: Nanoseconds] = [
            "alice": .seconds(2_592_000), "tag:kiosk": .seconds(604_800), "bob": .zero,
        ]
        #expect(configuration.keyLifetimes == lifetimes)
        #expect(configuration.ephemeralTimeout == .minutes(90))
        #expect(configuration.baseDomain == "mesh.example")
        #expect(configuration.ipv4Range == IPPrefix("100.80.0.0/16"))
        #expect(configuration.ipv6Range == nil)
        let node = try #require(configuration.derpMap.regions?[901]?.nodes.first)
        #expect(node.hostName == "mesh.example.org" && node.derpPort == 0)
        #expect(configuration.relay.stunAlternate == IPAddress("2001:db8::a"))
        #expect(node.stunPort == 3479 && node.ipv4 == "192.0.2.9" && node.ipv6 == "2001:db8::9")
    }

    @Test(arguments: [
        ("http://10.99.0.1:8080", "10.99.0.1", "10.99.0.1", "", 8080),
        ("http://[2001:db8::1]:81", "2001:db8::1", "", "2001:db8::1", 81),
        ("https://a.example", "a.example", "", "", 0),
        ("http://a.example", "a.example", "", "", 80),
    ])
    func theRelayIsWhereTheServerIs(
        url: String, host: String, ipv4: String, ipv6: String, port: Int
    ) throws {
        let configuration = try read("server_url = \"\(url)\"")
        let node = try #require(configuration.derpMap.regions?[999]?.nodes.first)
        #expect(node.hostName == host && node.ipv4 == ipv4 && node.ipv6 == ipv6)
        #expect(node.derpPort == port && node.stunPort == 3478)
    }

    @Test func machineCertificatesAreRead() throws {
        let digits = String(repeating: "0a", count: 32)
        let configuration = try read(
            """
            [machine_certificates]
            mode = "sufficient"
            authorities = ["/etc/ca.pem", "/etc/other.pem"]
            revocation_lists = ["/etc/ca.crl"]
            blocked_keys = ["\(digits)"]
            blocked_keys_file = "/etc/blocked"
            maximum_age = "1m"
            accept_signature_v1 = true
            owner_from = "san:email"
            owner_suffix = "@example.org"
            """)
        let settings = configuration.machineCertificates
        #expect(settings.mode == .sufficient)
        #expect(settings.authorities == ["/etc/ca.pem", "/etc/other.pem"])
        #expect(settings.revocationLists == ["/etc/ca.crl"])
        #expect(settings.blockedKeys.map { Hexadecimal.encode($0.array) } == [digits])
        #expect(settings.blockedKeysFile == "/etc/blocked")
        #expect(settings.maximumAge == .minutes(1))
        #expect(settings.acceptsVersion1)
        #expect(settings.owner == OwnerRule(field: .alternativeEmail, suffix: "@example.org"))
        #expect(configuration.coordinationSettings.machineCertificates == .sufficient)
        #expect(configuration.coordinationSettings.machineCertificatesNameOwners)
        let error = #expect(throws: ControlServerError.self) {
            try configuration.checkMachineCertificates(at: .zero)
        }
        #expect(error?.description == "machine certificates: /etc/ca.pem: there is no such file")
    }

    @Test func theRelayAndSTUNCanBeOff() throws {
        let off = try read("[relay]\nenabled = false")
        #expect(off.derpMap.regions == [:])
        let silent = try read("[relay]\nstun_listen = \"\"")
        #expect(silent.derpMap.regions?[999]?.nodes.first?.stunPort == -1)
    }

    /// What is wrong, where, and what the message says about it.
    @Test(arguments: [
        ("a = 1", 1, "unknown key a"),
        ("[machine_certificates]\nmodes = \"off\"", 2, "unknown key modes"),
        ("[machine_certificates]\nmode = \"on\"", 2, "off, sufficient or required"),
        (
            "[machine_certificates]\nmode = \"required\"", 2,
            "needs machine_certificates.authorities"
        ),
        (
            "[machine_certificates]\nmode = \"sufficient\"\nauthorities = [\"/a\"]", 2,
            "needs machine_certificates.owner_from"
        ),
        ("[machine_certificates]\nowner_from = \"name\"", 2, "san:email"),
        ("[machine_certificates]\nowner_suffix = \"@x\"", 2, "owner_from"),
        ("[machine_certificates]\nblocked_keys = [\"00\"]", 2, "64 hexadecimal digits"),
        ("[machine_certificates]\nmaximum_age = \"1s\"", 2, "from 10s to 24h"),
        ("listen = \"0.0.0.0:1\"\n\nlistn = \"\"", 3, "unknown key listn"),
        ("[relay]\n# note\nstun = \"\"", 3, "unknown key stun"),
        ("[relais]\nenabled = true", 1, "unknown key [relais]"),
        ("relay.stun = 1", 1, "unknown key stun"),
        ("server_url = \"mesh.example.org\"", 1, "https://HOST"),
        ("server_url = \"https://a/b\"", 1, "https://HOST"),
        ("server_url = \"https://a:0\"", 1, "https://HOST"),
        ("server_url = 5", 1, "a text in quotes"),
        ("\nlisten = \"8080\"", 2, "ADDRESS:PORT"),
        ("listen = \"0.0.0.0:0\"", 1, "ADDRESS:PORT"),
        ("state_dir = \"state\"", 1, "begins with /"),
        ("trusted_proxies = [\"x\"]", 1, "addresses or prefixes"),
        ("trusted_proxies = \"10.0.0.0/8\"", 1, "a list of texts"),
        ("[tls]\nkey = \"/k\"", 2, "tls.certificate"),
        ("[tls]\ncertificate = \"/c\"", 2, "tls.key"),
        ("[relay]\nregion_id = 70000", 2, "1 to 65535"),
        ("[relay]\nenabled = \"yes\"", 2, "true or false"),
        ("[relay]\nipv4 = \"x\"", 2, "an IPv4 address"),
        ("[node]\nkey_expiry = \"6 months\"", 2, "30m"),
        ("[node]\nkey_expiry_of = \"30d\"", 2, "a table such as"),
        ("[node]\nkey_expiry_of = { \"tag:\" = \"30d\" }", 2, "a table such as"),
        ("[node]\nkey_expiry_of = { alice = \"soon\" }", 2, "a table such as"),
        ("[node]\nephemeral_timeout = \"1s\"", 2, "1m or longer"),
        ("[dns]\nbase_domain = \"Mesh\"", 2, "small letters"),
        ("[addresses]\nipv4 = \"10.0.0.0/8\"", 2, "100.64.0.0/10"),
        ("[addresses]\nipv4 = \"100.64.0.1/16\"", 2, "100.64.0.0/10"),
        ("[addresses]\nipv4 = \"\"\nipv6 = \"\"", 3, "at least one"),
        ("listen = ", 1, ""),
    ])
    func mistakesAreNamedWithTheirLine(text: String, line: Int, reason: String) {
        let error = #expect(throws: ConfigurationError.self) { try read(text) }
        #expect(error?.line == line)
        #expect(reason.isEmpty || error?.reason.contains(reason) == true, "\(error!)")
        #expect(error?.description.hasPrefix("c.toml:\(line): ") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test func aFileThatIsNotThereIsNamed() {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(file: "/does/not/exist.toml")
        }
        #expect(error?.description.contains("/does/not/exist.toml") == true)
    }

    @Test(arguments: [
        ("0", 0), ("90s", 90), ("30m", 1_800), ("24h", 86_400), ("180d", 15_552_000),
        ("1h30m", 5_400), ("2w", 1_209_600),
    ])
    func timesAreRead(text: String, seconds: Int64) {
        #expect(Nanoseconds(durationText: text) == .seconds(seconds))
    }

    @Test(arguments: ["", "1", "h", "1x", "-1h", "1.5h", "1 h", "99999999999999999999d", "40000d"])
    func otherTextsAreNoTimes(text: String) {
        #expect(Nanoseconds(durationText: text) == nil)
    }

    @Test func relaysElsewhereComeIntoTheRelayMap() throws {
        let map = TemporaryFile(
            #"{"Regions":{"7":{"RegionID":7,"RegionCode":"far","RegionName":"Far","Nodes":[{"Name":"7a","RegionID":7,"HostName":"far.example"}]}}}"#
        )
        let configuration = try read(
            """
            server_url = "https://mesh.example.org"
            [relay]
            region_id = 901
            mesh_key_file = "/etc/mesh.key"
            mesh_with = ["https://r2.example.org", "https://192.0.2.7:8443/"]
            map_file = "\(map.path)"

            [[relay.regions]]
            id = 901
            relays = [{ url = "https://r2.example.org" }]

            [[relay.regions]]
            id = 902
            code = "fra"
            name = "Frankfurt"
            relays = [
                { url = "https://192.0.2.7:8443", stun_port = 3479, certificate = "sha256-raw:00" },
                { url = "https://r4.example.org", ipv4 = "192.0.2.8", stun_port = -1 },
            ]
            """)
        let regions = try #require(configuration.derpMap.regions)
        #expect(regions.keys.sorted() == [7, 901, 902])
        #expect(regions[901]?.nodes.map(\.hostName) == ["mesh.example.org", "r2.example.org"])
        #expect(regions[7]?.nodes.map(\.hostName) == ["far.example"])
        let nodes = try #require(regions[902]?.nodes)
        #expect(nodes[0].ipv4 == "192.0.2.7" && nodes[0].derpPort == 8443)
        #expect(nodes[0].stunPort == 3479 && nodes[0].certificateName == "sha256-raw:00")
        #expect(nodes[1].ipv4 == "192.0.2.8" && nodes[1].stunPort == -1 && nodes[1].derpPort == 0)
        #expect(Set(regions.values.flatMap { $0.nodes.map(\.name) }).count == 5)
        #expect(configuration.relay.meshWith.map(\.port) == [443, 8443])
    }

    @Test(arguments: [
        ("mesh_with = [\"https://a.example\"]", "mesh_key_file"),
        ("mesh_with = [\"a.example\"]", "write https://HOST"),
        ("verify_clients = \"mesh\"", "coordination server"),
        ("map_file = \"/nonexistent\"", "cannot be read"),
        ("[[relay.regions]]\nid = 3", "relays has to be a list"),
        ("[[relay.regions]]\nid = 3\nrelays = [{ url = \"http://a\" }]", "TLS only"),
        ("[[relay.regions]]\nid = 3\nrelays = [{ urn = \"http://a\" }]", "unknown key urn"),
        ("[[relay.regions]]\nnumber = 3", "unknown key number"),
    ])
    func whatIsWrongWithRelaysIsSaid(text: String, reason: String) {
        do {
            _ = try read("[relay]\n" + text)
            Issue.record("taken: \(text)")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
            #expect(error.line != nil)
        }
    }
}

/// A file that goes away with the value.
private final class TemporaryFile {
    let path = "/tmp/skein-test-\(UInt64.random(in: .min ... .max))"

    init(_ text: String) {
        let file = fopen(path, "w")!
        fputs(text, file)
        fclose(file)
    }
    deinit { unlink(path) }
}
