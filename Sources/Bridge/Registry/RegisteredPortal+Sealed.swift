extension RegisteredPortal {
    /// What of it is sealed, by part, and the context under which it is.
    fileprivate var sealedTexts: [(part: Part, text: SealedText, context: String)] {
        var texts: [(part: Part, text: SealedText, context: String)] = []
        if let text = authorization?.sealed { texts.append((.authorization, text, SealedTokens.context(of: memberID))) }
        if let text = webhooks?.sealedAddress {
            texts.append((.webhooks, text, SealedTokens.webhookContext(of: memberID)))
        }
        return texts
    }

    /// Ids of the keys that open it.
    package var keyIDs: Set<String> { Set(sealedTexts.compactMap(\.text.keyID)) }
}

extension PortalRegistry {
    /// Seals under today's key what of a portal was sealed under a previous one. Tokens that are renewed meanwhile win.
    ///
    /// - Returns: whether there was anything to do.
    /// - Throws: `KeyringError` for what cannot be opened; `RegistryError`.
    package func reseal(_ memberID: String, with keyring: Keyring) async throws -> Bool {
        guard let keyID = keyring.currentKeyID else { throw KeyringError.noKey }
        guard let portal = portal(memberID) else { return false }
        var isDone = false
        for (part, old, context) in portal.sealedTexts where !keyring.isCurrent(old) {
            let new = try keyring.seal(try keyring.open(old, context: context), context: context)
            try await rewrite(memberID, part, keyID) { portal in
                if portal.authorization?.sealed == old { portal.authorization?.sealed = new }
                if portal.webhooks?.sealedAddress == old { portal.webhooks?.sealedAddress = new }
            }
            isDone = true
        }
        return isDone
    }
}
