/// Why the registry did not do what it was asked. Never holds a token.
package struct RegistryError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// Kafka did not confirm in time. The change counts here, is on this replica's disk where it has one, and goes to Kafka
        /// as soon as it can: it may be in force elsewhere at any time.
        case unconfirmed
        /// Nothing has changed: the bridge stops, or the portal's record would be too large.
        case refused
        /// The topic cannot be used as it is; the words name the mend.
        case topic
        /// A record or a file is not what the registry writes.
        case unreadable
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    package init(_ description: String) { self.init(.refused, description) }
}
