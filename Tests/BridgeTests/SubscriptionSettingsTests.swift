import Bitrix24REST
import Configuration
import Testing

@testable import Bridge

@Suite struct SubscriptionSettingsTests {
    static let application = """
        kafka: {bootstrapServers: "broker:9092"}
        application: {clientId: app.1, clientSecret: s, publicURL: "https://bridge.example"}

        """

    static func settings(_ subscriptions: String, environment: [String: String] = [:]) throws -> BridgeSettings {
        let reader = try ConfigurationReader.parse(
            yaml: application + subscriptions,
            name: "bridge.yaml",
            environment: environment,
            environmentPrefix: "B24"
        )
        let settings = try BridgeSettings(reading: reader, hostName: "host-1")
        try reader.finish()
        return settings
    }

    private static func faults(_ subscriptions: String) throws -> [ConfigurationFault] {
        let error = #expect(throws: ConfigurationFaults.self) { try settings(subscriptions) }
        return error?.faults ?? []
    }

    private static let here = "https://bridge.example/b24/events/p1"

    private static func online(_ events: String..., at handler: String = here, authType: Int64 = 0) -> [EventBinding] {
        events.map { EventBinding(event: $0, handler: handler, authType: authType) }
    }

    @Test func `without a word only the events that the bridge lives by are wanted`() throws {
        let desired = DesiredBindings(try Self.settings(""), for: "p1")
        #expect(desired.all == Set(Self.online("ONAPPUNINSTALL", "ONAPPTEST")))
        #expect(desired.unknown.isEmpty && desired.handler == Self.here)
    }

    @Test func `codes are taken in any case, and an entity stands for all its events`() throws {
        let settings = try Self.settings(
            "subscriptions: {online: [onCrmLeadAdd, crm.deal, catalog.product, OnCrmDynamicItemAdd_128, ONSOMETHINGNEW]}"
        )
        let desired = DesiredBindings(settings, for: "p1")
        let expected = [
            "CATALOG.PRODUCT.ON.ADD", "CATALOG.PRODUCT.ON.DELETE", "CATALOG.PRODUCT.ON.UPDATE", "ONAPPTEST",
            "ONAPPUNINSTALL", "ONCRMDEALADD", "ONCRMDEALDELETE", "ONCRMDEALMOVETOCATEGORY", "ONCRMDEALUPDATE",
            "ONCRMDYNAMICITEMADD_128", "ONCRMLEADADD", "ONSOMETHINGNEW",
        ]
        #expect(desired.all.map(\.event).sorted() == expected)
        #expect(desired.unknown == ["ONSOMETHINGNEW"], "a number behind a known code is a smart process")
    }

