import Bitrix24REST
import Testing

@testable import Bridge

@Suite struct ResealingTests {
    private static let tokens = OAuthTokens(access: "access-1", refresh: "refresh-1", accessExpiresAt: 9)

    private func registry(sealedWith keyring: Keyring) async throws -> PortalRegistry {
        let registry = PortalRegistry()
        let sealed = try SealedTokens.seal(Self.tokens, of: "m", with: keyring)
        try await registry.change("m") { portal in
            portal.authorization = .init(sealed: sealed, accessExpiresAt: 9, refreshedAt: 8)
        }
        return registry
    }

    @Test func `tokens are sealed anew under today's key, and no older change can undo it`() async throws {
        let registry = try await registry(sealedWith: KeyringTests.keyring("old"))
        let before = try #require(registry.entries.first)
        let keyring = KeyringTests.keyring("new", previous: ["old"])
        #expect(try await registry.reseal("m", with: keyring))
        #expect(try await !registry.reseal("m", with: keyring))
        let sealed = try #require(registry.portal("m")?.authorization?.sealed)
        #expect(sealed.keyID == "new")
        #expect(try SealedTokens.open(sealed, of: "m", with: KeyringTests.keyring("new")) == Self.tokens)
        #expect(try await !registry.merge(before))
        #expect(registry.portal("m")?.keyIDs == ["new"])
    }

    /// The command has not read yet what the owner of the REST work has just renewed.
    @Test func `tokens that were renewed meanwhile win, though they are written before`() async throws {
        let command = try await registry(sealedWith: KeyringTests.keyring("old"))
        let stale = try #require(command.entries.first)
        let owner = PortalRegistry()
        _ = try await owner.merge(stale)
        let renewed = OAuthTokens(access: "access-2", refresh: "refresh-2", accessExpiresAt: 99)
        let keyring = KeyringTests.keyring("new", previous: ["old"])
        let sealed = try SealedTokens.seal(renewed, of: "m", with: keyring)
        try await owner.change("m") { $0.authorization?.sealed = sealed }
        _ = try await command.reseal("m", with: keyring)
        let resealed = try #require(command.entries.first)
        #expect(try await !owner.merge(resealed))
        let kept = try #require(owner.portal("m")?.authorization?.sealed)
        #expect(try SealedTokens.open(kept, of: "m", with: keyring) == renewed)
    }

    @Test func `a key that is missing is named and nothing changes`() async throws {
        let registry = try await registry(sealedWith: KeyringTests.keyring("old"))
        await #expect(throws: KeyringError.missingKey("old")) {
            try await registry.reseal("m", with: KeyringTests.keyring("new"))
        }
        await #expect(throws: KeyringError.noKey) { try await registry.reseal("m", with: KeyringTests.keyring(nil)) }
        #expect(registry.portal("m")?.keyIDs == ["old"])
    }
}
