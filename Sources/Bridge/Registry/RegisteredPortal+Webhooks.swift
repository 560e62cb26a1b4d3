package import Bitrix24

extension RegisteredPortal {
    /// Makes it one of outgoing webhooks, or adds to their tokens.
    ///
    /// - Returns: whether there was room: `TokenSet.capacity` tokens.
    package mutating func addWebhooks(_ tokens: [TokenDigest], domain: String?) -> Bool {
        let old = webhooks?.digests ?? []
        let new = tokens.map { String(decoding: $0.hexadecimal, as: UTF8.self) }.filter { !old.contains($0) }
        guard old.count + new.count <= TokenSet.capacity else { return false }
        webhooks = Webhooks(
            digests: old + new,
            domain: domain ?? webhooks?.domain,
            sealedAddress: webhooks?.sealedAddress
        )
        return true
    }
}
