import Bitrix24REST
import Foundation
import Testing

@testable import Bridge

@Suite struct SealedTokensTests {
    static let tokens = OAuthTokens(access: "access-1", refresh: "refresh-1", accessExpiresAt: 1_700_000_000)
    static let keyring: Keyring = {
        var secrets = BridgeSettings.Secrets()
        secrets.current = .init(id: "1", key: Secret(Data(repeating: 7, count: 32).base64EncodedString()))
        return Keyring(secrets)
    }()

    @Test func `tokens come back as they were, and only for their portal`() throws {
        let sealed = try SealedTokens.seal(Self.tokens, of: memberID, with: Self.keyring)
        #expect(!sealed.text.contains("access-1"))
        #expect(try SealedTokens.open(sealed, of: memberID, with: Self.keyring) == Self.tokens)
        #expect(throws: KeyringError.damaged("portal/other/tokens")) {
            try SealedTokens.open(sealed, of: "other", with: Self.keyring)
        }
    }

    @Test func `without a key they are not sealed`() {
        #expect(throws: KeyringError.noKey) {
            try SealedTokens.seal(Self.tokens, of: memberID, with: Keyring(BridgeSettings.Secrets()))
        }
    }
}
