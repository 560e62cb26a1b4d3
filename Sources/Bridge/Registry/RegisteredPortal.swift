/// A portal as the registry keeps it. Each property beside `memberID` is a part that is written as a whole; two replicas
/// that change different parts at the same time both count, of two changes to one part the later.
package struct RegisteredPortal: Sendable, Equatable {
    package let memberID: String
    package var installation: Installation?
    package var authorization: Authorization?
    package var applicationTokens: ApplicationTokens?
    package var webhooks: Webhooks?
    package var bindings: Bindings?
    package var offline: Offline?
    package var order: Order?
    package var report: Report?

    package init(memberID: String) { self.memberID = memberID }

    /// What the last verified installation, or its end, said. Times are milliseconds since 1970.
    package struct Installation: Sendable, Equatable, Codable {
        package enum State: String, Sendable, Codable { case installed, gone }

        package var state: State
        package var domain: String
        /// Ends with `/rest/`.
        package var clientEndpoint: String
        /// Host name of the authorization server.
        package var authorizationServer: String
        /// `L`, `F`, `D`, `T`, `P` or `S`.
        package var status: String
        package var scope: [String]
        package var version: String?
        package var userID: String?
        /// When the installation was received that was verified; a reinstallation is a later one.
        package var installedAt: Int64
        /// When somebody last opened the install page on a portal where the application was installed before.
        package var seenAt: Int64?
        /// Why and when it is gone.
        package var goneReason: String?
        package var goneAt: Int64?
    }

    /// OAuth tokens, sealed. No tokens and a reason: the portal needs authorisation.
    package struct Authorization: Sendable, Equatable, Codable {
        package var sealed: SealedText?
        /// Unix seconds.
        package var accessExpiresAt: Int64
        /// When the refresh token was given, in milliseconds: it lives 180 days.
        package var refreshedAt: Int64
        /// Why an administrator must install the application again, or give new tokens.
        package var needed: String?
        /// When somebody gave the bridge tokens, in milliseconds; renewing them changes nothing of it. Absent: it is not known.
        package var grantedAt: Int64?
    }

    /// SHA-256 of the tokens that prove events, in hexadecimal.
    package struct ApplicationTokens: Sendable, Equatable, Codable {
        package var digests: [String]
        /// While no token is known: the nonce of the `event.test` that brings it.
        package var nonce: String?
    }

    /// A portal of outgoing webhooks, added by hand.
    package struct Webhooks: Sendable, Equatable, Codable {
        package var digests: [String]
        package var domain: String?
        /// Address of an incoming webhook for REST calls, sealed.
        package var sealedAddress: SealedText?
    }

    /// What became of the declared subscriptions.
    package struct Bindings: Sendable, Equatable, Codable {
        /// `Installation.installedAt` of the installation whose bindings exist.
        package var installedAt: Int64
        /// Of the declared set that they were compared with.
        package var fingerprint: String
        package var reconciledAt: Int64
        package var bound: Int
        /// Differences that were found and could not be, or were not to be, mended.
        package var drift: Int
        package var error: String?
        /// Code of the REST error that `error` tells of, if it is of the whole.
        package var errorCode: String?
        /// Addresses and source keys under which the bridge bound something that may still be there, so that it knows its
        /// own again after they have changed in the configuration.
        package var handlers: [String]?
        /// Kept for good, as their queues may hold rows when nothing is bound to them any more.
        package var connectors: [String]?
        /// Nothing but offline events is declared, and nobody need reach the bridge to wake it: maybe nobody can. Absent: the
        /// portal posts events.
        package var isDrainedOnly: Bool?
    }

    /// Why the queue of offline events cannot be drained, until somebody changes something at the portal. Absent: it can, or
    /// there is none.
    package struct Offline: Sendable, Equatable, Codable {
        /// Milliseconds since 1970.
        package var deniedSince: Int64
        /// Bitrix24's, in lower case.
        package var code: String
        /// For people: what is the matter and what mends it.
        package var words: String
    }

    /// What a person asked the owner of the REST work to do.
    package struct Order: Sendable, Equatable, Codable {
        package enum Kind: String, Sendable, Codable {
            case plan, apply, test, events, check
            /// Look at the queue of offline events.
            case queue
            /// Empty it, before all others.
            case drain
            /// The same, with what was left reserved or marked as erroneous.
            case recover
        }

        package var id: String
        package var kind: Kind
        package var at: Int64
        /// `recover`: rows that were changed then or later, in milliseconds since 1970.
        package var since: Int64?
    }

    /// The owner's answer to `order`: JSON, its shape a matter of the order's kind.
    package struct Report: Sendable, Equatable, Codable {
        package var orderID: String
        package var at: Int64
        package var json: String
    }
}
