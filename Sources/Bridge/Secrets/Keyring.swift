internal import Crypto
package import Foundation

/// Seals what must not be read where it is stored: `secrets.key` seals and opens, `secrets.previousKeys` open.
package struct Keyring: Sendable {
    private struct Key: Sendable {
        let id: String
        let key: SymmetricKey
    }

    private let current: Key?
    private let all: [Key]

    /// - Precondition: the keys are 32 bytes in base64. The configuration sees to it.
    package init(_ secrets: BridgeSettings.Secrets) {
        func key(_ setting: BridgeSettings.Secrets.Key) -> Key {
            guard let bytes = Data(base64Encoded: setting.key.text), bytes.count == 32 else {
                preconditionFailure("a sealing key is not 32 bytes in base64")
            }
            return Key(id: setting.id, key: SymmetricKey(data: bytes))
        }
        current = secrets.current.map(key)
        all = [current].compactMap { $0 } + secrets.previous.map(key)
    }

    package var canSeal: Bool { current != nil }

    /// Of the key that seals.
    package var currentKeyID: String? { current?.id }

    /// - Parameter context: Where the text belongs, such as `portal/<member_id>/tokens`. It opens under the same context only,
    ///   so that nobody can move it to another place. It is not kept in the text.
    /// - Throws: `noKey`.
    package func seal(_ bytes: some DataProtocol, context: String) throws(KeyringError) -> SealedText {
        guard let current else { throw .noKey }
        // A random nonce of 96 bits: one key may seal 2³² texts.
        guard
            let box = try? AES.GCM.seal(bytes, using: current.key, authenticating: Array(context.utf8)),
            let combined = box.combined
        else { preconditionFailure("AES-GCM with a key of 32 bytes and a nonce of its own cannot fail") }
        return SealedText(text: "\(SealedText.version).\(current.id).\(combined.base64EncodedString())")
    }

    /// - Throws: `noKey`.
    package func seal(_ text: String, context: String) throws(KeyringError) -> SealedText {
        try seal(Array(text.utf8), context: context)
    }

    /// - Throws: `missingKey`, or `damaged` for what was changed, or sealed for another context.
    package func open(_ sealed: SealedText, context: String) throws(KeyringError) -> Data {
        guard let parts = sealed.parts, let data = Data(base64Encoded: String(parts.box)) else {
            throw .damaged(context)
        }
        guard let key = all.first(where: { $0.id == parts.keyID }) else { throw .missingKey(String(parts.keyID)) }
        guard let box = try? AES.GCM.SealedBox(combined: data),
            let bytes = try? AES.GCM.open(box, using: key.key, authenticating: Array(context.utf8))
        else { throw .damaged(context) }
        return bytes
    }

    /// - Throws: as `open` does.
    package func openText(_ sealed: SealedText, context: String) throws(KeyringError) -> String {
        String(decoding: try open(sealed, context: context), as: UTF8.self)
    }

    /// Whether there is a key of this id.
    package func has(_ keyID: String) -> Bool { all.contains { $0.id == keyID } }

    /// Whether it was sealed under today's key. What was not is to be sealed anew before its key may be forgotten.
    package func isCurrent(_ sealed: SealedText) -> Bool { current != nil && sealed.keyID == current?.id }
}

package enum KeyringError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no `secrets.key`.
    case noKey
    /// Sealed under a key that is not configured; its id.
    case missingKey(String)
    /// Not what was sealed for this context.
    case damaged(String)

    package var description: String {
        switch self {
        case .noKey:
            "tokens cannot be stored without secrets.key; set it to 32 bytes in base64, as openssl rand -base64 32 makes them"
        case .missingKey(let id):
            "it was sealed under the key \"\(id)\", which is not configured; add it to secrets.previousKeys"
        case .damaged(let context):
            "what was sealed as \(context) cannot be opened: it was changed, or another key has the id that it names"
        }
    }
}
