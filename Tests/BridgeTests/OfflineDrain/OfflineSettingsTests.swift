import Bitrix24REST
import Configuration
import Testing

@testable import Bridge

@Suite struct OfflineSettingsTests {
    private static func settings(_ text: String, environment: [String: String] = [:]) throws -> BridgeSettings {
        try SubscriptionSettingsTests.settings(text, environment: environment)
    }

    private static func faults(_ text: String) throws -> [ConfigurationFault] {
        let error = #expect(throws: ConfigurationFaults.self) { try settings(text) }
        return error?.faults ?? []
    }

    @Test func `the defaults are the documented ones`() throws {
        let offline = try Self.settings("").offline
        #expect(offline.wakeBy == [.event, .timer] && offline.pollEvery == .seconds(600) && offline.batchRows == 200)
    }

    @Test func `every key is read, from the file and from the environment`() throws {
        let file = try Self.settings("offline: {wakeBy: [push], pollEvery: 1m, batchRows: 50}").offline
        #expect(file.wakeBy == [.push] && file.pollEvery == .seconds(60) && file.batchRows == 50)
        let environment = [
            "B24_OFFLINE_WAKE_BY": "push, timer", "B24_OFFLINE_POLL_EVERY": "24h", "B24_OFFLINE_BATCH_ROWS": "1000",
        ]
        let offline = try Self.settings("offline: {wakeBy: [event]}", environment: environment).offline
        #expect(
            offline.wakeBy == [.push, .timer] && offline.pollEvery == .seconds(86_400) && offline.batchRows == 1000
        )
    }

    @Test func `all faults are told together, each with its mend`() throws {
        let faults = try Self.faults("offline: {wakeBy: [timer, hope], pollEvery: 25h, batchRows: 0, connector: x}")
        #expect(
            faults.map(\.key).sorted() == [
                "offline.batchRows", "offline.connector", "offline.pollEvery", "offline.wakeBy",
            ]
        )
        #expect(faults.contains { $0.problem.contains("\"hope\"") && $0.problem.contains("event, push, timer") })
        let empty = try Self.faults("offline: {wakeBy: []}")
        #expect(empty.map(\.key) == ["offline.wakeBy"] && empty[0].problem.contains("never be drained"))
    }

    @Test func `portals are not asked all the time, but for those that are played`() throws {
        #expect(try Self.faults("offline: {pollEvery: 59s}").map(\.key) == ["offline.pollEvery"])
        let played = try Self.settings(
            "offline: {pollEvery: 1s}",
            environment: ["B24_APPLICATION_STAND_IN": "http://127.0.0.1:1"]
        )
        #expect(played.offline.pollEvery == .seconds(1))
    }

    @Test(arguments: ["wakeBy: [timer]", "pollEvery: 5m", "batchRows: 10"])
    func `who is no application has nothing to drain`(key: String) throws {
        let yaml = "kafka: {bootstrapServers: \"broker:9092\"}\noffline: {\(key)}"
        let error = #expect(throws: ConfigurationFaults.self) {
            let reader = try ConfigurationReader.parse(yaml: yaml, name: "bridge.yaml")
            _ = try BridgeSettings(reading: reader, hostName: "host-1")
            try reader.finish()
        }
        #expect(error?.faults.map(\.key) == ["offline"])
    }

    @Test func `a portal with nothing but offline events is only drained, if nobody need reach the bridge to wake it`()
        throws
    {
        func isDrainedOnly(_ subscriptions: String, _ wakeBy: String) throws -> Bool {
            let text = "subscriptions: {\(subscriptions)}\noffline: {wakeBy: [\(wakeBy)]}"
            return DesiredBindings(try Self.settings(text), for: "p1").isDrainedOnly
        }
        #expect(try isDrainedOnly("offline: [ONCRMDEALADD]", "push, timer"))
        #expect(try isDrainedOnly("offline: [ONCRMDEALADD], online: [ONAPPTEST]", "timer"))
        #expect(try !isDrainedOnly("offline: [ONCRMDEALADD]", "event, timer"))
        #expect(try !isDrainedOnly("offline: [ONCRMDEALADD], online: [ONCRMDEALADD]", "timer"))
        #expect(try !isDrainedOnly("online: []", "timer"))
    }

    @Test func `ONOFFLINEEVENT is bound where it is to wake, and portals learn when that changes`() throws {
        let declared = "subscriptions: {offline: [ONCRMDEALADD]}\n"
        func wakes(_ text: String) throws -> Bool {
            DesiredBindings(try Self.settings(text), for: "p1").events.contains("ONOFFLINEEVENT")
        }
        func fingerprint(_ text: String) throws -> String { DeclaredFingerprints(try Self.settings(text))["p1"] }
        #expect(try wakes(declared) && wakes(declared + "offline: {wakeBy: [event]}"))
        for words in ["push", "timer", "push, timer"] {
            let text = declared + "offline: {wakeBy: [\(words)]}"
            #expect(try !wakes(text))
            #expect(try fingerprint(text) != fingerprint(declared))
        }
        #expect(try fingerprint(declared + "offline: {wakeBy: [event, push]}") == fingerprint(declared))
        let without = "subscriptions: {online: [ONCRMDEALADD]}\n"
        #expect(try !wakes(without))
        #expect(try fingerprint(without + "offline: {wakeBy: [push]}") == fingerprint(without), "nothing is drained")
        #expect(
            try wakes("subscriptions: {online: [ONOFFLINEEVENT], offline: [ONCRMDEALADD]}\noffline: {wakeBy: [push]}"),
            "somebody wants it published"
        )
    }
}
