import ControlMessages
import NetTypes
import Testing

private func text(_ value: some JSONWritable) -> String {
    String(decoding: value.jsonBytes, as: UTF8.self)
}

private func json(_ text: String) -> JSON {
    try! JSON(parsing: Array(text.utf8))
}

private let zeros = String(repeating: "0", count: 64)

@Suite struct MessageTests {
    /// A message that is decoded and encoded again means the same as before: nothing is lost.
    @Test(arguments: Capture.messages)
    func capturedMessagesSurviveDecodingAndEncoding(message: Capture.Message) throws {
        let original = try JSON(parsing: message.bytes)
        let copy: JSON
        switch message.kind {
        case "RegisterRequest":
            copy = json(text(try RegisterRequest(json: original)))
        case "RegisterResponse":
            copy = json(text(try RegisterResponse(json: original)))
        case "MapRequest": copy = json(text(try MapRequest(json: original)))
        default:
            let response = try MapResponse(json: original)
            #expect(response.problems.isEmpty)
            copy = json(text(response))
        }
        #expect(normalized(copy) == normalized(original))
    }

    /// Capabilities without values are null on the wire; the client that printed the capture shows
    /// an empty list.
    private func normalized(_ value: JSON) -> JSON {
        switch value {
        case .array(let elements): return .array(elements.map(normalized))
        case .object(var object):
            if let capabilities = object["CapMap"]?.object {
                let lists = capabilities.members.map { member in
                    JSONObject.Member(
                        member.name, member.value == .null ? .array([]) : member.value)
                }
                object["CapMap"] = .object(JSONObject(lists))
            }
            let members = object.members.map { JSONObject.Member($0.name, normalized($0.value)) }
            return .object(JSONObject(members.sorted { $0.name < $1.name }))
        default: return value
        }
    }

