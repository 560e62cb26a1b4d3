import KafkaClient
import Logging
import Testing

@testable import Bridge

@Suite struct ShipperInboxTests {
    @Test func `why a broker lets nobody in is told for as long as none can be reached`() {
        let inbox = ShipperInbox(
            statusBox: ShipperStatusBox(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let refused = KafkaError(code: .saslAuthenticationFailed, message: "the password is wrong")
        let silent = KafkaError(code: .transport, message: "connection refused")
        let away = KafkaError(code: .allBrokersDown, message: "1/1 brokers are down")
        inbox.observe(.connectionError(refused))
        #expect(inbox.brokersUnreachable == nil)
        inbox.observe(.connectionError(silent))
        inbox.observe(.brokersUnreachable(away))
        let words = inbox.brokersUnreachable ?? ""
        #expect(words.contains("1/1 brokers are down") && words.contains("the password is wrong"))
        #expect(!words.contains("refused"), "that nobody answers is known already")
        inbox.observe(.brokersReachable)
        inbox.observe(.brokersUnreachable(away))
        #expect(inbox.brokersUnreachable == "\(away)")
    }
}
