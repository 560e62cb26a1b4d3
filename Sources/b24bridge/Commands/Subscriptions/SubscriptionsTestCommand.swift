import ArgumentParser
import Bitrix24
import Bridge
import Foundation
import KafkaClient

struct SubscriptionsTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Prove that a portal's events arrive in Kafka.",
        discussion: """
            Has the portal send a test event (event.test), and waits until it has come through the bridge into Kafka as \
            ONAPPTEST. The time it took includes Bitrix24's own queue, which is seconds as a rule.

              b24bridge subscriptions test --config b24bridge.yaml --portal MEMBER_ID

            Reading the topic needs the right Read on it.

            Exit status: 0 it arrived, 1 it did not, with words on where to look, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var asking: AskingOptions

    @Option(name: .long, help: ArgumentHelp("The portal.", valueName: "member_id"))
    var portal: String

    @Flag(name: .long, help: "Print a JSON object: {memberId, arrived, topic, seconds, error}.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let loaded = try LoadedConfiguration.load(configuration)
        let result = try await asking.withRegistry(loaded.settings) { registry in
            try await Self.test(
                try PortalChoice.portal(portal, of: registry),
                registry,
                loaded,
                patience: asking.patience
            )
        }
        if json { try printJSON(result) }
        if let error = result.error {
            writeToStandardError("\(error)\n")
            throw ExitCode.failure
        }
        if !json {
            try writeToStandardOutput(
                "The test event has arrived in topic \(result.topic) after \(result.seconds ?? 0) s.\n"
            )
        }
    }

    private struct Result: Encodable {
        let memberId: String
        let arrived: Bool
        let topic: String
        /// From the order to its arrival in Kafka.
        let seconds: Double?
        let error: String?
    }

    private static func test(
        _ portal: RegisteredPortal,
        _ registry: PortalRegistry,
        _ loaded: LoadedConfiguration,
        patience: Duration
    ) async throws -> Result {
        let nonce = UUID().uuidString.lowercased()
        let domain = loaded.portals[portal.memberID]?.domain ?? portal.installation?.domain
        let watch = TestEventWatch(loaded.settings, portal: portal.memberID, domain: domain, nonce: nonce)
        func result(_ error: String?, _ seconds: Double? = nil) -> Result {
            Result(
                memberId: portal.memberID,
                arrived: error == nil,
                topic: watch.topic,
                seconds: seconds,
                error: error
            )
        }
        var bar = ProgressBar("waiting for ONAPPTEST of \(portal.shownName)", total: nil)
        bar.update(0)
        defer { bar.finish() }
        do {
            let started = ContinuousClock.now
            let obstacle = try await watch.find(within: patience) { () -> String? in
                let answer = await PortalOrders(registry, patience: patience).carryOut(
                    .test,
                    at: portal.memberID,
                    id: nonce
                )
                return PortalAnswer(portal, answer).error?.words
            }
            let seconds = ((ContinuousClock.now - started) / .milliseconds(1)).rounded() / 1000
            return obstacle.map { result("The test event could not be sent: \($0)") } ?? result(nil, seconds)
        } catch is TestEventWatch.Late {
            return result(late(portal, loaded.settings, watch.topic, patience))
        } catch let error as KafkaError {
            return result("The topic \(watch.topic) cannot be read: \(error). Check the right Read on it.")
        }
    }

    /// Where to look, the likeliest first.
    private static func late(
        _ portal: RegisteredPortal,
        _ settings: BridgeSettings,
        _ topic: String,
        _ patience: Duration
    ) -> String {
        var text =
            "Bitrix24 took the order, and no test event has arrived in topic \(topic) within "
            + "\(patience.components.seconds) s. Look at these, one after the other:\n"
        if ![.connected, .offlineDenied].contains(portal.state) {
            text += "- the portal is \(portal.state.words), not connected yet\n"
        }
        text +=
            "- can Bitrix24 reach \(DesiredBindings(settings, for: portal.memberID).handler) from outside? A GET of it must "
        text += "answer 200, with a certificate that the public trusts\n"
        text += "- did the bridge refuse it? b24bridge dead-letters list --portal \(portal.memberID) --since 10m\n"
        text +=
            "- does it wait in the bridge? See the page and the log of the bridge: is Kafka reachable, is the topic refused?\n"
        text += "- an application with a user interface gets no events before its setup was finished in the portal"
        return text
    }
}