    @Test func zeroValuesAreThoseOfTheGoStructs() {
        #expect(
            text(RegisterRequest(version: 0, nodeKey: .zero))
                == #"{"Version":0,"NodeKey":"nodekey:\#(zeros)","OldNodeKey":"nodekey:\#(zeros)","NLKey":"nlpub:\#(zeros)","Expiry":"0001-01-01T00:00:00Z","Followup":"","Hostinfo":null,"NodeKeySignature":null}"#
        )
        #expect(
            text(RegisterResponse())
                == #"{"User":{"ID":0,"DisplayName":""},"Login":{"ID":0,"Provider":"","LoginName":"","DisplayName":""},"NodeKeyExpired":false,"MachineAuthorized":false,"AuthURL":"","NodeKeySignature":null,"Error":""}"#
        )
        #expect(
            text(MapRequest(version: 0, nodeKey: .zero, discoKey: .zero))
                == #"{"Version":0,"NodeKey":"nodekey:\#(zeros)","DiscoKey":"discokey:\#(zeros)","Hostinfo":null}"#
        )
        #expect(
            text(Node(id: NodeID(0), stableID: "", name: "", user: UserID(0), key: .zero))
                == #"{"ID":0,"StableID":"","Name":"","User":0,"Key":"nodekey:\#(zeros)","Addresses":null}"#
        )
        #expect(text(MapResponse()) == "{}")
        #expect(text(MapResponse.keepAlive) == #"{"KeepAlive":true}"#)
        #expect(text(Hostinfo()) == "{}")
        #expect(text(NetInfo()) == "{}")
        #expect(text(DNSConfig()) == "{}")
        #expect(text(DERPMap(regions: nil)) == #"{"Regions":null}"#)
        #expect(
            text(
                DERPRegion(
                    id: 900, code: "", name: "",
                    nodes: [DERPNode(name: "900a", regionID: 900, hostName: "h")]))
                == #"{"RegionID":900,"RegionCode":"","RegionName":"","Nodes":[{"Name":"900a","RegionID":900,"HostName":"h"}]}"#
        )
        #expect(text(FilterRule(sources: [])) == #"{"SrcIPs":null}"#)
        #expect(text(CapabilityGrant(destinations: [], capabilities: [:])) == #"{"Dsts":null}"#)
        #expect(
            text(DestinationPorts(address: "", ports: 0...0))
                == #"{"IP":"","Ports":{"First":0,"Last":0}}"#)
        #expect(text(Service(proto: "", port: 0)) == #"{"Proto":"","Port":0}"#)
        #expect(text(PeerChange(nodeID: NodeID(0))) == #"{"NodeID":0}"#)
        #expect(text(PingRequest(url: "")) == #"{"URL":""}"#)
        #expect(
            text(DisplayMessage(title: "", text: "", severity: ""))
                == #"{"Title":"","Text":"","Severity":""}"#)
        #expect(
            text(ServerKeys(publicKey: .zero))
                == #"{"legacyPublicKey":"mkey:\#(zeros)","publicKey":"mkey:\#(zeros)"}"#)
    }

    @Test func emptyAndAbsentListsStayApart() throws {
        var response = MapResponse()
        response.packetFilters = ["base": [], "old": nil]
        response.peers = []
        response.health = []
        #expect(
            text(response) == #"{"Peers":[],"PacketFilters":{"base":[],"old":null},"Health":[]}"#)
        let copy = try MapResponse(jsonBytes: response.jsonBytes)
        #expect(copy == response)
        #expect(copy.peersChanged == nil)
        #expect(copy.packetFilters?["old"] == .some(nil))

        var node = Node(id: NodeID(1), stableID: "1", name: "a.", user: UserID(1), key: .zero)
        node.allowedIPs = []
        let decoded = try Node(jsonBytes: node.jsonBytes)
        #expect(decoded.allowedIPs == [])
    }

    @Test func decodingIsAsLenientAsGo() throws {
        let request = try MapRequest(
            json: json(
                #"""
                {"version":113,"NODEKEY":"nodekey:\#(String(zeros.dropLast()))A","discokey":null,
                 "Unknown":{"x":[1]},"Hostinfo":{"hostname":"h","New":{"a":[1.50]}},
                 "endpoints":["","1.2.3.4:5","[fe80::1%eth0]:6","[2001:db8::1]:7"],"Stream":null}
                """#))
        #expect(request.version == 113)
        #expect(request.nodeKey.description.hasSuffix("000a"))
        #expect(request.discoKey.isZero)
        #expect(request.endpoints == [Endpoint("1.2.3.4:5")!, Endpoint("[2001:db8::1]:7")!])
        #expect(request.hostinfo?.hostname == "h")
        #expect(request.kind == .single)
        // Members of newer clients are passed on with every digit.
        let hostinfo = try #require(request.hostinfo)
        #expect(text(hostinfo) == #"{"hostname":"h","New":{"a":[1.50]}}"#)
    }

    @Test(arguments: [
        #"{"NodeKey":""}"#, #"{"NodeKey":"nodekey:12"}"#, #"{"NodeKey":"mkey:\#(zeros)"}"#,
        #"{"Version":"1"}"#, #"{"Stream":"true"}"#, #"{"Endpoints":{}}"#, #"{"Hostinfo":[]}"#,
        "[]", "1", #"{"EndpointTypes":["a"]}"#,
    ])
    func wrongTypesAreErrors(text: String) {
        #expect(throws: MessageDecodingError.self) {
            try MapRequest(jsonBytes: Array(text.utf8))
        }
    }

    @Test func oneUnreadablePeerOrRuleDoesNotCostTheOthers() throws {
        let response = try MapResponse(
            json: json(
                #"""
                {"Peers":[{"ID":1,"Key":"nodekey:bad"},null,{"ID":2,"Key":"nodekey:\#(zeros)"}],
                 "PacketFilters":{"base":[{"SrcIPs":["*"],"SrcBits":[8]},{"SrcIPs":["*"]},
                  {"SrcIPs":["*"],"DstPorts":[{"IP":"*","Ports":{"First":9,"Last":1}}]}]}}
                """#))
        #expect(response.peers?.map(\.id) == [NodeID(2)])
        #expect(response.packetFilters == ["base": [FilterRule(sources: ["*"])]])
        #expect(
            response.problems.map(\.path) == [
                "Peers[0].Key", "PacketFilters.base[0].SrcBits",
                "PacketFilters.base[2].DstPorts[0].Ports",
            ])
    }

    @Test func theLegacyRelayAddressGivesTheHomeRegion() throws {
        let node = try Node(json: json(#"{"ID":1,"DERP":"127.3.3.40:12"}"#))
        #expect(node.homeDERP == 12)
        let other = try Node(json: json(#"{"ID":1,"DERP":"127.3.3.40:12","HomeDERP":3}"#))
        #expect(other.homeDERP == 3)
        let wrong = try Node(json: json(#"{"ID":1,"DERP":"127.0.0.1:12"}"#))
        #expect(wrong.homeDERP == 0)
    }

    @Test func hostinfoIsReadAndWrittenByName() throws {
        var hostinfo = Hostinfo(
            try #require(
                json(#"{"OS":"linux","hostname":"Büro","RoutableIPs":["10.0.0.0/8","x"]}"#).object))
        #expect(hostinfo.hostname == "Büro")
        #expect(hostinfo.routableIPs == [IPPrefix("10.0.0.0/8")])
        hostinfo.hostname = "b"
        hostinfo.routableIPs = []
        hostinfo.services = [Service(proto: "peerapi4", port: 1234)]
        var netInfo = NetInfo()
        netInfo.preferredDERP = 999
        netInfo.isUDPWorking = true
        netInfo.regionLatency = ["999-v4": 0.25]
        hostinfo.netInfo = netInfo
        #expect(
            text(hostinfo)
                == #"{"OS":"linux","Hostname":"b","Services":[{"Proto":"peerapi4","Port":1234}],"NetInfo":{"PreferredDERP":999,"WorkingUDP":true,"DERPLatency":{"999-v4":0.25}}}"#
        )
        #expect(hostinfo.netInfo?.regionLatency == ["999-v4": 0.25])
    }

    @Test func mapsWithIntegerKeysUseStrings() throws {
        var response = MapResponse()
        response.onlineChange = [NodeID(5): true, NodeID(10): false]
        #expect(text(response) == #"{"OnlineChange":{"10":false,"5":true}}"#)
        #expect(try MapResponse(jsonBytes: response.jsonBytes) == response)
        #expect(throws: MessageDecodingError.self) {
            try MapResponse(json: json(#"{"OnlineChange":{"x":true}}"#))
        }
    }

    @Test func regionsWithoutValueAreDropped() throws {
        let map = try DERPMap(
            json: json(#"{"Regions":{"1":null,"2":{"RegionID":2,"Nodes":null}}}"#))
        #expect(map.regions?.keys.sorted() == [2])
        #expect(try DERPMap(json: json(#"{"Regions":null}"#)).regions == nil)
    }
}