    @Test func `an entry of a portal replaces what it names and leaves the rest as it is for all`() throws {
        let settings = try Self.settings(
            """
            subscriptions:
              online: [ONCRMDEALADD]
              authType: 7
              portals:
                - {memberId: p1, online: [ONCRMLEADADD]}
                - {memberId: p2, online: []}
            """
        )
        #expect(
            DesiredBindings(settings, for: "p1").all
                == Set(Self.online("ONAPPUNINSTALL", "ONAPPTEST") + Self.online("ONCRMLEADADD", authType: 7))
        )
        #expect(DesiredBindings(settings, for: "p2").all.map(\.event).sorted() == ["ONAPPTEST", "ONAPPUNINSTALL"])
        #expect(DesiredBindings(settings, for: "p3").all.map(\.event).contains("ONCRMDEALADD"))
    }

    @Test func `offline events come with the event that says there are some`() throws {
        let settings = try Self.settings(
            "subscriptions: {offline: [ONCRMDEALADD], authConnector: b24bridge, minTimeout: 5}"
        )
        let desired = DesiredBindings(settings, for: "p1")
        #expect(
            desired.all
                == Set(
                    Self.online("ONAPPUNINSTALL", "ONAPPTEST", "ONOFFLINEEVENT")
                        + [EventBinding(offline: "ONCRMDEALADD", connector: "b24bridge")]
                )
        )
        #expect(desired.minTimeout == 5)
    }

    @Test func `the list can come from the environment`() throws {
        let settings = try Self.settings(
            "",
            environment: ["B24_SUBSCRIPTIONS_ONLINE": "ONCRMDEALADD, crm.currency", "B24_SUBSCRIPTIONS_AUTH_TYPE": "3"]
        )
        #expect(settings.subscriptions.everywhere.online.count == 4 && settings.subscriptions.everywhere.authType == 3)
    }

    @Test func `a handler of one's own may name the portal`() throws {
        let settings = try Self.settings("subscriptions: {handler: \"https://in.example/hook/{portal}?src=b24\"}")
        #expect(DesiredBindings(settings, for: "p1").handler == "https://in.example/hook/p1?src=b24")
    }

    @Test func `the fingerprint changes with what is declared and with nothing else`() throws {
        func fingerprint(_ text: String, of portal: String = "p1") throws -> String {
            DeclaredFingerprints(try Self.settings(text))[portal]
        }
        let one = try fingerprint("subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE]}")
        #expect(one.count == 16)
        #expect(try fingerprint("subscriptions: {online: [oncrmdealupdate, ONCRMDEALADD], minTimeout: 9}") == one)
        #expect(try fingerprint("subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE]}", of: "p2") == one)
        let own =
            "subscriptions: {online: [ONCRMDEALUPDATE, ONCRMDEALADD], portals: [{memberId: p2, online: [crm.lead]}]}"
        #expect(try fingerprint(own) == one)
        #expect(try fingerprint(own, of: "p2") != one)
        let others = try [
            "subscriptions: {online: [ONCRMDEALADD]}",
            "subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE], authType: 1}",
            "subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE], handler: \"https://other.example/x\"}",
            "subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE], offline: [ONCRMDEALADD]}",
            "subscriptions: {online: [ONCRMDEALADD, ONCRMDEALUPDATE], offline: [ONCRMDEALADD], authConnector: x}",
        ].map { try fingerprint($0) }
        #expect(Set(others + [one]).count == 6)
    }

    @Test func `who is no application cannot subscribe`() throws {
        let yaml = "kafka: {bootstrapServers: \"broker:9092\"}\nsubscriptions: {online: [crm.deal]}"
        let error = #expect(throws: ConfigurationFaults.self) {
            let reader = try ConfigurationReader.parse(yaml: yaml, name: "bridge.yaml")
            _ = try BridgeSettings(reading: reader, hostName: "host-1")
            try reader.finish()
        }
        #expect(error?.faults.map(\.key) == ["subscriptions"])
    }

    @Test func `portals are not compared all the time, but for those that are played`() throws {
        #expect(try Self.faults("subscriptions: {reconcileEvery: 59s}").map(\.key) == ["subscriptions.reconcileEvery"])
        for (text, every) in [("0s", Duration.zero), ("1m", .seconds(60))] {
            let settings = try Self.settings("subscriptions: {reconcileEvery: \(text)}")
            #expect(settings.subscriptions.reconcileEvery == every)
        }
        let played = try Self.settings(
            "subscriptions: {reconcileEvery: 1s}",
            environment: ["B24_APPLICATION_STAND_IN": "http://127.0.0.1:1"]
        )
        #expect(played.subscriptions.reconcileEvery == .seconds(1))
    }

    @Test func `all faults are told together`() throws {
        let faults = try Self.faults(
            """
            subscriptions:
              handler: "http://bridge.example/x"
              online: [crm.dael, ONAPPINSTALL, "", ON CRM, deal]
              offline: [ONOFFLINEEVENT, offline]
              authType: -1
              minTimeout: x
              reconcileEvery: 91d
              connector: x
              portals:
                - {memberId: p1}
                - {memberId: p1, online: [nothing]}
                - {online: [ONCRMDEALADD]}
            """
        )
        let keys = faults.map(\.key)
        let expected = [
            "subscriptions.handler", "subscriptions.online", "subscriptions.online", "subscriptions.online",
            "subscriptions.online", "subscriptions.online", "subscriptions.offline", "subscriptions.authType",
            "subscriptions.minTimeout", "subscriptions.reconcileEvery", "subscriptions.connector",
            "subscriptions.portals[1].memberId", "subscriptions.portals[1].online", "subscriptions.portals[2].memberId",
        ]
        #expect(keys.sorted() == expected.sorted(), "\(faults)")
        #expect(faults.contains { $0.problem.contains("\"crm.dael\"") && $0.problem.contains("ONCRMDEALADD") })
    }
}
