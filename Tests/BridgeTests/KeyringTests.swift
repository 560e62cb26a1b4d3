import Configuration
import Foundation
import Testing

@testable import Bridge

@Suite struct KeyringTests {
    static func key(_ id: String) -> BridgeSettings.Secrets.Key {
        let bytes = Data((0..<32).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ id.hashSum) })
        return BridgeSettings.Secrets.Key(id: id, key: Secret(bytes.base64EncodedString()))
    }

    static func keyring(_ current: String?, previous: [String] = []) -> Keyring {
        Keyring(BridgeSettings.Secrets(current: current.map(key), previous: previous.map(key)))
    }

    @Test func `what was sealed opens in its own context only`() throws {
        let keyring = Self.keyring("1")
        let sealed = try keyring.seal("the token", context: "portal/a/tokens")
        #expect(try keyring.openText(sealed, context: "portal/a/tokens") == "the token")
        #expect(throws: KeyringError.damaged("portal/b/tokens")) {
            try keyring.open(sealed, context: "portal/b/tokens")
        }
        #expect(!sealed.text.contains("the token") && !sealed.text.contains(" "))
    }

    @Test func `the same text is sealed differently each time`() throws {
        let keyring = Self.keyring("1")
        #expect(try keyring.seal("x", context: "c") != keyring.seal("x", context: "c"))
    }

    @Test func `previous keys alone are a fault, as a renewed token could not be kept`() throws {
        let key = Self.key("1").key.text
        let error = #expect(throws: ConfigurationFaults.self) {
            try SubscriptionSettingsTests.settings("secrets: {previousKeys: [{keyId: old, key: \"\(key)\"}]}")
        }
        #expect(error?.faults.map(\.key) == ["secrets.key"])
    }

    @Test func `a previous key opens and does not seal`() throws {
        let old = try Self.keyring("old").seal("t", context: "c")
        let keyring = Self.keyring("new", previous: ["old"])
        #expect(try keyring.openText(old, context: "c") == "t")
        #expect(!keyring.isCurrent(old))
        let anew = try keyring.seal("t", context: "c")
        #expect(anew.keyID == "new" && keyring.isCurrent(anew))
    }

    @Test func `a key that is not there is named`() throws {
        let sealed = try Self.keyring("old").seal("t", context: "c")
        #expect(throws: KeyringError.missingKey("old")) { try Self.keyring("new").open(sealed, context: "c") }
        #expect("\(KeyringError.missingKey("old"))".contains("\"old\""))
        #expect(throws: KeyringError.missingKey("old")) { try Self.keyring(nil).open(sealed, context: "c") }
    }

    @Test func `without a key nothing is sealed`() {
        #expect(throws: KeyringError.noKey) { try Self.keyring(nil).seal("t", context: "c") }
        #expect(!Self.keyring(nil).canSeal)
    }

    @Test func `another key under the same id, a changed byte, or any other text does not open`() throws {
        let sealed = try Self.keyring("1").seal("t", context: "c")
        let other = Keyring(
            BridgeSettings.Secrets(current: .init(id: "1", key: Self.key("2").key), previous: [])
        )
        #expect(throws: KeyringError.damaged("c")) { try other.open(sealed, context: "c") }
        for text in ["", "1.1", "1.1.", "1.1.AAAA", "2.1.AAAA", String(sealed.text.dropLast(8))] {
            #expect(throws: KeyringError.damaged("c"), "\(text)") {
                try Self.keyring("1").open(SealedText(text: text), context: "c")
            }
        }
    }
}

extension String {
    fileprivate var hashSum: UInt8 { utf8.reduce(0, &+) }
}
